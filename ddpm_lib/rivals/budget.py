"""What a training step costs: its floating-point operations, counted where torch carries them out."""

from collections.abc import Callable

from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class _Counter(TorchDispatchMode):
    """Adds up the operations of every matrix product and convolution, those of gradients of gradients included.

    torch's own FlopCounterMode counts by the same registry, but its hooks on modules do not survive the penalty of a
    GAN, which takes a gradient inside the forward pass.
    """

    def __init__(self):
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        return out


def count_flops(work: Callable[[], object]) -> int:
    """Floating-point operations of one call of work(): a multiplication and an addition count as two.

    Norms, activations and the optimiser's own arithmetic are left out: a few per cent, alike for all families.
    """
    with _Counter() as counter:
        work()
    return counter.flops


def count_parameters(*models: nn.Module) -> int:
    """Numbers that training may change, of all the given networks together."""
    return sum(parameter.numel() for model in models for parameter in model.parameters())
