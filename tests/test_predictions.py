"""What a network says of itself, through what it is wrapped in, and what it may return."""

import functools
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from ddpm_lib import Denoiser, Guess, linear_schedule, simple_loss
from ddpm_lib.denoisers import as_denoiser, guess_from, target_for
from ddpm_lib.exact import excess_by_time, six_blots
from ddpm_lib.models import MLP, UNet
from ddpm_lib.predictions import WORDS, named, predicts_of

SCHEDULE = linear_schedule()
X = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))


class Speaking(MLP):
    predicts = "v"


NET, SILENT = Speaking(), MLP()


class Around(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, xt, t):
        return self.inside(xt, t)


class Caller:
    def __init__(self, inside):
        self.inside = inside

    def __call__(self, xt, t):
        return self.inside(xt, t)

    def guess(self, xt, t):
        return self.inside(xt, t)


def ddp(network):
    around = nn.DataParallel(network)
    around.module = network
    return around


def test_a_network_is_heard_through_what_hands_its_output_on():
    for plain in (NET, functools.partial(NET), ddp(NET), torch.compile(NET), torch.compile(ddp(NET)), NET.forward,
                  functools.partial(ddp(NET))):  # fmt: skip
        assert predicts_of(plain) == "v" and Denoiser(plain, SCHEDULE).predicts == "v"
    for silent in (
        SILENT,
        functools.partial(SILENT),
        ddp(SILENT),
        Around(SILENT),
        lambda xt, t: SILENT(xt, t),
        Caller(SILENT),
    ):
        assert predicts_of(silent) == "eps"


def lambda_of_an_argument(net):
    return lambda xt, t: net(xt, t)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda xt, t: NET(xt, t),
        lambda_of_an_argument(NET),
        lambda_of_an_argument(lambda_of_an_argument(NET)),
        lambda xt, t, net=NET: net(xt, t),
        functools.partial(lambda xt, t, scale: scale * NET(xt, t), scale=1),
        Around(NET),
        Caller(NET),
        Caller(NET).guess,
        Caller(Around(NET)),
    ],
)
def test_a_wrapper_that_hides_a_network_of_another_kind_has_to_say_what_comes_out(wrapped):
    for ask in (predicts_of, lambda model: Denoiser(model, SCHEDULE), lambda model: simple_loss(model, SCHEDULE, X)):
        with pytest.raises(ValueError, match=r'predicts "v".*predicts="v"'):
            ask(wrapped)
    assert Denoiser(wrapped, SCHEDULE, "v").predicts == "v"
    assert torch.equal(Denoiser(wrapped, SCHEDULE, "v")(X, 500).x0, Denoiser(NET, SCHEDULE)(X, 500).x0)


def test_a_wrapper_may_say_it_and_what_is_no_network_is_not_asked():
    says = Around(NET)
    says.predicts = "x0"
    assert predicts_of(says) == "x0"
    told = Denoiser(NET, SCHEDULE)
    assert predicts_of(lambda xt, t: told(xt, int(t[0])).eps) == "eps", "a denoiser's views say what they are"
    assert predicts_of(lambda xt, t: Speaking and 0 * xt) == "eps", "a class is no network"


@pytest.mark.parametrize("word, ours", [("epsilon", "eps"), ("sample", "x0"), ("v_prediction", "v"), ("v", "v")])
def test_diffusers_words_mean_the_same(word, ours):
    assert named(word) == ours and WORDS[word] == ours
    assert Denoiser(SILENT, SCHEDULE, word).predicts == ours
    for a, b in zip(guess_from(word, X, SCHEDULE, 2 * X, 300), guess_from(ours, X, SCHEDULE, 2 * X, 300)):
        assert torch.equal(a, b)
    assert torch.equal(target_for(word, SCHEDULE, X, 2 * X, 300), target_for(ours, SCHEDULE, X, 2 * X, 300))
    network = UNet(1, 8, (1,), 1, (), predicts=word)
    assert predicts_of(network) == ours


@pytest.mark.parametrize("wrong", ["noise", "", 3, ["v"]])
def test_other_words_are_refused(wrong):
    for ask in (named, lambda w: Denoiser(SILENT, SCHEDULE, w), lambda w: guess_from(w, X, SCHEDULE, X, 5)):
        with pytest.raises(ValueError, match="predicts must be"):
            ask(wrong)


def test_an_output_with_a_sample_in_it_is_opened():
    boxed = lambda xt, t: SimpleNamespace(sample=0.5 * xt)  # noqa: E731
    plain = lambda xt, t: 0.5 * xt  # noqa: E731
    assert torch.equal(Denoiser(boxed, SCHEDULE)(X, 9).x0, Denoiser(plain, SCHEDULE)(X, 9).x0)
    assert simple_loss(boxed, SCHEDULE, X, t=9, eps=X) == simple_loss(plain, SCHEDULE, X, t=9, eps=X)


def test_a_network_of_diffusers_can_be_trained_and_asked():
    diffusers = pytest.importorskip("diffusers")
    net = diffusers.UNet2DModel(8, 1, 1, block_out_channels=(8, 8), norm_num_groups=2, layers_per_block=1,
                                down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2)  # fmt: skip
    x = torch.randn(2, 1, 8, 8)
    simple_loss(net, SCHEDULE, x).backward()
    assert Denoiser(net, SCHEDULE)(x, 500).x0.shape == x.shape


@pytest.mark.parametrize("output", [(X, X), Guess(X, X), None, SimpleNamespace(sample="X")])
def test_what_is_no_tensor_is_told(output):
    for ask in (lambda net: Denoiser(net, SCHEDULE)(X, 5), lambda net: simple_loss(net, SCHEDULE, X)):
        with pytest.raises(TypeError, match="the model must return a tensor"):
            ask(lambda xt, t: output)


def test_another_shape_is_refused_where_it_would_be_stretched():
    pictures = torch.randn(2, 3, 8, 8)
    for ask in (lambda net: Denoiser(net, SCHEDULE)(pictures, 5), lambda net: simple_loss(net, SCHEDULE, pictures)):
        with pytest.raises(ValueError, match=r"the shape it was given, \(2, 3, 8, 8\), but returned \(2, 1, 8, 8\)"):
            ask(lambda xt, t: xt[:, :1])


def test_network_or_denoiser():
    denoise = Denoiser(SILENT, SCHEDULE)
    assert as_denoiser(denoise, SCHEDULE) is denoise
    own = MLP()
    own.schedule = 0.5  # of its learning rate, say: it is a network all the same
    assert as_denoiser(own, SCHEDULE, "v").predicts == "v"
    exact = six_blots()
    from ddpm_lib import ExactDenoiser

    assert excess_by_time(own, ExactDenoiser(exact, SCHEDULE), [500]).percent > 0
    with pytest.raises(ValueError, match="must share one schedule"):
        as_denoiser(denoise, linear_schedule(10))
