"""The one-page class equals the library, number for number, and runs wherever its data is."""

from pathlib import Path

import pytest
import torch

import ddpm_lib
from ddpm_lib import Denoiser, SimpleDiffusion, last, linear_schedule, sample_ddpm, simple_loss
from ddpm_lib.simple import SimpleNoisePredictor

SCHEDULE, SIMPLE = linear_schedule(), SimpleDiffusion()
X0 = torch.randn(6, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def network(x, t):
    return torch.tanh(x) * (0.5 + t.reshape(-1, 1, 1, 1) / 2000)


def shifted(x, t):
    """The same network told the paper's t (1..T) instead of the array index (0..T−1)."""
    return network(x, t - 1)


def test_tables():
    for name in ("beta", "alpha", "alpha_bar"):
        torch.testing.assert_close(getattr(SIMPLE, name), getattr(SCHEDULE, name)[1:], rtol=1e-12, atol=0)


def test_forward_diffusion_is_add_noise():
    t = torch.tensor([0, 1, 10, 500, 998, 999])
    xt, noise = SIMPLE.forward_diffusion(X0, t)
    torch.testing.assert_close(xt, ddpm_lib.add_noise(SCHEDULE, X0, t + 1, noise), rtol=1e-12, atol=1e-12)


def test_training_step_is_simple_loss():
    torch.manual_seed(3)
    ours = SIMPLE.training_step(network, X0)
    torch.manual_seed(3)
    t = torch.randint(1000, (6,))
    eps = torch.randn_like(X0)
    torch.testing.assert_close(
        ours, simple_loss(shifted, SCHEDULE, X0, t=t + 1, eps=eps).to(ours), rtol=1e-6, atol=1e-7
    )


def test_sample_is_sample_ddpm():
    torch.manual_seed(5)
    start = torch.randn(3, 1, 8, 8)
    theirs = last(sample_ddpm(Denoiser(shifted, SCHEDULE), SCHEDULE, start, generator=None)).x
    torch.manual_seed(5)
    ours = SIMPLE.sample(network, (3, 1, 8, 8))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


def test_the_predictor_learns_and_is_told_the_time():
    torch.manual_seed(0)
    model = SimpleNoisePredictor(channels=1, dim=16)
    images = torch.full((32, 1, 8, 8), 0.8)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(150):
        loss = SIMPLE.training_step(model, images)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) < 0.4 * sum(losses[:20])
    x = torch.randn(1, 1, 8, 8)
    assert not torch.allclose(model(x, torch.tensor([5])), model(x, torch.tensor([900])))


def test_sample_follows_the_models_device_and_shape():
    model = SimpleNoisePredictor(channels=1, dim=8).to("meta")
    few = SimpleDiffusion(num_steps=3)
    assert few.sample(model, (2, 1, 8, 8)).device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    model = SimpleNoisePredictor(channels=1, dim=8).cuda()
    assert SIMPLE.training_step(model, torch.rand(4, 1, 8, 8, device="cuda")).is_cuda
    assert SimpleDiffusion(num_steps=5).sample(model, (2, 1, 8, 8)).is_cuda


def test_it_stays_on_one_page():
    assert len(Path(ddpm_lib.simple.__file__).read_text().splitlines()) <= 100
