"""Networks: each maps a noisy sample and its time to a prediction, and knows nothing else of diffusion."""

from ..simple import SimpleNoisePredictor
from .classifier import Classifier, DigitClassifier
from .mlp import MLP
from .unet import UNet

__all__ = ["MLP", "Classifier", "DigitClassifier", "SimpleNoisePredictor", "UNet"]
