"""Batches: every sample once an epoch, in an order that can be found again."""

import pytest
import torch

from ddpm_lib.data import loader

NUMBERS = torch.arange(50.0)[:, None]


def rows(batches):
    return [x[:, 0].tolist() for (x,) in batches]


def test_every_sample_once_an_epoch_and_shuffled():
    batches = loader(NUMBERS, batch_size=10, seed=1)
    first, second = rows(batches), rows(batches)
    assert len(batches) == len(first) == 5
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == NUMBERS[:, 0].tolist()
    assert first != second and sum(first, []) != NUMBERS[:, 0].tolist()


def test_the_order_depends_on_the_seed_alone():
    assert rows(loader(NUMBERS, batch_size=10, seed=1)) == rows(loader(NUMBERS, batch_size=10, seed=1))
    assert rows(loader(NUMBERS, batch_size=10, seed=1)) != rows(loader(NUMBERS, batch_size=10, seed=2))


def test_a_last_smaller_batch_is_dropped():
    assert [len(x) for (x,) in loader(NUMBERS, batch_size=20)] == [20, 20]


@pytest.mark.parametrize("batch", [0, 3, 5, 7, 12])
def test_start_anywhere(batch):
    straight = loader(NUMBERS, batch_size=10, seed=4)
    later = loader(NUMBERS, batch_size=10, seed=4)
    later.start_at(batch)
    assert (rows(straight) + rows(straight) + rows(straight))[batch:] == (rows(later) + rows(later) + rows(later))[
        : 15 - batch
    ]


def test_labels_stay_with_their_images():
    for x, label in loader(NUMBERS, torch.arange(50), batch_size=10):
        assert torch.equal(x[:, 0].long(), label)


def test_half_of_the_images_are_mirrored():
    images = torch.tensor([[-1.0, 1.0]]).repeat(400, 1)[:, None, None]
    (x,) = next(iter(loader(images, batch_size=400, flip=True)))
    mirrored = (x[:, 0, 0, 0] == 1).float().mean().item()
    assert 0.4 < mirrored < 0.6 and torch.equal(x[:, 0, 0, 0], -x[:, 0, 0, 1])
    (straight,) = next(iter(loader(images, batch_size=400)))
    assert torch.equal(straight, images)


def test_processes_share_a_batch(monkeypatch):
    (whole,) = rows(loader(NUMBERS, batch_size=50, seed=2))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    for process in (0, 1):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda process=process: process)
        assert rows(loader(NUMBERS, batch_size=50, seed=2)) == [whole[process::2]]
    with pytest.raises(ValueError, match="shared evenly"):
        next(iter(loader(NUMBERS, batch_size=5)))


def test_refusals():
    with pytest.raises(ValueError, match="at least as many samples"):
        loader(NUMBERS, batch_size=64)
    with pytest.raises(ValueError, match="50 and 49"):
        loader(NUMBERS, torch.arange(49), batch_size=10)
