"""Shuffled batches of tensors, in an order that can be found again."""

import random
from collections.abc import Iterator

import torch
from torch import Tensor


class Batches:
    """Shuffled batches of tensors of equal length, by index: they may live on a GPU, and stay there.

    The order of an epoch depends on the seed and the epoch's number alone, so that a run can be resumed at any
    batch (start_at). Each iteration is the next epoch; a last smaller batch is dropped. Where several processes
    train together, each gets its own rows of every batch. The first tensor may hold bytes (uint8, 0..255), a quarter
    of the memory: they come out as floats in [−1, 1].
    """

    def __init__(self, tensors: tuple[Tensor, ...], batch_size: int, seed: int, flip: bool):
        self.tensors, self.batch_size, self.seed, self.flip = tensors, batch_size, seed, flip
        self.epoch, self.skip = 0, 0

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.tensors[0]) // self.batch_size

    def start_at(self, batch: int) -> None:
        """Let the next iteration begin where `batch` batches, of all epochs, have been given."""
        self.epoch, self.skip = divmod(batch, len(self))

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        rows = self._own_rows()
        (order, mirrored), first = self._shuffle(self.epoch), self.skip
        self.epoch, self.skip = self.epoch + 1, 0
        for i in range(first, len(self)):
            mine = slice(i * self.batch_size + rows.start, (i + 1) * self.batch_size, rows.step)
            x, *rest = (tensor[order[mine].to(tensor.device)] for tensor in self.tensors)
            x = to_floats(x)
            if self.flip:
                mirror = mirrored[mine].to(x.device).reshape(-1, *[1] * (x.ndim - 1))
                x = torch.where(mirror, x.flip(-1), x)
            yield x, *rest

    def _shuffle(self, epoch: int) -> tuple[Tensor, Tensor]:
        """The order of all samples in this epoch, and which of them are mirrored."""
        generator = torch.Generator().manual_seed(random.Random(f"{self.seed} {epoch}").getrandbits(32))
        count = len(self.tensors[0])
        return torch.randperm(count, generator=generator), torch.rand(count, generator=generator) < 0.5

    def _own_rows(self) -> slice:
        spread = torch.distributed.is_available() and torch.distributed.is_initialized()
        process, count = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if spread else (0, 1)
        if self.batch_size % count:
            raise ValueError(f"a batch of {self.batch_size} cannot be shared evenly by {count} processes.")
        return slice(process, None, count)


def to_floats(x: Tensor) -> Tensor:
    """Bytes 0..255 as floats in [−1, 1]; what is not uint8 comes back as it is."""
    return x.float().div_(127.5).sub_(1) if x.dtype == torch.uint8 else x


def loader(*tensors: Tensor, batch_size: int = 64, seed: int = 0, flip: bool = False) -> Batches:
    """Shuffled batches of the given tensors (images, or images and labels); a last smaller batch is dropped.

    Each batch is a tuple with one part of every tensor; images of bytes (uint8) come out as floats in [−1, 1].
    flip: mirror half of the images, left to right. Unlike torch's DataLoader it drops what is left over at the end of
    an epoch, less than a batch and other samples each time, so that every batch weighs the same; to measure on all of
    the data take tensor.split(batch_size). Raises ValueError for tensors of different lengths or less than a batch.
    """
    counts = [len(tensor) for tensor in tensors]
    if len(set(counts)) > 1:
        raise ValueError(f"every image needs its label: the tensors hold {' and '.join(map(str, counts))} samples.")
    if counts[0] < batch_size:
        raise ValueError(f"a batch of {batch_size} needs at least as many samples, got {counts[0]}; lower batch_size.")
    return Batches(tensors, batch_size, seed, flip)
