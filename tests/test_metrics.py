"""Metrics against closed forms."""

import pytest
import torch

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


@pytest.mark.parametrize("metric", [frechet_distance, kernel_distance, precision_recall, sliced_wasserstein])
def test_shapes_are_checked(metric):
    with pytest.raises(ValueError, match="rows of features"):
        metric(A, A[:, :2])
