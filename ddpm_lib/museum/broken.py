"""The library with one file changed: imported beside the right one, under another name."""

import importlib
import sys
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location

from .exhibit import LIBRARY, Exhibit


class ChangedLibrary(MetaPathFinder):
    """Finds the modules of this library under the package name `root`, some files with another text.

    texts: {"samplers.py": source}. All other files are read from where they are, so no copy is made.
    """

    def __init__(self, root: str, texts: dict[str, str]):
        self.root, self.texts = root, texts

    def find_spec(self, fullname, path=None, target=None):
        root, *parts = fullname.split(".")
        if root != self.root:
            return None
        folder = LIBRARY.joinpath(*parts)
        is_package = (folder / "__init__.py").is_file()
        file = folder / "__init__.py" if is_package else folder.with_suffix(".py")
        if not file.is_file():
            return None
        text = self.texts.get(file.relative_to(LIBRARY).as_posix())
        loader = SourceFileLoader(fullname, str(file)) if text is None else _Text(fullname, str(file), text)
        inside = [str(folder)] if is_package else None
        return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=inside)


class _Text(SourceFileLoader):
    """Loads a module from a text instead of its file; nothing of it is written to a cache."""

    def __init__(self, fullname: str, path: str, text: str):
        super().__init__(fullname, path)
        self.text = text

    def get_code(self, fullname):
        return compile(self.text, self.path, "exec", dont_inherit=True)

    def get_source(self, fullname):
        return self.text


class Library:
    """A whole library behind one name: its functions and its rooms, library.sample_ddpm or library.training.train."""

    def __init__(self, root: str):
        self._root = root

    def __getattr__(self, name: str):
        package = importlib.import_module(self._root)
        if not hasattr(package, name):
            try:
                return importlib.import_module(f"{self._root}.{name}")
            except ModuleNotFoundError as error:
                raise AttributeError(f"the library has no {name!r}.") from error
        return getattr(package, name)

    def __repr__(self):
        return f"Library({self._root})"


RIGHT = Library(__package__.split(".")[0])


@cache
def broken(exhibit: Exhibit) -> Library:
    """The library with the exhibit's mistake in it, beside the right one, which stays as it is."""
    root = f"{RIGHT._root}_with_{exhibit.name.replace('-', '_')}"
    sys.meta_path.insert(0, ChangedLibrary(root, {exhibit.file: exhibit.broken_source()}))
    return Library(root)
