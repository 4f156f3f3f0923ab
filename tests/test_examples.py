"""Examples for the figures: the terms of the loss one by one, the distance to the floor, guided digits."""

import pytest
import torch

from ddpm_lib import Denoiser, ExactDenoiser, GaussianMixture, add_noise, linear_schedule, simple_loss
from ddpm_lib.examples import examples_of, guided_grid, loss_examples

SCHEDULE = linear_schedule()
TWO = GaussianMixture(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), std=0.1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def shrinks(xt, t):
    return 0.5 * xt


def test_the_terms_are_those_of_the_loss():
    x0, times = torch.randn(3, 1, 4, 4, generator=seeded()), [1, 250, 1000]
    seen = loss_examples(shrinks, SCHEDULE, x0, times, generator=seeded(1))
    assert seen.times == times and seen.eps_guess.shape == (3, 3, 1, 4, 4) and seen.loss.shape == (3, 3)
    assert torch.equal(seen.eps, torch.randn(x0.shape, generator=seeded(1)))
    for k, t in enumerate(times):
        whole = simple_loss(shrinks, SCHEDULE, x0, t=torch.full((3,), t), eps=seen.eps)
        assert seen.loss[k].mean().item() == pytest.approx(whole.item(), rel=1e-5)
        signal, noise = seen.rates[k].float()
        assert torch.allclose(signal * x0 + noise * seen.eps, add_noise(SCHEDULE, x0, t, seen.eps), atol=1e-6)


def test_a_label_reaches_the_network_and_any_target_is_told_as_noise():
    x0, label, heard = torch.randn(2, 1, 4, 4, generator=seeded()), torch.tensor([7, 3]), []

    def model(xt, t, label):
        heard.append((t.tolist(), label.tolist()))
        return x0

    seen = loss_examples(model, SCHEDULE, x0, [400], label=label, predicts="x0", generator=seeded())
    assert heard == [([400, 400], [7, 3])]
    assert seen.loss.max() < 1e-10  # it said the data, which tells the noise


def test_a_denoiser_is_as_welcome_as_a_network():
    exact, x0 = ExactDenoiser(TWO, SCHEDULE), TWO.sample(5, seeded())
    mine = loss_examples(exact, SCHEDULE, x0, [10, 300], generator=seeded(2))
    network = loss_examples(lambda xt, t: exact(xt, t).eps, SCHEDULE, x0, [10, 300], generator=seeded(2))
    assert torch.allclose(mine.eps_guess, network.eps_guess) and 0 < mine.loss.mean() < 1


def test_several_are_asked_about_the_same():
    x0 = TWO.sample(5, seeded())
    asked = examples_of({"half": shrinks, "best": ExactDenoiser(TWO, SCHEDULE)}, SCHEDULE, x0, [10, 300], seed=3)
    half, best = asked["half"], asked["best"]
    assert torch.equal(half.eps, best.eps) and torch.equal(half.eps, torch.randn(5, 2, generator=seeded(3)))
    assert torch.equal(half.loss, loss_examples(shrinks, SCHEDULE, x0, [10, 300], generator=seeded(3)).loss)
    assert not torch.allclose(half.loss, best.loss)


def far(xt, t, label=None):
    """A network whose clean picture is (label + 1) / 10 everywhere, and 0 without a label."""
    aim = torch.zeros(len(xt)) if label is None else (label + 1) / 10
    return aim.reshape(-1, 1, 1, 1).expand_as(xt)


far.predicts = "x0"


def two_classes(images):
    mean = images.flatten(1).mean(1)
    return torch.stack([-mean, mean], 1) * 50


def test_guided_samples_stand_where_they_belong():
    grid = guided_grid(far, SCHEDULE, [1, 4], [0, 0.5, 1, 3], [0, 1, 2], judge=two_classes, shape=(1, 4, 4))
    assert grid.images.shape == (2, 4, 3, 1, 4, 4) and grid.judged.shape == (2, 4, 3, 2)
    wanted = torch.tensor([[0, 0.1, 0.2, 0.6], [0, 0.25, 0.5, 1.0]])  # 3 · 0.5 is clipped to 1
    assert torch.allclose(grid.images.flatten(2).mean(2), wanted, atol=1e-4)
    assert torch.allclose(grid.judged.sum(3), torch.ones(2, 4, 3))
    assert grid.judged[1, 2, 0].argmax() == 1 and grid.spread.max() < 1e-3


class Wiggly(torch.nn.Module):
    """Guesses clean data that depend on the start."""

    predicts = "x0"

    def __init__(self):
        super().__init__()
        self.calls, self.times = [], []
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, xt, t, label=None):
        self.calls.append((len(xt), label is not None))
        self.times.append(int(t[0]))
        push = 0 if label is None else 0.1 * label.reshape(-1, 1, 1, 1)
        return torch.tanh(xt + push)


def test_a_seed_is_one_start_and_no_label_costs_nothing_twice():
    model = Wiggly()
    grid = guided_grid(model, SCHEDULE, [0, 5], [0, 1, 2], [3, 4], num_steps=4, shape=(1, 4, 4))
    images = sum(n for n, _ in model.calls)
    assert (
        images == 4 * (2 + 4 + 2 * 4)
        and model.times[:4] == SCHEDULE.logsnr_times(7)[:4]
        and not any(asked for n, asked in model.calls if n == 2)
    )
    assert torch.equal(grid.images[0, 0], grid.images[1, 0]) and grid.judged is None
    alone = guided_grid(model, SCHEDULE, [5], [2], [4], num_steps=4, shape=(1, 4, 4))
    assert torch.allclose(alone.images[0, 0, 0], grid.images[1, 2, 1], atol=1e-5)
    assert not torch.allclose(grid.images[1, 2, 0], grid.images[1, 2, 1], atol=1e-2)
    distance = (grid.images[1, 2, 0] - grid.images[1, 2, 1]).square().sum().sqrt()
    assert grid.spread[1, 2].item() == pytest.approx(distance.item(), rel=1e-4) and alone.spread.max() == 0


def test_scale_one_is_the_denoiser_alone():
    model, noise = Wiggly(), torch.randn(1, 4, 4, generator=seeded(7))[None]
    grid = guided_grid(model, SCHEDULE, [5], [1], [7], num_steps=1, shape=(1, 4, 4))
    label = torch.tensor([5])
    assert torch.allclose(grid.images[0, 0], Denoiser(model, SCHEDULE, label=label)(noise, 1000).x0)
