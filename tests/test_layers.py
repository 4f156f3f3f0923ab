"""The layers' fast ways equal the plain ones, in both memory layouts and in half precision."""

import pytest
import torch

from ddpm_lib.models import UNet
from ddpm_lib.models.layers import Attention, GroupNorm

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def plain_attention(layer, x):
    """softmax(q kᵀ / √d) v, written out in float64, head by head."""
    layer, x = layer.double(), x.double()
    b, c, h, w = x.shape
    normed = torch.nn.functional.group_norm(x, layer.norm.num_groups, layer.norm.weight, layer.norm.bias)
    qkv = torch.einsum("oc,bcp->bop", layer.qkv.weight[:, :, 0, 0], normed.flatten(2)) + layer.qkv.bias[:, None]
    heads = []
    for q, k, v in zip(*(part.chunk(layer.heads, 1) for part in qkv.chunk(3, 1))):
        weights = torch.softmax(q.transpose(1, 2) @ k / q.shape[1] ** 0.5, -1)
        heads.append(v @ weights.transpose(1, 2))
    return x + layer.out(torch.cat(heads, 1).reshape(b, c, h, w))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_equals_the_plain_one(layout, heads):
    torch.manual_seed(0)
    layer, x = Attention(24, heads), torch.randn(3, 24, 5, 7)
    torch.nn.init.normal_(layer.out.weight, std=0.3)  # zero at the start, which would hide everything
    fast = layer.to(memory_format=layout)(x.to(memory_format=layout))
    torch.testing.assert_close(fast.double(), plain_attention(layer, x), atol=1e-5, rtol=1e-5)


def test_attention_gives_the_fused_kernels_channels_side_by_side(monkeypatch):
    strides = []
    real = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *qkv: strides.extend(x.stride(-1) for x in qkv) or real(*qkv),
    )
    for layout in LAYOUTS:
        Attention(8)(torch.randn(1, 8, 4, 4).to(memory_format=layout))
    assert strides == [1] * 6


@pytest.mark.parametrize("layout", LAYOUTS)
def test_normalization_of_bf16_features_is_that_of_float32_rounded(layout):
    torch.manual_seed(0)
    norm = GroupNorm(24)
    torch.nn.init.normal_(norm.weight)
    # Far from zero: sums in bf16, of 8 bits, would lose the variance altogether.
    x = (50 + torch.randn(4, 24, 9, 9)).bfloat16().to(memory_format=layout)
    exact = torch.nn.functional.group_norm(x.double(), norm.num_groups, norm.weight.double(), norm.bias.double())
    assert norm(x).dtype == torch.bfloat16
    torch.testing.assert_close(norm(x).double(), exact, rtol=2**-8, atol=2e-3)


@pytest.mark.parametrize("patch", [1, 2])
def test_the_network_is_the_same_in_both_layouts_and_so_are_its_gradients(patch):
    torch.manual_seed(0)
    model = UNet(1, 16, (1, 2), 1, (1,), heads=2, patch=patch)
    for weights in model.parameters():
        if not weights.any():
            torch.nn.init.normal_(weights, std=0.1)
    x, t, answers = torch.randn(2, 1, 8, 8), torch.tensor([3, 700]), []
    for layout in LAYOUTS:
        model = model.to(memory_format=layout)
        out = model(x.to(memory_format=layout), t)
        answers.append([out, *torch.autograd.grad(out.square().sum(), list(model.parameters()))])
    for plain, last in zip(*answers):
        torch.testing.assert_close(last, plain, atol=1e-5 * float(plain.detach().abs().max()) + 1e-6, rtol=1e-4)
