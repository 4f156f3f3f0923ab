"""Latents of unit size: the scaling factor is measured, and pictures come back as before."""

import pytest
import torch

from ddpm_lib.latents import autoencoder_loss, decode, edge_error, encode, psnr, settle_scale
from ddpm_lib.models.latent import ImageAutoencoder
from ddpm_lib.painting import painting


@pytest.fixture
def network():
    torch.manual_seed(0)
    return ImageAutoencoder(widths=(8, 8), latent_channels=3, groups=4, side=16).eval()


@pytest.fixture(scope="module")
def images():
    whole = painting(64)
    return whole.reshape(3, 4, 16, 4, 16).permute(1, 3, 0, 2, 4).reshape(16, 3, 16, 16).contiguous()


def test_latents_are_half_as_high_and_as_wide(network, images):
    seen, mean, logvar = network(images)
    assert seen.shape == images.shape and mean.shape == logvar.shape == (16, 3, 8, 8)


@torch.no_grad()
def test_settling_makes_unit_channels_and_changes_no_picture(network, images):
    coder = network.coder
    with torch.random.fork_rng():
        coder.quant_conv.weight *= torch.tensor([1.0, 3.0, 0.2, 1, 1, 1])[:, None, None, None]
    before, spread = decode(coder, encode(coder, images)), coder.encode(images).latent_dist.std
    found = settle_scale(coder, images)
    z = encode(coder, images)
    assert torch.allclose(z.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(z.std((0, 2, 3)), torch.ones(3), atol=1e-4)
    assert coder.config.scaling_factor == pytest.approx(found["scaling_factor"]) and found["scaling_factor"] != 1
    assert torch.allclose(decode(coder, z), before, atol=1e-4)
    # A drawn latent is as far from its mean as before, measured in the channel's own spread.
    again = coder.encode(images).latent_dist.std * found["scaling_factor"]
    assert torch.allclose(again, spread / torch.tensor(found["std"])[None, :, None, None], rtol=1e-3)


def test_the_loss_sees_blur_that_pixels_alone_hardly_do():
    sharp = torch.ones(1, 3, 16, 16)
    sharp[..., ::4] = -1
    grey = torch.full_like(sharp, float(sharp.mean()))
    shifted = sharp + (grey - sharp).abs().mean()
    assert edge_error(shifted, sharp) < 1e-6 < edge_error(grey, sharp)
    assert (shifted - sharp).abs().mean() == pytest.approx(float((grey - sharp).abs().mean()), rel=1e-5)


def test_the_autoencoder_learns(network, images):
    network.train()
    adam = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        loss = autoencoder_loss(network, None, images)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.75 * sum(losses[:5])


def test_psnr_is_twenty_decibels_at_a_tenth_of_the_range():
    a = torch.zeros(1, 3, 4, 4)
    assert psnr(a, a + 0.2) == pytest.approx(20)
