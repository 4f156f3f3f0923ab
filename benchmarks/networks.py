"""The three U-Nets that are compared: ours, diffusers' and lucidrains', at equal parameters, size by size.

Each is a module called as model(xt, t) → like xt. diffusers' UNet2DModel can be given our very graph, so it has
the same number of parameters and of operations; lucidrains' has its own graph, with linear attention at every level
and most of its weights at the smallest feature maps: fewer operations for as many parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

import ddpm_lib  # noqa: F401  (first: it lets a CPU torch live with PyPI's torchvision, which both peers import)
from ddpm_lib.models import UNet


@dataclass(frozen=True)
class Size:
    """One size: images, our widths, and lucidrains' widths for as many parameters (within 3 %)."""

    name: str
    side: int
    channels: int
    dim: int
    multipliers: tuple[int, ...]
    blocks: int
    attention_levels: tuple[int, ...]
    lucidrains_dim: int
    lucidrains_multipliers: tuple[int, ...]
    batch_cpu: int
    batch_gpu: int


SIZES = {
    size.name: size
    for size in [
        Size("tiny", 8, 1, 8, (1, 2), 1, (1,), 4, (1, 2), 2, 2),  # for tests, and not at equal parameters
        Size("1M", 28, 1, 32, (1, 2, 2), 1, (2,), 20, (1, 2, 4), 32, 512),
        Size("9M", 32, 3, 64, (1, 2, 2, 2), 2, (1,), 32, (1, 2, 4, 8), 8, 256),
        Size("35.7M", 32, 3, 128, (1, 2, 2, 2), 2, (1,), 64, (1, 2, 4, 8), 4, 128),  # DDPM's network for CIFAR-10
    ]
}


def ours(size: Size) -> nn.Module:
    return UNet(size.channels, size.dim, size.multipliers, size.blocks, size.attention_levels)


class _SampleAlone(nn.Module):
    """diffusers' network with the plain call and answer of the others."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        return self.model(xt, t, return_dict=False)[0]


def diffusers(size: Size) -> nn.Module:
    from diffusers import UNet2DModel

    attends = [level in size.attention_levels for level in range(len(size.multipliers))]
    widths = tuple(size.dim * m for m in size.multipliers)
    return _SampleAlone(
        UNet2DModel(
            sample_size=size.side,
            in_channels=size.channels,
            out_channels=size.channels,
            block_out_channels=widths,
            layers_per_block=size.blocks,
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
            attention_head_dim=max(widths),  # one head, as in DDPM
            norm_num_groups=min(32, size.dim // 4),
        )
    )


def lucidrains(size: Size) -> nn.Module:
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import Unet

    return Unet(size.lucidrains_dim, channels=size.channels, dim_mults=size.lucidrains_multipliers, flash_attn=True)


NETWORKS: dict[str, Callable[[Size], nn.Module]] = {"ours": ours, "diffusers": diffusers, "lucidrains": lucidrains}


def parameters(model: nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


def forward_flops(model: nn.Module, size: Size) -> int:
    """Floating-point operations of one forward pass for one image: convolutions and matrix products, 2 each term."""
    device = next(model.parameters()).device
    x = torch.zeros(1, size.channels, size.side, size.side, device=device)
    # The CPU's fused attention is the one kernel of these networks that torch's counter does not know.
    fused = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=fused) as counter:
        model(x, torch.ones(1, dtype=torch.long, device=device))
    return counter.get_total_flops()


def _attention_flops(query, key, value, *_, **__) -> int:
    return sdpa_flop_count(query, key, value)
