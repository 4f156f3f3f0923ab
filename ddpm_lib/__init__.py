"""The code behind the book. Read the modules in this order.

schedules   how much signal and how much noise at each time
noising     the two Gaussians of DDPM: noise added, and the step back
denoisers   one view of every model: guess the clean data and the noise
guidance    steering towards a label
samplers    from noise to data, step by step
losses      what training minimises
training    the training loop; seeding: its randomness, kept apart from the caller's
models/     the networks
data, metrics, plots, widgets/   what goes in, how good it is, how it looks
exact, two_samples               known data: the least loss, the entropy; can two samples be told apart
examples    what a network saw and said, digits under guidance: for the figures
checkpoints, recipes             what ships, and how it was made
simple      all of DDPM on one page
words, latents, attention        text to image: tokens, the autoencoder's numbers, which word is heard where
stable_diffusion                 pipelines in diffusers' format: found, loaded, driven by the samplers above
text_recipes, word_judge         how the book's own was trained, and who judges it

Here only the maths is imported; everything else by its module:
from ddpm_lib.training import train. Importing this needs torch alone.
"""

from importlib.metadata import PackageNotFoundError, version

from ._torchvision import install as _install
from .denoisers import Denoiser, ExactDenoiser, GaussianMixture, Guess, clip, score
from .guidance import guide
from .losses import bits_per_dim, simple_loss, weighted_loss
from .noising import add_noise, posterior
from .samplers import Step, last, sample_ddim, sample_ddpm, sample_dpmpp, sample_heun, trajectory
from .schedules import Schedule, cosine_schedule, linear_schedule, scaled_linear_schedule
from .simple import SimpleDiffusion

_install()

try:
    __version__ = version("ddpm_lib")
except PackageNotFoundError:  # a copy of the folder, never installed
    __version__ = "unknown"
__all__ = [
    "Denoiser", "ExactDenoiser", "GaussianMixture", "Guess", "Schedule", "SimpleDiffusion", "Step",
    "add_noise", "bits_per_dim", "clip", "cosine_schedule", "guide", "last", "linear_schedule", "posterior",
    "sample_ddim", "sample_ddpm", "sample_dpmpp", "sample_heun", "scaled_linear_schedule", "score",
    "simple_loss", "trajectory", "weighted_loss",
]  # fmt: skip
