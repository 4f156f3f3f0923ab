"""DDPM on one page: the class that chapters 2 to 5 grow, and the smallest network that fits it.

Here arrays have T entries and t counts from 0, as in most code: t == 0 is data noised
once, the paper's t = 1. The rest of the library counts as the paper does.
"""

import torch
from torch import nn


class SimpleDiffusion:
    """The forward process, the loss and the sampler of Ho et al. 2020, for a network that predicts the noise.

    The variance of a reverse step, sigma² in step_back, is the posterior's, beta_t (1 − alpha_bar_{t−1}) /
    (1 − alpha_bar_t): one of the paper's two choices (section 3.2). For its CIFAR-10 samples the paper's own code took
    the other, beta_t. In the rest of this library: sample_ddpm(…, variance="posterior") and "beta".
    """

    def __init__(self, num_steps=1000, beta_start=1e-4, beta_end=0.02):
        self.num_steps = num_steps
        self.beta = torch.linspace(beta_start, beta_end, num_steps, dtype=torch.float64)
        self.alpha = 1 - self.beta
        self.alpha_bar = self.alpha.cumprod(0)

    def _at(self, table, t, x):
        """table[t] next to the data: on its device, in its dtype, shaped (batch, 1, ..., 1)."""
        values = table[torch.as_tensor(t).cpu()].to(x.device, x.dtype)
        return values.reshape(-1, *[1] * (x.ndim - 1))

    def forward_diffusion(self, x0, t):
        """x0: (batch, ...), t: (batch,) in 0..num_steps-1. Returns x_t and the noise in it (eq. 4)."""
        noise = torch.randn_like(x0)
        alpha_bar = self._at(self.alpha_bar, t, x0)
        xt = alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise
        return xt, noise

    def training_step(self, model, x0):
        """The loss at random times: mean squared error of the predicted noise (Algorithm 1)."""
        t = torch.randint(self.num_steps, (len(x0),), device=x0.device)
        xt, noise = self.forward_diffusion(x0, t)
        return (model(xt, t) - noise).square().mean()

    @torch.no_grad()
    def sample(self, model, shape, device=None):
        """From pure noise to samples of the given shape, on the model's device (Algorithm 2)."""
        if device is None:
            weights = getattr(model, "parameters", lambda: iter(()))()
            device = next((w.device for w in weights), "cpu")
        x = torch.randn(shape, device=device)
        for t in reversed(range(self.num_steps)):
            times = torch.full((shape[0],), t, device=device)
            x = self.step_back(x, model(x, times), t)
        return x

    def step_back(self, x, eps, t):
        """x_{t-1} from x_t and the predicted noise (eq. 11); fresh noise at every step but the last."""
        beta, alpha, alpha_bar = (self._at(a, t, x) for a in (self.beta, self.alpha, self.alpha_bar))
        mean = (x - beta / (1 - alpha_bar).sqrt() * eps) / alpha.sqrt()
        if t == 0:
            return mean
        before = self._at(self.alpha_bar, t - 1, x)
        sigma = (beta * (1 - before) / (1 - alpha_bar)).sqrt()
        return mean + sigma * torch.randn_like(x)


class SimpleNoisePredictor(nn.Module):
    """Three convolutions that are told the time: it learns, slowly, and shows what a U-Net is for.

    Takes images (batch, channels, height, width) and t (batch,); returns the noise it sees. The time enters as one
    bare number, t / 1000, which is a poor input: it hardly tells two neighbouring times apart. Good enough here, where
    two linear layers see nothing else; the networks of models/ get sines and cosines of it (layers.time_features).
    """

    def __init__(self, channels=3, dim=64):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(1, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.first = nn.Conv2d(channels, dim, 3, padding=1)
        self.second = nn.Conv2d(dim, dim, 3, padding=1)
        self.last = nn.Conv2d(dim, channels, 3, padding=1)

    def forward(self, xt, t):
        # The time goes in before the second convolution: added after the last, it could only tint the image.
        time = (t.float() / 1000).to(xt.dtype)
        time = self.time(time[:, None])[:, :, None, None]
        h = nn.functional.silu(self.first(xt) + time)
        h = nn.functional.silu(self.second(h))
        return self.last(h)
