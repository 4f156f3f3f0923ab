"""Small data sets: points in the plane, digits, images. Everything is scaled to about [−1, 1]."""

from .batches import loader
from .digits import load_digits, load_fashion
from .folders import load_images
from .points import checkerboard, moons, ring, spiral
from .sheets import faces_and_flags, load_cifar10, load_emoji

__all__ = ["checkerboard", "faces_and_flags", "load_cifar10", "load_digits", "load_emoji", "load_fashion",
           "load_images", "loader", "moons", "ring", "spiral"]  # fmt: skip
