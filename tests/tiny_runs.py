"""A tiny recipe for the tests of runs, and networks that get into trouble at a chosen step."""

import dataclasses
import os
from functools import partial

import torch

from ddpm_lib import linear_schedule
from ddpm_lib.models import UNet
from ddpm_lib.recipes import Recipe
from ddpm_lib.run_ends import exit_code
from ddpm_lib.run_state import read_state, states
from ddpm_lib.runs import run


def pictures(root, train):
    """Images with two labels each."""
    generator = torch.Generator().manual_seed(int(train))
    images = torch.rand(40, 1, 8, 8, generator=generator) * 2 - 1
    return images, torch.randint(3, (40, 2), generator=generator)


class Trouble:
    """A network that does `what` in the forward pass of one step; before and after it is like any other."""

    def __init__(self, what=None, at_call=None):
        self.what, self.at_call, self.calls, self.__name__ = what, at_call, 0, "tiny_unet"

    def __call__(self):
        model = UNet(1, 8, (1, 2), 1, attention_levels=(), dropout=0.2, num_classes=(3, 3))
        model.register_forward_hook(self.hook)
        return model

    def hook(self, module, inputs, output):
        self.calls += module.training
        return self.what(output) if self.calls == self.at_call and module.training else None


TINY = Recipe("tiny", pictures, Trouble(), linear_schedule, num_steps=8, batch_size=10, lr=1e-2, warmup=3,
              label_dropout=0.4, flip=True)  # fmt: skip
quick = partial(run, pictures=False, precision="no", every=3)


def with_trouble(what, at_call):
    """TINY with that trouble; a run does not see that it is another recipe."""
    return dataclasses.replace(TINY, model=Trouble(what, at_call))


def send(number):
    """Trouble: this signal."""
    return lambda output: os.kill(os.getpid(), number)


def average(out):
    """All numbers of the average in the newest state of TINY's run in `out`, as one tensor."""
    tensors = read_state(states(out / "tiny.run")[0]).tensors
    return torch.cat([value.flatten() for name, value in sorted(tensors.items()) if name.startswith("ema.")])


def ends(recipe, out, **more):
    """The exit code of a quick run."""
    return exit_code(partial(quick, recipe, out, **more))
