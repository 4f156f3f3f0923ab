"""How close samples are to data.

All take rows of features or points, (n, d), tensors or arrays, two or more: real first, generated second, and refuse
what is not finite. A number means something only beside the same number for real against real.
"""

import torch
from torch import Tensor

BLOCK = 200  # rows that are compared with all others at once: more would not stay near the processor


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """Fréchet distance of the two fitted Gaussians (Heusel et al. 2017, eq. 6). real: (n, d), generated: (m, d).

    Biased upwards for few samples: compare only numbers made with the same counts.
    """
    real, generated = _check(real, generated)
    mean_gap = (real.mean(0) - generated.mean(0)).square().sum()
    c1, c2 = torch.cov(real.T).reshape(real.shape[1], -1), torch.cov(generated.T).reshape(real.shape[1], -1)
    # tr √(C1 C2) = tr √(√C1 C2 √C1), and the second is symmetric: its eigenvalues are real and safe to root.
    values, vectors = torch.linalg.eigh(c1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    trace_root = torch.linalg.eigvalsh(root @ c2 @ root).clamp(min=0).sqrt().sum()
    return float(mean_gap + c1.trace() + c2.trace() - 2 * trace_root)


def kernel_distance(real: Tensor, generated: Tensor) -> float:
    """Squared maximum mean discrepancy with the cubic kernel (xᵀy/d + 1)³, unbiased: KID (Bińkowski et al. 2018)."""
    real, generated = _check(real, generated)
    d = real.shape[1]

    def total(a: Tensor, b: Tensor) -> Tensor:
        # Row by row of blocks: ten thousand against ten thousand would not fit at once.
        return sum(((rows @ b.T / d + 1) ** 3).sum() for rows in a.split(BLOCK))

    def mean_kernel(a: Tensor, b: Tensor | None = None) -> Tensor:
        if b is not None:
            return total(a, b) / (len(a) * len(b))
        with_itself = ((a.square().sum(1) / d + 1) ** 3).sum()
        return (total(a, a) - with_itself) / (len(a) * (len(a) - 1))

    return float(mean_kernel(real) + mean_kernel(generated) - 2 * mean_kernel(real, generated))


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> tuple[float, float]:
    """Share of generated samples inside the real manifold, and of real ones inside the generated one.

    A manifold is the union of balls around its points that reach to their k-th neighbour (Kynkäänniemi et al. 2019).
    """
    real, generated = _check(real, generated)
    if min(len(real), len(generated)) <= k:
        raise ValueError(f"precision and recall with k = {k} need more than {k} samples of each kind.")

    def inside(points: Tensor, manifold: Tensor) -> float:
        # The point itself is its own nearest neighbour, so the k-th other one is at place k + 1.
        radius = torch.cat([torch.cdist(x, manifold).kthvalue(k + 1, dim=1).values for x in manifold.split(BLOCK)])
        found = [(torch.cdist(x, manifold) <= radius).any(1) for x in points.split(BLOCK)]
        return torch.cat(found).double().mean().item()

    return inside(generated, real), inside(real, generated)


def sliced_wasserstein(
    real: Tensor, generated: Tensor, directions: int = 200, generator: torch.Generator | None = None
) -> float:
    """Mean over random directions of the 1-D Wasserstein-1 distance of the projections (Bonneel et al. 2015).

    Of the samples themselves this distance is exact: the area between the two step functions of their quantiles.
    The directions are drawn where the generator lives.
    """
    real, generated = (samples.cpu() for samples in _check(real, generated))
    if directions < 1:
        raise ValueError(f"directions must be 1 or more, got {directions}.")
    where = torch.device("cpu") if generator is None else generator.device
    dtype = torch.float64 if where.type != "mps" else torch.float32
    axes = torch.randn(real.shape[1], directions, dtype=dtype, generator=generator, device=where).cpu().double()
    axes = axes / axes.norm(dim=0)
    n, m = len(real), len(generated)
    edges = torch.cat([torch.arange(1, n + 1).double() / n, torch.arange(m).double() / m]).sort().values
    width, middle = edges.diff(), (edges[:-1] + edges[1:]) / 2
    rows = [(middle * count).long().clamp(max=count - 1) for count in (n, m)]
    total = 0.0
    for some in axes.split(BLOCK // 4, dim=1):
        a, b = ((samples @ some).sort(0).values[row] for samples, row in zip((real, generated), rows))
        total += float((width @ (a - b).abs()).sum())
    return total / axes.shape[1]


def _check(real: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float64 tensors; ValueError unless they are rows of finite features, two or more of each kind."""
    real, generated = torch.as_tensor(real), torch.as_tensor(generated)
    if real.ndim != 2 or generated.ndim != 2 or real.shape[1] != generated.shape[1]:
        raise ValueError(
            f"metrics compare rows of features, (n, d) with (m, d), got {tuple(real.shape)}"
            f" and {tuple(generated.shape)}; use .flatten(1) or a classifier's features."
        )
    if min(len(real), len(generated)) < 2:
        raise ValueError(f"metrics need two samples or more of each kind, got {len(real)} and {len(generated)}.")
    for name, samples in (("real", real), ("generated", generated)):
        if not bool(samples.isfinite().all()):
            count = int((~samples.isfinite()).any(1).sum())
            raise ValueError(f"{count} of {len(samples)} {name} samples hold values that are not finite (NaN or inf).")
    # Apple's MPS has no float64. Samples of two devices meet on the CPU.
    if "mps" in (real.device.type, generated.device.type) or real.device != generated.device:
        real, generated = real.cpu(), generated.cpu()
    return real.double(), generated.double()
