"""Whatever draws takes a generator of a GPU, and draws there: a generator serves no other device."""

import pytest
import torch
from torch.overrides import TorchFunctionMode

from ddpm_lib import Denoiser, GaussianMixture, bits_per_dim, data, linear_schedule, simple_loss
from ddpm_lib.metrics import sliced_wasserstein
from ddpm_lib.noising import noise_like
from ddpm_lib.two_samples import energy_test

SCHEDULE = linear_schedule()
X = torch.linspace(-1, 1, 12).reshape(6, 2)
DRAWS = {
    "noise_like": lambda g: noise_like(X, g),
    "simple_loss": lambda g: simple_loss(lambda x, t: x, SCHEDULE, X, generator=g),
    "bits": lambda g: bits_per_dim(Denoiser(lambda x, t: x, SCHEDULE), SCHEDULE, X, num_times=3, generator=g),
    "mixture": lambda g: GaussianMixture(X, 0.1).sample(5, g),
    "sliced": lambda g: torch.tensor(sliced_wasserstein(X, 2 * X, generator=g)),
    "energy": lambda g: torch.tensor(energy_test(X, 2 * X, 9, generator=g).p),
    **{name: lambda g, f=f: f(5, generator=g) for name, f in vars(data.points).items()
       if name in ("spiral", "moons", "ring", "checkerboard")},
}  # fmt: skip


class Elsewhere(TorchFunctionMode):
    """A generator of a device that is not here: what draws with it must say that device, and then gets CPU numbers."""

    def __init__(self, generator):
        super().__init__()
        self.generator, self.drawn = generator, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if kwargs.get("generator") is self.generator:
            assert func is torch.multinomial or str(kwargs.pop("device", "cpu")) == "meta", f"{func.__name__} elsewhere"
            kwargs["generator"], self.drawn = torch.Generator().manual_seed(0), self.drawn + 1
        elif "device" in kwargs and str(kwargs["device"]) == "meta":
            kwargs["device"] = "cpu"
        elif getattr(func, "__name__", "") == "to" and any(str(x) == "meta" for x in args[1:]):
            return args[0]
        return func(*args, **kwargs)


class Generator(torch.Generator):
    device = torch.device("meta")  # in place of "cuda"


@pytest.mark.parametrize("name", DRAWS)
def test_it_draws_where_the_generator_lives(name):
    with Elsewhere(Generator()) as mode:
        found = DRAWS[name](mode.generator)
    assert mode.drawn and found.device.type == "cpu" and found.isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", DRAWS)
def test_it_draws_on_a_gpu(name):
    found = [DRAWS[name](torch.Generator("cuda").manual_seed(0)) for _ in range(2)]
    assert torch.equal(*found) and found[0].isfinite().all()
