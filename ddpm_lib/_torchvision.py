"""The cure for a torchvision that was built for another kind of torch.

PyPI serves one torchvision wheel for Linux, the CUDA one. Beside a torch without CUDA
its compiled half does not load, and ``import torchvision`` ends with

    RuntimeError: operator torchvision::nms does not exist

which also breaks every package that looks for torchvision (transformers, diffusers).
The data sets and the transforms are pure Python and need only that the operators'
*names* exist. `install` therefore waits for the first import of torchvision, lets it run
untouched, and steps in only when it fails with that very error: it declares the two
names and imports again. A healthy torchvision never notices. After the cure
``torchvision.datasets`` and ``torchvision.transforms`` work; ``torchvision.ops`` and
``torchvision.io`` still have no compiled code behind them.
"""

import importlib.abc
import importlib.machinery
import sys

_NAME = "torchvision"
_SYMPTOM = "operator torchvision::nms does not exist"
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared = []  # torch forgets an operator when its Library object is collected


def install():
    """Cure torchvision when it is next imported; does nothing until then, or twice."""
    if _NAME not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _declare_operators():
    import torch

    library = torch.library.Library(_NAME, "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + _SIGNATURE)
    _declared.append(library)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds torchvision where it always was, and wraps how it is executed."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != _NAME:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """Runs torchvision's own loader, and once more after the cure if it needs one."""

    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):  # get_source, get_filename, ...: as without us
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self.loader
        try:
            self.loader.exec_module(module)
        except RuntimeError as error:
            if _SYMPTOM not in str(error) or _declared:
                raise
            _declare_operators()
            self.loader.exec_module(module)
