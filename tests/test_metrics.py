"""Metrics against closed forms."""

import pytest
import torch
from scipy import stats as scipy_stats

from ddpm_lib.metrics import frechet_distance, kernel_distance, precision_recall, sliced_wasserstein

A = torch.randn(4000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
B = torch.randn(4000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
FAR = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64)


def test_frechet():
    assert frechet_distance(A, A) == pytest.approx(0, abs=1e-9)
    # Same shape, moved: the squared distance of the means. Scaled by 3: tr (1 − 3)² I.
    assert frechet_distance(A, A + FAR) == pytest.approx(4)
    centred = A - A.mean(0)
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * torch.cov(A.T).trace().item())


def test_kernel_is_unbiased_and_sees_a_shift():
    small = [kernel_distance(A[i : i + 200], B[i : i + 200]) for i in range(0, 4000, 200)]
    assert abs(sum(small) / 20) < 0.05
    assert kernel_distance(A[:1000], B[:1000] + FAR) > 1


def test_precision_and_recall():
    real = A[:1000]
    assert precision_recall(real, real) == (1.0, 1.0)
    one_side = B[:2000][B[:2000, 0] > 0][:800]
    precision, recall = precision_recall(real, one_side)
    assert precision > 0.8 and recall < 0.75
    assert precision_recall(real, B[:1000] + 20) == (0.0, 0.0)


def test_sliced_wasserstein():
    draws = torch.Generator().manual_seed(0)
    assert sliced_wasserstein(A, A, generator=draws) == 0
    # In one dimension a shift by 2 costs 2; over random directions in three, its mean |cos| = 1/2.
    assert sliced_wasserstein(A[:, :1], A[:, :1] + 2, generator=draws) == pytest.approx(2)
    assert sliced_wasserstein(A, A + FAR, directions=5000, generator=draws) == pytest.approx(1, abs=0.03)


def test_sliced_wasserstein_is_exact_in_one_dimension():
    column = lambda *values: torch.tensor(values, dtype=torch.float64)[:, None]  # noqa: E731
    assert sliced_wasserstein(column(*[0] * 9, 10), column(*[0] * 10)) == pytest.approx(1.0)
    assert sliced_wasserstein(column(0, 1), column(0, 0.5, 1)) == pytest.approx(1 / 6)
    for n, m in ((7, 13), (250, 1000), (10, 10)):
        a, b = A[:n, :1], B[:m, :1] * 1.3
        expected = scipy_stats.wasserstein_distance(a.flatten().numpy(), b.flatten().numpy())
        assert sliced_wasserstein(a, b, directions=3) == pytest.approx(expected, rel=1e-12)


METRICS = [frechet_distance, kernel_distance, precision_recall, sliced_wasserstein]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(metric, wrong):
    bad = A[:50].clone()
    bad[[3, 7], 1] = wrong
    with pytest.raises(ValueError, match="2 of 50 generated samples hold values that are not finite"):
        metric(A[:50], bad)
    with pytest.raises(ValueError, match="2 of 50 real samples"):
        metric(bad, A[:50])


@pytest.mark.parametrize("metric", METRICS)
def test_one_sample_is_too_few(metric):
    with pytest.raises(ValueError, match="two samples or more"):
        metric(A[:50], A[:1])


@pytest.mark.parametrize("metric", METRICS)
def test_arrays_are_taken_as_tensors_are(metric):
    a, b = A[:60], B[:60]
    draws = {"generator": torch.Generator().manual_seed(0)} if metric is sliced_wasserstein else {}
    found = metric(a.numpy(), b.numpy(), **draws)
    assert found == metric(a, b, **({"generator": draws["generator"].manual_seed(0)} if draws else {}))


@pytest.mark.parametrize("metric", [frechet_distance, kernel_distance, precision_recall, sliced_wasserstein])
def test_shapes_are_checked(metric):
    with pytest.raises(ValueError, match="rows of features"):
        metric(A, A[:, :2])
