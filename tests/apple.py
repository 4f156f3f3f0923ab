"""Apple's MPS without a Mac: a device that says "mps", computes on the CPU, and refuses what that one refuses.

Within `with Apple():` x.to("mps") gives a tensor there. It refuses float64, and to be mixed with tensors of the CPU,
single numbers but for.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

MPS, CPU = torch.device("mps"), torch.device("cpu")


class OnApple(torch.Tensor):
    """A tensor that says it lies on "mps"."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return Apple().__torch_function__(func, types, args, kwargs)


class Apple(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            return self.run(func, args, kwargs or {})

    def run(self, func, args, kwargs):
        leaves = tree_flatten((args, kwargs))[0]
        tensors = [x for x in leaves if isinstance(x, torch.Tensor)]
        here = [x for x in tensors if isinstance(x, OnApple)]
        if func == torch.Tensor.device.__get__:
            return MPS if here else CPU
        name = getattr(func, "__name__", "")
        named = [torch.device(x) for x in leaves if isinstance(x, (torch.device, str)) and str(x) in ("mps", "cpu")]
        goes = bool(here)
        if named:
            goes = named[0] == MPS
        elif name == "cpu":
            goes = False
        elif name == "to" and len(tensors) == 2:
            goes = isinstance(tensors[1], OnApple)
        copies = name in ("to", "cpu", "copy_", "type")
        if here and not copies and any(x.ndim and not isinstance(x, OnApple) for x in tensors):
            raise RuntimeError("Expected all tensors to be on the same device, but found mps:0 and cpu!")

        def held(x):
            if isinstance(x, OnApple):
                return x.as_subclass(torch.Tensor)
            return CPU if isinstance(x, (torch.device, str)) and str(x) == "mps" else x

        out = func(*tree_map(held, args), **tree_map(held, kwargs))
        return tree_map(lambda x: _there(x) if isinstance(x, torch.Tensor) else x, out) if goes else out


def _there(x):
    if x.dtype == torch.float64:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.")
    return x.as_subclass(OnApple)
