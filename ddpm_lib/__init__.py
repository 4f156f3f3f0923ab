"""The code behind the book."""
from ._torchvision import install
install()
