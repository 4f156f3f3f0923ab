"""Small classifiers of images: judges that never saw a generated image, and sources of features."""

import math

import torch
from torch import Tensor, nn

from ..seeding import own_randomness


class Classifier(nn.Module):
    """Convolutions, each with a group norm and a GELU, then two linear layers.

    The norms have as many groups as the first convolution has channels, or the largest number that divides both. One
    channel a group, which makes a denoiser blind to its time (layers.GroupNorm), takes nothing away here: no time and
    no label is added to the features.

    channels, side: of the images; widths, strides: of the convolutions, one after the other; features: numbers that
    describe an image, before the last layer. Takes (batch, channels, side, side) in [−1, 1], gives
    (batch, num_classes) logits; features(x) gives (batch, features).
    """

    def __init__(
        self,
        channels: int = 3,
        side: int = 32,
        num_classes: int = 10,
        widths: tuple[int, ...] = (32, 64, 64, 128),
        strides: tuple[int, ...] = (2, 2, 1, 2),
        features: int = 128,
    ):
        super().__init__()
        self.config = dict(channels=channels, side=side, num_classes=num_classes, widths=list(widths),
                           strides=list(strides), features=features)  # fmt: skip
        self.shape = (channels, side, side)
        layers, before = [], channels
        for width, stride in zip(widths, strides, strict=True):
            norm = nn.GroupNorm(math.gcd(widths[0], width), width)
            layers += [nn.Conv2d(before, width, 3, stride, padding=1), norm, nn.GELU()]
            before, side = width, -(-side // stride)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * side**2, features), nn.GELU())
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(features, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """(batch, channels, side, side) → (batch, features): the activations before the last layer."""
        if x.ndim != 4 or x.shape[1:] != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"this classifier takes images of shape (batch, {wanted}), got {tuple(x.shape)}.")
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x)))


class DigitClassifier(Classifier):
    """The judge of digits, (batch, 1, 28, 28) → (batch, 10): its first convolution at full size; 0.2 M parameters."""

    def __init__(self, dim: int = 32, features: int = 128):
        super().__init__(1, 28, 10, (dim, 2 * dim, 2 * dim, 2 * dim), (1, 2, 2, 2), features)
        self.config = dict(dim=dim, features=features)


def train_classifier(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    num_epochs: int,
    batch_size: int = 128,
    lr: float = 2e-3,
    shift: int = 2,
    flip: bool = False,
    seed: int = 0,
):
    """Train a classifier where it is, on copies moved by up to `shift` pixels, and mirrored if flip.

    images: (N, channels, side, side), labels: (N,) integers. Yields (epoch, mean loss) after every epoch. seed: of all
    that is drawn; what the caller draws in between goes on undisturbed.
    """
    generator = torch.Generator().manual_seed(seed)
    device, model = next(model.parameters()).device, model.train()
    batch_size = min(batch_size, len(images))
    batches = len(images) // batch_size
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=num_epochs * batches)
    for epoch in range(num_epochs):
        total = 0.0
        order = torch.randperm(len(images), generator=generator)[: batches * batch_size]
        with own_randomness(seed, epoch, device):  # dropout
            for batch in order.split(batch_size):
                x = jitter(images[batch], shift, flip, generator).to(device)
                loss = nn.functional.cross_entropy(model(x), labels[batch].to(device))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                rates.step()
                total += loss.item() / batches
        yield epoch + 1, total


def jitter(images: Tensor, shift: int, flip: bool, generator: torch.Generator | None = None) -> Tensor:
    """The images moved together by up to `shift` pixels, their borders continued, and half of them mirrored if flip."""
    if flip:
        mirrored = torch.rand(len(images), generator=generator) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    height, width = images.shape[2:]
    top, left = torch.randint(2 * shift + 1, (2,), generator=generator).tolist()
    padded = nn.functional.pad(images, [shift] * 4, mode="replicate")
    return padded[:, :, top : top + height, left : left + width]
