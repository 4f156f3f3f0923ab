"""The judges: a small classifier for each data set, and how it was trained.

A judge is trained on real images alone. Its features are what distances are taken in, and its answers say whether a
sample shows the label that was asked for: python -m ddpm_lib.recipes NAME-classifier.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .checkpoints import save
from .data import faces_and_flags, load_cifar10, load_digits, load_emoji, load_fashion
from .models import Classifier, DigitClassifier
from .models.classifier import train_classifier
from .runtime import device, provenance
from .seeding import drawn_from


@dataclass(frozen=True)
class Judge:
    """Everything that makes the judge of one data set.

    attributes: the names of the labels; several make one joint class. classes: how many values each of them has.
    """

    name: str
    data: Callable[[str | None, bool], tuple[Tensor, Tensor]]  # (root, train) → images, labels
    model: Callable[[], nn.Module]
    num_epochs: int
    attributes: tuple[str, ...] = ("label",)
    classes: tuple[int, ...] = (10,)
    flip: bool = False
    shift: int = 2

    def join(self, labels: Tensor) -> Tensor:
        """(N,) classes from labels (N,) or (N, attributes): for emoji vendor · 9 + group."""
        joint = torch.zeros(len(labels), dtype=torch.long, device=labels.device)
        for column, size in zip(labels.reshape(len(labels), -1).T, self.classes, strict=True):
            joint = joint * size + column
        return joint

    def split(self, joint: Tensor) -> Tensor:
        """(N, attributes): the inverse of join."""
        columns = []
        for size in reversed(self.classes):
            columns.insert(0, joint % size)
            joint = joint // size
        return torch.stack(columns, 1)


def mnist(root: str | None, train: bool) -> tuple[Tensor, Tensor]:
    return load_digits("mnist", root, train)


def clothes_classifier() -> Classifier:
    return Classifier(channels=1, side=28)


def emoji_classifier() -> Classifier:
    return Classifier(num_classes=45)


DIGITS = Judge("digits", mnist, DigitClassifier, num_epochs=6)
FASHION = Judge("fashion", load_fashion, clothes_classifier, num_epochs=10, flip=True)
CIFAR10 = Judge("cifar10", load_cifar10, Classifier, num_epochs=10, flip=True)
EMOJI = Judge("emoji", load_emoji, emoji_classifier, 40, ("vendor", "group"), (5, 9), flip=True)

JUDGES = {judge.name: judge for judge in [DIGITS, FASHION, CIFAR10, EMOJI]}

# Who judges which model: the small emoji are a part of all, compared with real images of that part.
JUDGE_OF = {**JUDGES, "emoji-small": dataclasses.replace(EMOJI, data=faces_and_flags)}


def run_classifier(name: str, out: Path, root: str | None = None, num_epochs: int | None = None) -> Path:
    """Train the judge of one data set and write NAME-classifier.safetensors, its accuracies in the header.

    name: of the judge, or with -classifier at its end; root: the folder with the data.
    """
    judge = JUDGES[name.removesuffix("-classifier")]
    num_epochs = num_epochs or judge.num_epochs
    images, labels = judge.data(root, True)
    started, path = time.time(), Path(out) / f"{judge.name}-classifier.safetensors"
    with drawn_from(0):
        model = judge.model().to(device())
    steps = train_classifier(model, images, judge.join(labels), num_epochs, flip=judge.flip, shift=judge.shift)
    for epoch, loss in steps:
        print(f"epoch {epoch} of {num_epochs}: loss {loss:.4f}, {time.time() - started:.0f} s", flush=True)
    seconds = round(time.time() - started)
    test, answers = judge.data(root, False)
    facts = {
        "data": {"source": judge.name, "images": len(images)},
        "epochs": num_epochs,
        "seconds": seconds,
        "training_loss": round(loss, 5),
        "test_images": len(test),
        **accuracies(judge, model, test, answers),
        **provenance(),
    }
    save(path, model, card=facts)
    print(", ".join(f"{name.replace('_', ' ')} {facts[name]}" for name in facts if "accuracy" in name))
    return path


@torch.no_grad()
def accuracies(judge: Judge, model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Shares of images in which the model sees the right label, and each of several attributes."""
    where = next(model.parameters()).device
    model.eval()
    answers = torch.cat([model(x.to(where)).argmax(1).cpu() for x in images.split(500)])
    right = judge.split(answers) == judge.split(judge.join(labels.cpu()))
    found = {"test_accuracy": right.all(1).double().mean().item()}
    if len(judge.attributes) > 1:
        found |= {f"test_accuracy_{a}": right[:, i].double().mean().item() for i, a in enumerate(judge.attributes)}
    return {name: round(value, 4) for name, value in found.items()}
