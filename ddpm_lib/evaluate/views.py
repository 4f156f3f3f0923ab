"""What distances are taken in: the features of the book's own judge, or of Inception."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..judges import Judge


@torch.no_grad()
def features(judge: nn.Module | Callable, images: Tensor) -> Tensor:
    """(n, d) features of images in [−1, 1], in batches, on the judge's device."""
    see = judge.features if isinstance(judge, nn.Module) else judge
    return torch.cat([see(x) for x in images.split(500)])


@torch.no_grad()
def agreement(judge: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images in which the judge sees the label that was asked for. labels: (n,) classes of the judge."""
    seen = torch.cat([judge(x).argmax(1) for x in images.split(500)])
    return seen.eq(labels.to(images.device)).cpu().double().mean().item()  # on the CPU: Apple's MPS has no float64


@torch.no_grad()
def agreements(kind: Judge, judge: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """{"agreement": share}, and of a judge of several attributes "agreement_vendor", "agreement_group" as well.

    labels: (n,) or (n, attributes), the ones that were asked for.
    """
    classes = kind.join(labels).to(images.device)
    found = {"agreement": agreement(judge, images, classes)}
    if len(kind.attributes) > 1:
        seen = kind.split(torch.cat([judge(x).argmax(1) for x in images.split(500)]))
        right = (seen == kind.split(classes)).cpu().double().mean(0).tolist()
        found |= {f"agreement_{name}": share for name, share in zip(kind.attributes, right)}
    return found


def inception(weights: str | None, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A function from images in [−1, 1] to the 2,048 Inception features of FID, as torch-fidelity computes them.

    weights: a file of torch-fidelity's Inception weights; None lets it download its own.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise RuntimeError(
            "Inception features need the package torch-fidelity: pip install torch-fidelity, or measure with"
            " --features classifier."
        ) from error
    try:
        network = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=weights)
    except Exception as error:  # no network, no such file, another file: each raises its own kind
        source = weights or "its own address"
        raise RuntimeError(
            f"Inception's weights could not be had from {source} ({type(error).__name__}: {error}); give the file with"
            " --inception-weights FILE, or measure with --features classifier."
        ) from error
    network = network.to(device).eval()

    def see(images: Tensor) -> Tensor:
        return network(to_bytes(images).to(device))[0].flatten(1)

    return see


def to_bytes(images: Tensor) -> Tensor:
    """(n, 3, h, w) bytes 0..255 from (n, 1 or 3, h, w) in [−1, 1]: grey becomes three equal channels."""
    levels = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return levels.expand(-1, 3, -1, -1)
