"""The U-Net of DDPM: down to small feature maps, up again, with skips across at every level."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Attention, Downsample, GroupNorm, ResBlock, Upsample, time_features, zeroed


class UNet(nn.Module):
    """Predicts an image-shaped target from a noisy image, its time and (if asked) a label: Ho et al. 2020, appendix B.

    channels: of the images. dim: width of the first level; level i has dim · multipliers[i] channels at side / 2^i.
    blocks: residual blocks a level. attention_levels: the levels with self-attention after each block; the
    bottleneck always has it. num_classes: number of labels, or None for a network without labels, or a tuple for
    several attributes an image (vendor and group, say), each of which may be asked for alone.
    patch: side of the squares of pixels that enter and leave as channels (space to depth, as in Hoogeboom et al.
    2023, section 3.3): with 2 the whole network works at half the side, at a quarter of the cost.
    predicts: what its output means, "eps", "x0" or "v"; losses and Denoiser ask it, the network itself does not care.
    The defaults are DDPM's CIFAR-10 network (attention at 16 × 16, 35.7 M parameters) but for its dropout of 0.1.
    """

    def __init__(
        self,
        channels: int = 3,
        dim: int = 128,
        multipliers: tuple[int, ...] = (1, 2, 2, 2),
        blocks: int = 2,
        attention_levels: tuple[int, ...] = (1,),
        heads: int = 1,
        dropout: float = 0.0,
        num_classes: int | tuple[int, ...] | None = None,
        patch: int = 1,
        predicts: str = "eps",
    ):
        super().__init__()
        if any(not 0 <= level < len(multipliers) for level in attention_levels):
            raise ValueError(f"attention_levels must name levels 0..{len(multipliers) - 1}, got {attention_levels}.")
        # Plain numbers and lists: what a checkpoint needs to build this network again.
        self.config = dict(channels=channels, dim=dim, multipliers=list(multipliers), blocks=blocks,
                           attention_levels=list(attention_levels), heads=heads, dropout=dropout,
                           num_classes=list(num_classes) if isinstance(num_classes, (tuple, list)) else num_classes,
                           patch=patch, predicts=predicts)  # fmt: skip
        self.channels, self.dim, self.patch, self.predicts = channels, dim, patch, predicts
        self.num_classes = tuple(num_classes) if isinstance(num_classes, (tuple, list)) else (num_classes or 0,)
        self.side_multiple = patch * 2 ** (len(multipliers) - 1)
        emb = 4 * dim
        self.time = nn.Sequential(nn.Linear(dim, emb), nn.SiLU(), nn.Linear(emb, emb))
        # One row more than an attribute has labels: its last stands for "no label" (classifier-free guidance).
        self.label = nn.Embedding(sum(n + 1 for n in self.num_classes), emb) if num_classes else None
        # Beside the weights, so that no step waits for them; not stored, since num_classes says the same.
        sizes = torch.tensor(self.num_classes)
        self.register_buffer("sizes", sizes, persistent=False)
        self.register_buffer("first_row", (sizes + 1).cumsum(0) - sizes - 1, persistent=False)

        def block(ins: int, outs: int, attend: bool) -> nn.ModuleList:
            return nn.ModuleList(
                [ResBlock(ins, outs, emb, dropout), Attention(outs, heads) if attend else nn.Identity()]
            )

        pixels = channels * patch**2
        self.first = nn.Conv2d(pixels, dim, 3, padding=1)
        widths, skips = [dim * m for m in multipliers], [dim]
        self.down, width = nn.ModuleList(), dim
        for level, w in enumerate(widths):
            for _ in range(blocks):
                self.down.append(block(width, w, level in attention_levels))
                width = w
                skips.append(w)
            if level < len(widths) - 1:
                self.down.append(Downsample(w))
                skips.append(w)
        self.middle = nn.ModuleList(
            [ResBlock(width, width, emb, dropout), Attention(width, heads), ResBlock(width, width, emb, dropout)]
        )
        self.up = nn.ModuleList()
        for level, w in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                self.up.append(block(width + skips.pop(), w, level in attention_levels))
                width = w
            if level > 0:
                self.up.append(Upsample(w))
        self.norm, self.last = GroupNorm(width), zeroed(nn.Conv2d(width, pixels, 3, padding=1))

    def forward(self, xt: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """xt: (batch, channels, h, w), t: (batch,) → like xt.

        label: (batch,) integers, or (batch, attributes); −1, or None for all, means no label.
        """
        self._check(xt, t)
        features = time_features(t, self.dim, dtype=self.time[0].weight.dtype)
        emb = F.silu(self.time(features) + self._embed_label(label, xt))
        h = self.first(F.pixel_unshuffle(xt, self.patch))
        skips = [h]
        for layer in self.down:
            if isinstance(layer, Downsample):
                h = layer(h)
            else:
                res, attention = layer
                h = attention(res(h, emb))
            skips.append(h)
        res1, attention, res2 = self.middle
        h = res2(attention(res1(h, emb)), emb)
        for layer in self.up:
            if isinstance(layer, Upsample):
                h = layer(h)
            else:
                res, attention = layer
                h = attention(res(torch.cat([h, skips.pop()], dim=1), emb))
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), self.patch)

    def check_label(self, label: Tensor | None) -> None:
        """ValueError, or TypeError, for labels that this network does not know. On a GPU it waits for them."""
        if label is None:
            return
        if self.label is None:
            raise ValueError("this network was built without labels; build it with num_classes=….")
        label = torch.as_tensor(label)
        if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool:
            raise TypeError(f"labels are integers, got {label.dtype}; use label.long().")
        sizes = self.sizes.to(label.device)
        if bool(((label < -1) | (label >= sizes)).any()):
            ranges = " and ".join(f"0..{n - 1}" for n in self.num_classes)
            raise ValueError(
                f"labels must lie in {ranges} (or −1 for none), got {int(label.min())}..{int(label.max())}."
            )

    def _embed_label(self, label: Tensor | None, xt: Tensor) -> Tensor | float:
        if self.label is None:
            self.check_label(label)
            return 0.0
        batch, count = xt.shape[0], len(self.num_classes)  # len(xt) would become a constant of an exported graph
        if label is None:
            label = torch.full((batch, count), -1, device=xt.device)
        label = torch.as_tensor(label, device=xt.device)
        if label.ndim == 1 and count == 1:
            label = label[:, None]
        if label.shape != (batch, count):
            wanted = "one number" if count == 1 else f"{count} numbers"
            raise ValueError(f"label must be {wanted} per image, {batch} in all, got shape {tuple(label.shape)}.")
        # On a GPU the check would hold up every step, and a compiled network cannot make it. There a label that
        # does not exist asks for a row that does not exist, which torch refuses, and never for another attribute's.
        if label.device.type == "cpu" and not torch.compiler.is_compiling():
            self.check_label(label)
        label = label.long()
        known = (label >= -1) & (label < self.sizes)
        row = torch.where(label < 0, self.sizes, label) + self.first_row
        return self.label(torch.where(known, row, self.label.num_embeddings)).sum(1)

    def _check(self, xt: Tensor, t: Tensor) -> None:
        if xt.ndim != 4 or xt.shape[1] != self.channels:
            raise ValueError(
                f"this U-Net takes images of shape (batch, {self.channels}, height, width), got {tuple(xt.shape)}."
            )
        height, width = xt.shape[2:]
        if height % self.side_multiple or width % self.side_multiple:
            raise ValueError(
                f"height and width must be divisible by {self.side_multiple} ({self._shrinks()}), got"
                f" {height} × {width}; resize or pad the images."
            )
        if t.shape != (xt.shape[0],):
            raise ValueError(f"t must have one entry per image, shape ({len(xt)},), got {tuple(t.shape)}.")

    def _shrinks(self) -> str:
        halvings = (self.side_multiple // self.patch).bit_length() - 1
        told = [f"the side is halved {halvings} times"] if halvings else []
        return " and ".join(([f"{self.patch} × {self.patch} pixels enter as one"] if self.patch > 1 else []) + told)
