"""Networks: they map a noisy sample and its time to a prediction, and know nothing of diffusion."""
from .unet import UNet
