"""The mathematics on Apple's MPS, which has no float64: no Mac is needed (apple.py)."""

import pytest
import torch

from ddpm_lib import (
    Denoiser,
    ExactDenoiser,
    GaussianMixture,
    add_noise,
    clip,
    guide,
    last,
    linear_schedule,
    posterior,
    sample_ddim,
    sample_ddpm,
    sample_dpmpp,
    sample_heun,
    score,
)
from ddpm_lib.denoisers import target_for
from ddpm_lib.evaluate import views
from ddpm_lib.exact import doubt
from ddpm_lib.losses import bits_per_dim, min_snr_weight, weighted_loss
from ddpm_lib.metrics import frechet_distance, kernel_distance, precision_recall, sliced_wasserstein
from ddpm_lib.models.layers import time_features
from ddpm_lib.simple import SimpleDiffusion
from ddpm_lib.two_samples import energy_distance
from tests.apple import MPS, Apple

SCHEDULE = linear_schedule()
BLOTS = GaussianMixture(torch.tensor([[0.5, 0.0], [-0.5, 0.5]]), 0.3)
EXACT = ExactDenoiser(BLOTS, SCHEDULE)
NETWORK = Denoiser(lambda xt, t: 0.1 * xt, SCHEDULE)
X = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
T = torch.tensor([1, 10, 500, 1000])
GRID = SCHEDULE.logsnr_times(5)


def seeded():
    return torch.Generator().manual_seed(1)


def agreement(x):
    """Share of two points that a judge of two classes, by the sign of the first number, sees as the second class."""
    return torch.tensor(views.agreement(lambda x: torch.stack([x[:, 0], -x[:, 0]], 1), x, torch.ones(4).long()))


CASES = {
    "add_noise": lambda x: add_noise(SCHEDULE, x, T, 0.5 * x),
    "posterior": lambda x: posterior(SCHEDULE, x, 0.5 * x, T, T - 1)[0],
    "posterior of ints": lambda x: posterior(SCHEDULE, x, 0.5 * x, 500, 400)[1],
    "denoiser": lambda x: NETWORK(x, T.to(x.device)).x0,
    "clip": lambda x: clip(NETWORK)(x, 500).eps,
    "guide": lambda x: guide(NETWORK, EXACT, 2.0)(x, 500).x0,
    "score": lambda x: score(NETWORK, x, 5),
    "exact": lambda x: EXACT(x, 500).x0,
    "exact at many times": lambda x: EXACT(x, T).eps,
    "responsibilities": lambda x: EXACT.responsibilities(x, 500),
    "log_density": lambda x: BLOTS.log_density(x),
    "doubt": lambda x: doubt(EXACT, x, 500),
    "sample of means there": lambda x: GaussianMixture(x, 0.1).sample(5, seeded()),
    "marginal of means there": lambda x: GaussianMixture(x, 0.1).at(SCHEDULE, 10).sample(5, seeded()),
    "exact of means there": lambda x: ExactDenoiser(x, SCHEDULE)(0.5 * x, 700).x0,
    "ddpm": lambda x: last(sample_ddpm(EXACT, SCHEDULE, x, GRID, generator=seeded())).x,
    "ddpm, beta": lambda x: last(sample_ddpm(EXACT, SCHEDULE, x, GRID, variance="beta", generator=seeded())).x,
    "ddim": lambda x: last(sample_ddim(NETWORK, SCHEDULE, x, GRID, eta=0.5, generator=seeded())).x,
    "heun": lambda x: last(sample_heun(EXACT, SCHEDULE, x, GRID)).x,
    "dpmpp": lambda x: last(sample_dpmpp(NETWORK, SCHEDULE, x, GRID)).x,
    "target": lambda x: target_for("v", SCHEDULE, x, x, T),
    "loss": lambda x: weighted_loss(lambda x, t: x, SCHEDULE, x, min_snr_weight(SCHEDULE), generator=seeded()),
    "bits": lambda x: bits_per_dim(NETWORK, SCHEDULE, x, num_times=5, generator=seeded()),
    "time features": lambda x: time_features(T.to(x.device), 8),
    "SimpleDiffusion": lambda x: SimpleDiffusion().step_back(x, 0.5 * x, 0),
    "frechet": lambda x: torch.tensor(frechet_distance(x, 2 * x)),
    "kernel": lambda x: torch.tensor(kernel_distance(x, 2 * x)),
    "recall": lambda x: torch.tensor(precision_recall(x, 2 * x)),
    "sliced": lambda x: torch.tensor(sliced_wasserstein(x, 2 * x, generator=seeded())),
    "energy": lambda x: torch.tensor(energy_distance(x, 2 * x)),
    "agreement": agreement,
}  # fmt: skip


def test_the_simulated_device_refuses_what_apples_does():
    with Apple():
        x = X.to("mps")
        assert x.device == MPS and (x + 1).device == MPS and x.cpu().device.type == "cpu"
        with pytest.raises(TypeError, match="doesn't support float64"):
            x.double()
        with pytest.raises(RuntimeError, match="same device"):
            x + X
        assert (x * torch.tensor(2.0, dtype=torch.float64)).dtype == torch.float32, "single numbers may come along"


@pytest.mark.parametrize("name", CASES)
def test_the_same_numbers_come_out_there(name):
    expected = CASES[name](X)
    with Apple():
        found = CASES[name](X.to("mps")).cpu().as_subclass(torch.Tensor)
    torch.testing.assert_close(found, expected)
