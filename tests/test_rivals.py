"""The rivals: their networks, their losses, their training, and the budget that holds them equal."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from ddpm_lib.data.stacked import stack_digits
from ddpm_lib.models.gan import Critic, Generator
from ddpm_lib.models.mlp import PlainMLP
from ddpm_lib.models.vae import VAE, Coded, ImageVAE, vae_nats
from ddpm_lib.rivals.budget import count_flops, count_parameters
from ddpm_lib.rivals.families import begin, draw, flops_a_step, generate, noise_for, training
from ddpm_lib.rivals.gan import critic_step, generator_step, train_gan
from ddpm_lib.rivals.plans import FAMILIES, PLANS, even_square_close, grid_mixture
from ddpm_lib.rivals.vae import vae_bits_per_dim, vae_loss


def test_a_critic_is_a_generator_walked_backwards():
    z = torch.randn(2, 8)
    images = Generator(3, 28, dim=8, latent=8)(z)
    assert images.shape == (2, 3, 28, 28) and images.abs().max() <= 1
    assert Critic(3, 28, dim=8, outputs=5)(images).shape == (2, 5)
    for wrong in (lambda: Generator(side=30), lambda: Critic(side=30)):
        with pytest.raises(ValueError, match="multiple of 4, got 30"):
            wrong()
    with pytest.raises(ValueError, match=r"noise of shape \(batch, 8\), got \(2, 9\)"):
        Generator(latent=8)(torch.randn(2, 9))
    with pytest.raises(ValueError, match=r"images of shape \(batch, 1, 28, 28\), got \(2, 1, 32, 32\)"):
        Critic()(torch.randn(2, 1, 32, 32))


def test_a_sample_does_not_depend_on_its_neighbours():
    generator, z = Generator(dim=8, latent=8), torch.randn(4, 8)
    assert torch.allclose(generator(z)[:1], generator(z[:1]), atol=1e-6)


def test_operations_are_counted_as_they_are_on_paper():
    a, b = torch.randn(3, 5), torch.randn(5, 7)
    assert count_flops(lambda: a @ b) == 2 * 3 * 5 * 7
    convolution, x = nn.Conv2d(4, 6, 3, padding=1, bias=False), torch.randn(2, 4, 8, 8)
    forward = 2 * 2 * 8 * 8 * 4 * 6 * 9
    assert count_flops(lambda: convolution(x)) == forward
    # Backwards: once more for the weights, and once for the input where it is asked for.
    assert count_flops(lambda: convolution(x).sum().backward()) == 2 * forward
    assert count_flops(lambda: convolution(x.requires_grad_()).sum().backward()) == 3 * forward


def test_gradients_of_gradients_are_counted():
    critic, generator = PlainMLP(2, 1, 16), PlainMLP(2, 2, 16)
    adam, x, z = torch.optim.Adam(critic.parameters()), torch.randn(8, 2), torch.randn(8, 2)
    plain = count_flops(lambda: critic_step(generator, critic, adam, x, z, 0.0))
    assert count_flops(lambda: critic_step(generator, critic, adam, x, z, 1.0)) > 1.4 * plain


def test_the_plans_hold_parameters_and_operations_equal():
    for data_set in ("grid", "digits", "fashion", "stacked"):
        plans = [PLANS[f"{data_set}-{family}"] for family in FAMILIES]
        counts = [count_parameters(*plan.networks()) for plan in plans]
        assert max(counts) / min(counts) < 1.1
        assert len({plan.flops for plan in plans}) == 1


def test_the_number_of_steps_follows_from_the_budget():
    plan = dataclasses.replace(PLANS["grid-gan"], flops=1e9)
    _, steps, count, cost = begin(plan, None, 0)
    assert count == round(1e9 / cost) and len(list(steps)) == count


def test_a_penalty_taken_seldom_costs_less():
    x = torch.randn(128, 2)
    often, seldom = (dataclasses.replace(PLANS["grid-gan"], penalty_every=k) for k in (1, 4))
    assert flops_a_step(often, often.networks(), x) > 1.2 * flops_a_step(seldom, seldom.networks(), x)


def test_the_penalty_is_the_squared_slope_of_both_kinds():
    """A linear critic w·x has the slope w everywhere: the penalty is 2‖w‖², and with a factor it shrinks w."""
    critic, generator = nn.Linear(2, 1, bias=False), PlainMLP(2, 2, 8)
    critic.weight.data = torch.tensor([[3.0, 4.0]])
    x, z = torch.randn(64, 2), torch.randn(64, 2)
    adam = torch.optim.SGD(critic.parameters(), lr=0.01)
    _, penalty = critic_step(generator, critic, adam, x, z, 10.0)
    assert penalty.item() == pytest.approx(50.0) and critic.weight.norm() < 5


def test_each_player_moves_its_own_weights_alone():
    critic, generator = PlainMLP(2, 1, 16), PlainMLP(2, 2, 16)
    before = [[p.clone() for p in net.parameters()] for net in (generator, critic)]

    def moved():
        return [any((p != q).any() for p, q in zip(net.parameters(), old, strict=True))
                for net, old in zip((generator, critic), before, strict=True)]  # fmt: skip

    x, z = torch.randn(32, 2), torch.randn(32, 2)
    critic_step(generator, critic, torch.optim.Adam(critic.parameters()), x, z, 1.0)
    assert moved() == [False, True]
    before[1] = [p.clone() for p in critic.parameters()]
    generator_step(generator, critic, torch.optim.Adam(generator.parameters()), x, z)
    assert moved() == [True, False] and all(p.requires_grad for p in critic.parameters())


def test_a_gan_learns_where_the_data_are():
    torch.manual_seed(0)
    data = torch.tensor([1.0, -0.5]) + 0.1 * torch.randn(512, 2)
    generator, critic = PlainMLP(2, 2, 32), PlainMLP(2, 1, 32)
    for step in train_gan(generator, critic, [data], 400, lr=2e-3, gamma=0.1):  # noqa: B007
        pass
    found = draw(step.ema, (2,), 1000, 0)
    assert (found.mean(0) - torch.tensor([1.0, -0.5])).abs().max() < 0.1 and found.std(0).max() < 0.4
    assert step.step == 400


def test_a_gan_that_breaks_says_so():
    with pytest.raises(FloatingPointError, match="at step 1"):
        next(train_gan(PlainMLP(2, 2), PlainMLP(2, 1), [torch.full((4, 2), torch.nan)], 3))


def test_a_gan_without_batches_is_told_so():
    with pytest.raises(ValueError, match="gave no batch"):
        next(train_gan(PlainMLP(2, 2), PlainMLP(2, 1), [], 3))
    with pytest.raises(ValueError, match="gives its batches once"):
        list(train_gan(PlainMLP(2, 2), PlainMLP(2, 1), iter([torch.randn(4, 2)]), 3))


def test_the_start_of_a_run_leaves_the_callers_randomness_alone():
    plan = dataclasses.replace(PLANS["grid-vae"], flops=1e9)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    begin(plan, None, 0)
    assert torch.equal(torch.rand(3), expected)


def test_the_bound_of_a_linear_vae_is_its_exact_likelihood():
    """x = z + noise, both of unit variance, has the posterior N(x/2, 1/2): given that very one, the bound is tight."""

    class Half(nn.Module):
        def forward(self, x):
            return torch.cat([x / 2, torch.full_like(x, math.log(0.5))], 1)

    vae = VAE(Half(), nn.Identity(), 1)
    vae.log_var.data = torch.tensor(0.0)
    torch.manual_seed(0)
    x = torch.linspace(-2, 2, 5)[:, None]
    found = torch.stack([sum(vae_nats(vae(x), x, vae.log_var)) for _ in range(20_000)]).mean(0)
    exact = -torch.distributions.Normal(0, math.sqrt(2)).log_prob(x)[:, 0]
    assert torch.allclose(found, exact, atol=0.02)
    with torch.no_grad():
        bits = torch.stack([vae_bits_per_dim(vae, x, bins=None) for _ in range(2000)]).mean(0)
    assert torch.allclose(bits * math.log(2), exact, atol=0.06)


def test_the_divergence_of_the_prior_from_itself_is_nothing():
    coded = Coded(torch.zeros(3, 4), torch.zeros(3, 4), torch.zeros(3, 2))
    open_, divergence = vae_nats(coded, torch.zeros(3, 2), torch.tensor(0.0))
    assert divergence.tolist() == [0.0] * 3 and open_[0].item() == pytest.approx(math.log(2 * math.pi))


def test_a_vae_refuses_labels():
    with pytest.raises(ValueError, match="without labels"):
        vae_loss(ImageVAE(dim=8, latent=4), None, torch.zeros(2, 1, 28, 28), label=torch.zeros(2))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_on_points_and_draws_what_it_is_asked_for(family):
    plan = dataclasses.replace(PLANS[f"grid-{family}"], flops=3e9)
    networks, steps, _, _ = begin(plan, None, seed=1)
    losses = [step.loss for step in steps]
    assert all(math.isfinite(loss) for loss in losses)
    if family != "gan":  # a GAN's losses are no measure of its progress
        assert sum(losses[-10:]) < sum(losses[:10])
    model = networks[0]
    points = draw(model, (2,), 7, seed=3, calls=4)
    assert points.shape == (7, 2) and torch.equal(points, draw(model, (2,), 7, seed=3, calls=4))
    z = noise_for(model, (2,), 7, torch.Generator().manual_seed(3))
    assert torch.allclose(generate(model, z, 4), points)


def test_the_same_seed_is_the_same_run():
    plan = dataclasses.replace(PLANS["grid-gan"], flops=1e9)
    first, again, other = ([step.loss for step in begin(plan, None, seed)[1]] for seed in (0, 0, 1))
    assert first == again and first != other


def test_an_unknown_family_is_refused():
    plan = dataclasses.replace(PLANS["grid-gan"], family="flow")
    with pytest.raises(ValueError, match="got 'flow'"):
        training(plan, plan.networks(), [], 1, 0)


def test_stacked_digits_are_numbers_of_three_digits():
    images, labels = torch.arange(10.0).view(10, 1, 1, 1).expand(10, 1, 4, 4), torch.arange(10)
    stacks, numbers = stack_digits(images, labels, 500, torch.Generator().manual_seed(0))
    assert stacks.shape == (500, 3, 4, 4) and 0 <= int(numbers.min()) and int(numbers.max()) <= 999
    digits = stacks[:, :, 0, 0].long()
    assert torch.equal((digits * torch.tensor([100, 10, 1])).sum(1), numbers) and len(numbers.unique()) > 300


def test_a_square_filled_evenly_is_near_a_mode_by_the_area_of_the_discs():
    """25 discs of radius 0.3 (3 standard deviations) that lie whole in the square, over its area."""
    assert even_square_close(2.5) == pytest.approx(25 * math.pi * 0.09 / 25, abs=2e-3)
    assert even_square_close(3.0) == pytest.approx(25 * math.pi * 0.09 / 36, abs=2e-3)
    assert round(even_square_close(2.0), 2) == 0.28
    sizes = [even_square_close(2 + i / 20, 200_000) for i in range(11)]
    assert round(max(sizes), 2) == 0.34 and sizes.index(max(sizes)) in (4, 5, 6)


def test_the_grid_has_25_modes_a_tenth_of_their_spacing_wide():
    mixture = grid_mixture()
    gaps = torch.cdist(mixture.means, mixture.means)
    assert len(mixture.means) == 25 and gaps[gaps > 0].min().item() == pytest.approx(10 * float(mixture.std[0]))
