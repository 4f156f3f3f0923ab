"""The judge of text-to-image: which thing a picture shows, and in whose style.

A classifier of labels and vendors, trained on real emoji alone and apart from the model it judges. Pictures are then
compared in its features: the real emoji nearest to a sample says what the sample shows.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checkpoints import save
from .data.captions import Emoji, pictures_of
from .data.sheets import VENDORS
from .models import Classifier
from .models.classifier import jitter
from .runtime import device, provenance
from .seeding import drawn_from, own_randomness


def numbers_of(emoji: list[Emoji]) -> tuple[Tensor, list[str]]:
    """(N, 2) numbers, of the label and of the vendor, and the names of the labels, sorted."""
    names = sorted({e.label_en for e in emoji})
    place = {name: i for i, name in enumerate(names)}
    return torch.tensor([[place[e.label_en], VENDORS.index(e.vendor)] for e in emoji]), names


def word_classifier(labels: int) -> Classifier:
    """(batch, 3, 64, 64) → logits of `labels` labels and, after them, of the five vendors; 96 features."""
    return Classifier(3, 64, labels + len(VENDORS), widths=(16, 32, 64, 128), strides=(2, 2, 2, 2), features=96)


def train_word_judge(
    model: Classifier, images: Tensor, numbers: Tensor, num_epochs: int, batch_size: int = 64, lr: float = 2e-3
) -> Iterator[tuple[int, float]]:
    """Train on moved, blurred and noisy copies, to see what is drawn and not how cleanly; yields (epoch, mean loss)."""
    generator = torch.Generator().manual_seed(0)
    where, model = next(model.parameters()).device, model.train()
    batches = len(images) // batch_size
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=num_epochs * batches)
    for epoch in range(num_epochs):
        total = 0.0
        with own_randomness(0, epoch, where):  # dropout
            for batch in torch.randperm(len(images), generator=generator)[: batches * batch_size].split(batch_size):
                x = worn(jitter(images[batch], 4, False, generator), generator).to(where)
                loss = two_answers(model(x), numbers[batch].to(where))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                rates.step()
                total += loss.item() / batches
        yield epoch + 1, total


def two_answers(logits: Tensor, numbers: Tensor) -> Tensor:
    """Cross-entropy of the label plus that of the vendor, the last five logits."""
    things, styles = logits[:, : -len(VENDORS)], logits[:, -len(VENDORS) :]
    return F.cross_entropy(things, numbers[:, 0], label_smoothing=0.1) + F.cross_entropy(styles, numbers[:, 1])


def worn(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The images (batch, 3, side, side), a third of them blurred by two pixels, all with a little noise."""
    soft = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear", align_corners=False)
    blurred = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.33
    strength = 0.1 * torch.rand(len(images), 1, 1, 1, generator=generator)
    return torch.where(blurred, soft, images) + strength * torch.randn(images.shape, generator=generator)


class Verdict(NamedTuple):
    """Of each picture: the gallery's places by nearness, (N, gallery), and the nearest distance (N,)."""

    order: Tensor
    distance: Tensor


class Gallery:
    """Real emoji as the judge sees them, and the nearest of them to any picture.

    judge: a trained word_classifier; emoji, images: (N, 3, 64, 64), the real ones.
    """

    def __init__(self, judge: Classifier, emoji: list[Emoji], images: Tensor):
        self.judge, self.emoji = judge.eval(), emoji
        self.features = self.describe(images)
        self.numbers, self.labels = numbers_of(emoji)

    @torch.no_grad()
    def describe(self, images: Tensor) -> Tensor:
        """(N, features), each of length 1."""
        where = next(self.judge.parameters()).device
        return F.normalize(torch.cat([self.judge.features(x.to(where)).cpu() for x in images.split(256)]))

    def nearest(self, images: Tensor) -> Verdict:
        """Cosine distance in the judge's features, nearest first."""
        distance, order = (1 - self.describe(images) @ self.features.T).sort(1)
        return Verdict(order, distance[:, 0])

    def hits(self, images: Tensor, asked: list[Emoji], top: int = 5) -> dict[str, Tensor]:
        """(N,) True or False each: label and vendor of the nearest, label_top5 (among the `top` nearest labels)."""
        order = self.nearest(images).order
        place = {name: i for i, name in enumerate(self.labels)}
        wanted = torch.tensor([place[e.label_en] for e in asked])
        vendor = torch.tensor([VENDORS.index(e.vendor) for e in asked])
        label, style = self.numbers[order, 0], self.numbers[order, 1]
        among = [int(w) in list(dict.fromkeys(row.tolist()))[:top] for w, row in zip(wanted, label, strict=True)]
        return {"label": label[:, 0] == wanted, "label_top5": torch.tensor(among), "vendor": style[:, 0] == vendor}


def run_word_judge(
    name: str, known: list[Emoji], unseen: list[Emoji], out: Path, root: str | None = None, num_epochs: int = 45
) -> Path:
    """Train the judge on the emoji that training may see, test it on those kept out; OUT/NAME.safetensors."""
    emoji, started = known + unseen, time.time()
    numbers, names = numbers_of(emoji)
    images, seen = pictures_of(emoji, root), torch.arange(len(emoji)) < len(known)
    with drawn_from(0):
        model = word_classifier(len(names)).to(device())
    for epoch, loss in train_word_judge(model, images[seen], numbers[seen], num_epochs):
        print(f"epoch {epoch} of {num_epochs}: loss {loss:.4f}, {time.time() - started:.0f} s", flush=True)
    facts = {
        "data": {"source": "emoji", "labels": len(names), "images": len(known)},
        "epochs": num_epochs,
        "seconds": round(time.time() - started),
        "training_loss": round(loss, 5),
        "test_images": int((~seen).sum()),
        **accuracies(model, images[~seen], numbers[~seen]),
        **provenance(),
    }
    path = Path(out) / f"{name}.safetensors"
    save(path, model, card=facts)
    print(", ".join(f"{key.replace('_', ' ')} {facts[key]}" for key in facts if "accuracy" in key))
    return path


@torch.no_grad()
def accuracies(model: nn.Module, images: Tensor, numbers: Tensor) -> dict[str, float]:
    """Shares of real pictures in which the judge answers both rightly, and the label, and the vendor."""
    logits = torch.cat([model.eval()(x.to(next(model.parameters()).device)).cpu() for x in images.split(256)])
    thing = logits[:, : -len(VENDORS)].argmax(1) == numbers[:, 0]
    style = logits[:, -len(VENDORS) :].argmax(1) == numbers[:, 1]
    found = {"": thing & style, "_label": thing, "_vendor": style}
    return {f"test_accuracy{key}": round(value.double().mean().item(), 4) for key, value in found.items()}
