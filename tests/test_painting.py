"""The book's own pictures: the same at every size, and each another."""

import pytest
import torch

from ddpm_lib.painting import painting, paintings


def test_a_painting_is_one_picture_at_every_size():
    large, small = painting(96), painting(32)
    assert large.shape == (3, 96, 96) and large.dtype == torch.float32
    assert torch.equal(large, painting(96))
    assert large.min() >= -1 and large.max() <= 1 and large.std() > 0.3
    shrunk = torch.nn.functional.avg_pool2d(large, 3)
    assert torch.corrcoef(torch.stack([shrunk.flatten(), small.flatten()]))[0, 1] > 0.97
    assert not torch.equal(painting(32, seed=1), small)


def test_paintings_differ_and_the_first_is_the_books():
    many = paintings(6, 32)
    assert many.shape == (6, 3, 32, 32) and torch.equal(many[0], painting(32))
    apart = torch.cdist(many.flatten(1), many.flatten(1)) + 1e3 * torch.eye(6)
    assert apart.min() > 5
    with pytest.raises(ValueError, match="at least 8 pixels"):
        painting(4)
