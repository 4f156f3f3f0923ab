"""Which files below a folder are pictures, and why the others are not taken."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# What Pillow reads as one picture of pixels. EPS is not among them: it would run another program.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM", "TGA", "QOI", "ICO",
           "ICNS", "PCX", "PSD", "SGI", "DDS")  # fmt: skip
ADVICE = {
    ".heic .heif .hif": "pip install pillow-heif, or convert them to .jpg",
    ".avif .avifs": "this Pillow cannot read them: pip install --upgrade pillow",
    ".jxl": "convert them to .png or .jpg",
    ".dng .cr2 .cr3 .nef .arw .orf .raf .rw2": "raw files of a camera: export them as .jpg",
    ".svg .eps .ps .ai .pdf": "no pixels: export them as .png",
    ".mp4 .mov .avi .mkv .webm .m4v": "films: take single pictures out of them",
    ".zip .tar .gz .tgz .7z .rar": "archives: unpack them",
}
WHY = {ending: advice for endings, advice in ADVICE.items() for ending in endings.split()}


class Found(NamedTuple):
    """The pictures below a folder, by their endings, in a fixed order; and sentences about what else is there."""

    pictures: list[Path]
    left_out: list[str]


def find_pictures(folder: str | Path, without: Iterable[str | Path] = ()) -> Found:
    """All pictures below a folder, below links to folders too: no folder twice, and none that a run of ours wrote.

    without: folders to pass over as well. Hidden files and folders (a leading dot) are passed over.
    """
    left_out: list[str] = []
    files = list(_walk(Path(folder), [Path(path) for path in without], left_out.append))
    endings = readable_endings()
    pictures = sorted(file for file in files if file.suffix.lower() in endings)
    rest: dict[str, list[Path]] = {}
    for file in sorted(files):
        if file.suffix.lower() not in endings:
            rest.setdefault(file.suffix.lower(), []).append(file)
    known = {ending: rest.pop(ending) for ending in sorted(rest) if ending in WHY}
    told = [f"skipped {len(some):,} {end} ({few(some, folder)}): {WHY[end]}." for end, some in known.items()]
    if rest:
        count = sum(map(len, rest.values()))
        names = ", ".join(sorted(ending or "no ending" for ending in rest))
        told.append(f"skipped {count:,} that are no pictures by their ending ({names}).")
    return Found(pictures, [*told, *left_out])


def readable_endings() -> set[str]:
    """Endings of files that Pillow reads here; of HEIC too, where the package pillow-heif is installed."""
    from PIL import Image

    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        pass
    endings = Image.registered_extensions().items()
    return {ending for ending, name in endings if name in Image.OPEN and name in FORMATS}


def _walk(top: Path, without: list[Path], note: Callable[[str], None]) -> Iterator[Path]:
    """Files below `top`; links to folders come last: a folder that is there by itself as well keeps its own name."""
    passed_over = {identity for path in without if (identity := _identity(path)) is not None}
    seen, folders, links, hidden = set(), [top], [], 0
    while folders or links:
        folder = folders.pop() if folders else links.pop()
        identity = _identity(folder)
        if identity in seen:
            continue
        seen.add(identity)
        if identity in passed_over and folder != top:
            note(f"left out {printable(folder.relative_to(top))}: it is the folder for results.")
            continue
        if wrote_by_us(folder) and folder != top:
            note(f"left out {printable(folder.relative_to(top))}: a training run wrote it.")
            continue
        try:
            with os.scandir(folder) as inside:
                entries = sorted(inside, key=lambda entry: entry.name, reverse=True)
            for entry in entries:
                if entry.name.startswith("."):
                    hidden += 1
                elif entry.is_dir():
                    (links if entry.is_symlink() else folders).append(folder / entry.name)
                elif entry.is_file():  # and no link to nothing
                    yield folder / entry.name
        except OSError as error:
            note(f"left out {printable(folder.relative_to(top))}: {error.strerror}.")
    if hidden:
        note(f"skipped {hidden:,} hidden (a leading dot).")


def wrote_by_us(folder: Path) -> bool:
    """Whether a run of ours keeps its states and pictures here, or a text-to-image model its parts."""
    marks = ("run.json", "lock") if folder.suffix == ".run" else ("model_index.json",)
    return any((folder / mark).exists() for mark in marks)


def _identity(path: Path) -> tuple[int, int] | None:
    """What a folder is, by whatever name one came to it; None where there is nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def few(files: list[Path], folder: str | Path, count: int = 3) -> str:
    """The names of the first files, as a list to be printed."""
    names = ", ".join(printable(file.relative_to(folder)) for file in files[:count])
    return names + (", …" if len(files) > count else "")


def printable(text: str | Path) -> str:
    """A name with what no terminal shows (bytes that are no UTF-8, control characters) written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def say(text: str) -> None:
    """print, also where the terminal lacks some of the letters."""
    code = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(code, "backslashreplace").decode(code), flush=True)
