"""The bricks of the U-Net: time features, normalization, residual blocks, attention, resampling."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def time_features(t: Tensor, dim: int, max_period: float = 10_000.0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Sines and cosines of t at dim / 2 frequencies (Vaswani et al. 2017, section 3.5). t: (batch,) → (batch, dim).

    dtype: of the result. The angles, up to T, are taken in float32 at least: half precision cannot tell 999 from 1000.
    """
    half, wide = dim // 2, torch.promote_types(dtype, torch.float32)
    steps = torch.arange(half, device=t.device, dtype=wide) / max(half - 1, 1)
    angles = t.to(wide)[:, None] * torch.exp(-math.log(max_period) * steps)
    return F.pad(torch.cat([angles.sin(), angles.cos()], dim=1), (0, dim % 2)).to(dtype)


class GroupNorm(nn.GroupNorm):
    """GroupNorm of up to 32 groups with statistics in float32 at least, also where the features are bf16.

    A group has three channels or more. With one alone it would be instance normalization, which subtracts
    each channel's mean, and with it everything that the time embedding has just added.
    """

    def __init__(self, channels: int):
        groups = math.gcd(32, channels)
        while groups > 1 and channels // groups < 3:
            groups //= 2
        super().__init__(groups, channels)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            # On a CPU torch's own kernel takes bf16 features and sums in float32, which spares two copies, but
            # only features that lie channel by channel: with channels_last it is several times slower.
            if x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.is_contiguous():
                return F.group_norm(x, self.num_groups, self.weight.float(), self.bias.float(), self.eps)
            wide = torch.promote_types(x.dtype, torch.float32)
            weight, bias = self.weight.to(wide), self.bias.to(wide)
            return F.group_norm(x.to(wide), self.num_groups, weight, bias, self.eps).type(x.dtype)


def zeroed(module: nn.Module) -> nn.Module:
    """Start a layer at zero, so that the block around it starts as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class ResBlock(nn.Module):
    """Two 3×3 convolutions with a skip around them; the embedding (time, label) shifts the features between them."""

    def __init__(self, in_channels: int, out_channels: int, embedding: int, dropout: float = 0.0):
        super().__init__()
        self.norm1, self.conv1 = GroupNorm(in_channels), nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.shift = nn.Linear(embedding, out_channels)
        self.norm2, self.conv2 = GroupNorm(out_channels), zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.dropout = nn.Dropout(dropout)
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """x: (batch, in, h, w), emb: (batch, embedding) after its activation → (batch, out, h, w)."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.shift(emb)[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return self.skip(x) + h


class Attention(nn.Module):
    """Self-attention over all pixels of a feature map, with a skip around it."""

    def __init__(self, channels: int, heads: int = 1):
        super().__init__()
        self.heads = heads
        self.norm = GroupNorm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, h, w) → the same shape."""
        b, c, h, w = x.shape
        # The fused kernels want each pixel's channels side by side, as channels_last has them already.
        qkv = self.qkv(self.norm(x)).permute(0, 2, 3, 1).contiguous()
        q, k, v = qkv.view(b, h * w, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)  # each (batch, heads, pixels, channels per head)
        return x + self.out(y.transpose(1, 2).reshape(b, h, w, c).permute(0, 3, 1, 2))


class Downsample(nn.Conv2d):
    """Halve the side with a strided convolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, stride=2, padding=1)


class Upsample(nn.Module):
    """Double the side: repeat every pixel, then smooth with a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
