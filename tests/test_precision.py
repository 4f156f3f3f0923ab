"""Every network in half and in double precision, and sums that are long enough not to be taken in half."""

import pytest
import torch

from ddpm_lib import Denoiser, ExactDenoiser, GaussianMixture, bits_per_dim, linear_schedule, simple_loss
from ddpm_lib.models import MLP, Classifier, DigitClassifier, SimpleNoisePredictor, UNet
from ddpm_lib.models.gan import Critic, Generator
from ddpm_lib.models.layers import GroupNorm, time_features
from ddpm_lib.models.mlp import PlainMLP
from ddpm_lib.models.vae import ImageVAE, PointVAE, vae_nats

SCHEDULE = linear_schedule()
SMALL = dict(channels=1, dim=8, multipliers=(1, 2), blocks=1, attention_levels=(1,))
NETWORKS = {
    "UNet": (lambda: UNet(**SMALL), (1, 8, 8), True),
    "UNet with labels": (lambda: UNet(**SMALL, num_classes=(3, 4)), (1, 8, 8), True),
    "UNet in patches": (lambda: UNet(**SMALL, patch=2), (1, 8, 8), True),
    "MLP": (lambda: MLP(), (2,), True),
    "MLP, fine": (lambda: MLP(fine=True), (2,), True),
    "SimpleNoisePredictor": (lambda: SimpleNoisePredictor(1, 8), (1, 8, 8), True),
    "PlainMLP": (lambda: PlainMLP(2, 3, fine=True), (2,), False),
    "Classifier": (lambda: Classifier(1, 8, widths=(4, 6), strides=(2, 2)), (1, 8, 8), False),
    "DigitClassifier": (lambda: DigitClassifier(dim=4), (1, 28, 28), False),
    "Generator": (lambda: Generator(1, 8, 8, latent=5), (5,), False),
    "Critic": (lambda: Critic(1, 8, 8, norm=True), (1, 8, 8), False),
    "ImageVAE": (lambda: ImageVAE(1, 8, 8, latent=5), (1, 8, 8), False),
    "PointVAE": (lambda: PointVAE(), (2,), False),
}  # fmt: skip


def built(name):
    torch.manual_seed(0)
    make, shape, timed = NETWORKS[name]
    network = make().eval()
    for weights in network.parameters():  # zeroed layers would hide what reaches the output
        if weights.abs().sum() == 0:
            torch.nn.init.normal_(weights, std=0.1)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    return network, x, (torch.tensor([1, 500, 1000]),) if timed else ()


def of(output):
    return output.mean if hasattr(output, "decoded") else output


@pytest.mark.parametrize("dtype, close", [(torch.float16, 0.02), (torch.bfloat16, 0.15), (torch.float64, 1e-5)])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_runs_in_its_own_precision(name, dtype, close):
    network, x, times = built(name)
    expected = of(network(x, *times))
    found = of(network.to(dtype)(x.to(dtype), *times))
    assert found.dtype == dtype
    assert (found.float() - expected).norm() <= close * expected.norm()


@pytest.mark.parametrize("name", ["UNet", "MLP, fine", "SimpleNoisePredictor"])
def test_gradients_in_double_are_those_of_the_function(name):
    network, x, times = built(name)
    network, x = network.double(), x.double()[:1].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: network(x, times[0][1:2]), x)


def test_times_are_told_apart_before_they_are_rounded():
    for dtype in (torch.float16, torch.bfloat16):
        features = time_features(torch.tensor([999, 1000]), 32, dtype=dtype)
        assert features.dtype == dtype and (features[0] - features[1]).abs().max() > 0.3
    exact = time_features(torch.tensor([1000]), 32, dtype=torch.float64)
    assert exact.dtype == torch.float64 and exact[0, 0] == torch.tensor(1000.0, dtype=torch.float64).sin()


def test_a_group_norm_keeps_double_precision():
    x = torch.randn(2, 8, 4, 4, dtype=torch.float64) + 1e6
    norm = GroupNorm(8).double()
    torch.testing.assert_close(norm(x), torch.nn.functional.group_norm(x, 2, eps=norm.eps), rtol=0, atol=1e-8)


def test_the_loss_is_in_float32_at_least_and_differentiable_in_double():
    x = torch.randn(3, 2, dtype=torch.float64)
    go = lambda w: simple_loss(lambda xt, t: w * xt, SCHEDULE, x, t=300, eps=0.5 * x, predicts="v")  # noqa: E731
    assert torch.autograd.gradcheck(go, torch.tensor([0.3, 0.4], dtype=torch.float64, requires_grad=True))
    for dtype in (torch.float16, torch.bfloat16):
        assert simple_loss(lambda xt, t: xt, SCHEDULE, x.to(dtype)).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_bits_are_added_up_in_float32(dtype):
    exact = ExactDenoiser(GaussianMixture(torch.zeros(1, 2), 0.5), SCHEDULE)
    x0 = torch.tensor([[0.25, -0.5], [0.5, 0.125]])
    bits = [bits_per_dim(exact, SCHEDULE, x.to(kind), generator=torch.Generator().manual_seed(1))
            for x, kind in ((x0, torch.float64), (x0, dtype))]  # fmt: skip
    assert bits[1].dtype == torch.float32
    # The denoiser sees rounded x_t, so the two differ a little; sums in half precision were off by 1 to 2.
    torch.testing.assert_close(bits[1].double(), bits[0], rtol=0, atol=0.6)


def test_the_exact_denoiser_rounds_last():
    exact = ExactDenoiser(GaussianMixture(torch.tensor([[0.5, -0.5]]), 0.3), SCHEDULE)
    x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)).bfloat16()
    for t in (1, 10, 1000):
        found, expected = exact(x, t), exact(x.double(), t)
        for a, b in zip(found, expected):
            assert a.dtype == torch.bfloat16 and torch.equal(a, b.bfloat16())


def test_the_vaes_sums_are_taken_in_float32():
    network, x, _ = built("ImageVAE")
    coded = network(x)
    for half, full in zip(vae_nats(type(coded)(*(p.half() for p in coded)), x.half(), network.log_var.half()),
                          vae_nats(coded, x, network.log_var)):  # fmt: skip
        assert half.dtype == torch.float32
        torch.testing.assert_close(half, full, rtol=3e-3, atol=3e-3)


def test_a_denoiser_in_half_precision_answers_in_it():
    network, x, _ = built("UNet")
    assert all(view.dtype == torch.float16 for view in Denoiser(network.half(), SCHEDULE)(x.half(), 300))
