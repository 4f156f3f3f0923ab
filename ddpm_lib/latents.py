"""From pictures to latents: what the autoencoder is trained by, and how its latents are brought to unit size."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EDGES = 1.0  # of the loss: how much the differences of neighbouring pixels count beside the pixels
KL = 1e-3
AT_ONCE = 64 * 64 * 64  # pixels that go through the autoencoder together, so that large pictures fit too


def autoencoder_loss(model: nn.Module, schedule, x0: Tensor, *, label=None) -> Tensor:
    """|x − x̂| of the pixels and of their edges, and a little KL(q(z|x) ‖ N(0, I)): means over all numbers.

    model: a models.ImageAutoencoder. schedule, label: not used; training hands them to every loss. The KL keeps the
    latents from spreading without end; at this weight it hardly blurs (Rombach et al. 2022, appendix G).
    """
    seen, mean, logvar = model(x0)
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return (seen - x0).abs().mean() + EDGES * edge_error(seen, x0) + KL * kl


def edge_error(a: Tensor, b: Tensor) -> Tensor:
    """Mean |difference| of the steps from each pixel to its right and its lower neighbour: blur has weak steps."""
    error = a - b
    return 0.5 * (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean())


@torch.no_grad()
def encode(coder: nn.Module, images: Tensor) -> Tensor:
    """(N, channels, h, w) latents: the mean of each picture's Gaussian, times the coder's scaling factor.

    coder: diffusers' AutoencoderKL; images: (N, 3, side, side) in [−1, 1]. Large pictures go one by one.
    """
    batch_size = max(1, AT_ONCE // images[0, 0].numel())
    like = next(coder.parameters())  # on a GPU in half precision, elsewhere in single
    parts = [coder.encode(x.to(like)).latent_dist.mean.float().cpu() for x in images.split(batch_size)]
    return torch.cat(parts) * coder.config.scaling_factor


@torch.no_grad()
def decode(coder: nn.Module, latents: Tensor) -> Tensor:
    """(N, 3, side, side) pictures in [−1, 1] from latents as encode gives them."""
    shrunk = 4 ** (len(coder.config.block_out_channels) - 1)  # pixels for each position of a latent
    batch_size = max(1, AT_ONCE // (latents[0, 0].numel() * shrunk))
    like, scaled = next(coder.parameters()), latents / coder.config.scaling_factor
    return torch.cat([coder.decode(z.to(like)).sample.float().cpu() for z in scaled.split(batch_size)]).clamp(-1, 1)


@torch.no_grad()
def settle_scale(coder: nn.Module, images: Tensor) -> dict:
    """Make the latents of `images` zero-mean with equal channels, and set the scaling factor; what was found.

    Stable Diffusion multiplies its latents by one number, 0.18215, one over their standard deviation. Channels of
    unequal spread would still reach the denoiser unequal, so the coder's last and first 1 × 1 convolutions take the
    difference up: z'_c = (z_c − mean_c) · σ / σ_c before, its inverse after, with σ² the mean of all σ_c². One
    number is left, 1/σ, and pictures come back as before.
    """
    raw = encode(coder, images) / coder.config.scaling_factor
    mean, std = raw.mean((0, 2, 3)), raw.std((0, 2, 3))
    pooled = std.square().mean().sqrt()
    gain = pooled / std
    first, last = coder.post_quant_conv, coder.quant_conv
    channels = len(mean)
    # In: z = mean + z' / gain.
    first.bias += F.conv2d(mean[None, :, None, None].to(first.weight), first.weight).flatten()
    first.weight /= gain[None, :, None, None].to(first.weight)
    # Out: the first half of the channels are the mean of the latent's Gaussian, the second its log-variance.
    last.weight[:channels] *= gain[:, None, None, None].to(last.weight)
    last.bias[:channels] = (last.bias[:channels] - mean.to(last.bias)) * gain.to(last.bias)
    last.bias[channels:] += 2 * gain.log().to(last.bias)
    coder.register_to_config(scaling_factor=float(1 / pooled))
    return {"mean": mean.tolist(), "std": std.tolist(), "scaling_factor": float(1 / pooled)}


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [−1, 1]: 10 log₁₀(4 / mean squared error)."""
    return float(10 * torch.log10(4 / (a - b).square().mean()))
