"""How good a model is, measured: python -m ddpm_lib.evaluate digits.

Writes weights/NAME.json: every number with its sample count, seeds and spread, beside the same number for real
images (the floor), with the command, the commit, the hardware and the seconds that made it. Distances are taken in
the features of the book's own classifiers (judges.py): they are not Inception-FID and compare with nobody else's
numbers. With --features inception they are taken in Inception's, and go to NAME-inception.json.
"""

from .parts import seconds_per_image, spread
from .sampling import Setting, sample_images, samplers
from .study import PARTS, evaluate
from .views import agreement, agreements, features

__all__ = ["PARTS", "Setting", "agreement", "agreements", "evaluate", "features", "sample_images", "samplers",
           "seconds_per_image", "spread"]  # fmt: skip
