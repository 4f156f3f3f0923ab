"""Networks: shapes, sizes, what they are told, and what they refuse."""

import pytest
import torch

from ddpm_lib.models import MLP, DigitClassifier, UNet
from ddpm_lib.models.layers import Attention, GroupNorm, time_features


def tiny(**settings):
    torch.manual_seed(0)
    model = UNet(**{"channels": 1, "dim": 8, "multipliers": (1, 2), "blocks": 1, "num_classes": 10, **settings})
    for weights in model.parameters():  # zeroed layers would hide what reaches the output
        if weights.abs().sum() == 0:
            torch.nn.init.normal_(weights, std=0.1)
    return model.eval()


def test_defaults_are_ddpms_cifar10_network():
    with torch.device("meta"):
        model = UNet()
    assert sum(w.numel() for w in model.parameters()) == 35_746_307  # the paper says 35.7 million


@pytest.mark.parametrize("side", [8, 14, 28, 32])
@pytest.mark.parametrize("multipliers", [(1, 2), (1, 2, 2)])
@pytest.mark.parametrize("attention", [(), (0,), (1,)])
def test_every_divisible_side_works(side, multipliers, attention):
    model = tiny(multipliers=multipliers, attention_levels=attention)
    x = torch.randn(2, 1, side, side)
    if side % model.side_multiple:
        with pytest.raises(ValueError, match=f"divisible by {model.side_multiple}"):
            model(x, torch.tensor([1, 2]))
    else:
        assert model(x, torch.tensor([1, 2]), torch.tensor([3, 4])).shape == x.shape


def test_images_need_not_be_square():
    assert tiny()(torch.randn(1, 1, 8, 12), torch.tensor([5])).shape == (1, 1, 8, 12)


def test_a_new_network_says_zero():
    assert UNet(1, 8, (1, 2), 1)(torch.randn(2, 1, 8, 8), torch.tensor([1, 9])).abs().max() == 0


def test_time_and_label_reach_every_sample_alone():
    model, x = tiny(), torch.randn(1, 1, 8, 8).repeat(4, 1, 1, 1)
    out = model(x, torch.tensor([1, 900, 1, 1]), torch.tensor([3, 3, 5, 3]))
    assert torch.allclose(out[0], out[3], atol=1e-6)
    assert not torch.allclose(out[0], out[1], atol=1e-3) and not torch.allclose(out[0], out[2], atol=1e-3)


@pytest.mark.parametrize("channels", [3, 8, 24, 32, 48, 64, 72, 96, 128, 256])
def test_normalization_keeps_what_the_time_has_added(channels):
    norm, x = GroupNorm(channels), torch.randn(2, channels, 6, 6)
    shift = torch.randn(channels)[:, None, None]
    assert (norm(x) - norm(x + shift)).abs().max() > 0.1
    assert norm.num_groups <= 32 and channels // norm.num_groups >= 3


def test_no_label_is_the_null_label():
    model, x, t = tiny(), torch.randn(3, 1, 8, 8), torch.tensor([4, 5, 6])
    torch.testing.assert_close(model(x, t), model(x, t, torch.full((3,), -1)))
    with pytest.raises(ValueError, match="without labels"):
        tiny(num_classes=None)(x, t, torch.zeros(3).long())


def test_several_attributes_may_be_asked_for_one_by_one():
    model, x, t = tiny(num_classes=(3, 4)), torch.randn(3, 1, 8, 8), torch.tensor([4, 5, 6])
    torch.nn.init.normal_(model.last.weight)
    both, first = torch.tensor([[2, 3]] * 3), torch.tensor([[2, -1]] * 3)
    torch.testing.assert_close(model(x, t), model(x, t, torch.full((3, 2), -1)))
    assert not torch.allclose(model(x, t, both), model(x, t, first))
    assert not torch.allclose(model(x, t), model(x, t, first))
    with pytest.raises(ValueError, match="2 numbers per image"):
        model(x, t, torch.zeros(3).long())
    with pytest.raises(ValueError, match="0..2 and 0..3"):
        model(x, t, torch.tensor([[3, 0]] * 3))
    assert UNet(**model.config).label.weight.shape == (9, 32)


def test_patches_enter_and_leave_in_their_places():
    model, x, t = tiny(patch=2), torch.randn(2, 1, 8, 8), torch.tensor([1, 2])
    assert model.first.in_channels == 4 and model(x, t).shape == x.shape
    # Nothing but the entrance and the exit: the network then hands every pixel back to where it came from.
    by_hand = torch.nn.functional.pixel_shuffle(torch.nn.functional.pixel_unshuffle(x, 2), 2)
    torch.testing.assert_close(by_hand, x)
    model.last = torch.nn.Conv2d(8, 4, 1)
    torch.nn.init.zeros_(model.last.weight)
    with torch.no_grad():
        model.last.bias.copy_(torch.arange(4.0))
    assert model(x, t)[0, 0, :2, :2].tolist() == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="divisible by 4"):
        model(torch.zeros(2, 1, 10, 10), t)


@pytest.mark.parametrize("change, says", [
    (dict(x=torch.zeros(2, 3, 8, 8)), "images of shape"), (dict(x=torch.zeros(1, 8, 8)), "images of shape"),
    (dict(t=torch.tensor([1])), "one entry per image"), (dict(label=torch.tensor([0, 10])), "0..9"),
    (dict(label=torch.tensor([0, -2])), "0..9"), (dict(label=torch.tensor([1])), "one number per image"),
])  # fmt: skip
def test_unet_refusals(change, says):
    given = dict(x=torch.zeros(2, 1, 8, 8), t=torch.tensor([1, 2]), label=None) | change
    with pytest.raises(ValueError, match=says):
        tiny()(given["x"], given["t"], given["label"])


def test_attention_levels_are_checked():
    with pytest.raises(ValueError, match="levels 0..1"):
        UNet(1, 8, (1, 2), attention_levels=(2,))


def test_attention_mixes_all_pixels_by_softmax_over_the_keys():
    torch.manual_seed(0)
    layer = Attention(4, heads=2)
    torch.nn.init.eye_(layer.out.weight.view(4, 4))
    x = torch.randn(1, 4, 3, 3)
    q, k, v = layer.qkv(layer.norm(x)).reshape(3, 2, 2, 9).unbind(0)  # (heads, channels, pixels)
    weights = torch.softmax(torch.einsum("hcq,hck->hqk", q, k) / 2**0.5, dim=-1)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 9))
    by_hand = torch.einsum("hqk,hck->hcq", weights, v).reshape(1, 4, 3, 3)
    torch.testing.assert_close(layer(x), x + by_hand, atol=1e-5, rtol=1e-4)


def test_norm_computes_in_float32_under_autocast():
    norm = GroupNorm(8)
    x = (1000 + torch.randn(2, 8, 4, 4)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = norm(x)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), norm(x.float()), atol=0.02, rtol=0.02)


def test_time_features():
    features = time_features(torch.arange(1001), 64)
    assert features.shape == (1001, 64) and features.abs().max() <= 1
    # Sine and cosine of one angle at every frequency, and no two times alike.
    torch.testing.assert_close(features[:, :32] ** 2 + features[:, 32:] ** 2, torch.ones(1001, 32), atol=1e-4, rtol=0)
    assert torch.cdist(features, features).fill_diagonal_(9).min() > 1e-2
    assert time_features(torch.arange(3), 7).shape == (3, 7)


def test_mlp():
    model = MLP(dim=3, width=16)
    assert model(torch.zeros(5, 3), torch.arange(1, 6)).shape == (5, 3)
    with pytest.raises(ValueError, match="points of shape"):
        model(torch.zeros(5, 2), torch.arange(5))


def test_classifier():
    model = DigitClassifier(dim=4, features=8).eval()
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10) and model.features(torch.zeros(2, 1, 28, 28)).shape == (
        2,
        8,
    )
    with pytest.raises(ValueError, match="1, 28, 28"):
        model(torch.zeros(2, 1, 32, 32))


@pytest.mark.parametrize("T", [20, 1000, 4000])
def test_the_times_of_an_mlp_are_spread_over_its_features(T):
    seen, model = [], MLP(width=16, T=T)
    model.layers.register_forward_pre_hook(lambda layers, inputs: seen.append(inputs[0][:, 2:]))
    model(torch.zeros(2, 2), torch.tensor([0, T]))
    model(torch.zeros(2, 2), torch.tensor([T // 2 - T // 20, T // 2 + T // 20]))
    # Start and end, and two times in the middle, must be told apart by several features, not by a hair of one.
    for features in seen:
        assert ((features[0] - features[1]).abs() > 0.05).sum() >= 5
    assert seen[0].shape == (2, 32)
