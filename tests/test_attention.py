"""Cross-attention read while the U-Net works: the same output, weights that sum to 1, a map for each word."""

import pytest
import torch

from ddpm_lib.attention import listening, word_maps
from ddpm_lib.models.latent import TextDenoiser


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return TextDenoiser(vocabulary=20, tokens=6, text_width=16, text_layers=1, widths=(8, 16, 16), heads=2, groups=4,
                        side=8).unet.eval()  # fmt: skip


@torch.no_grad()
def test_listening_changes_nothing_and_ends(unet):
    xt, words = torch.randn(2, 4, 8, 8), torch.randn(2, 6, 16)
    plain, before = unet(xt, 500, words).sample, dict(unet.attn_processors)
    with listening(unet) as heard:
        assert torch.allclose(unet(xt, 500, words).sample, plain, atol=1e-5)
    assert dict(unet.attn_processors) == before
    assert len(heard) == sum(".attn2." in name for name in before)
    for weights in heard:
        assert torch.allclose(weights.sum(2), torch.ones(weights.shape[:2]), atol=1e-5)


@torch.no_grad()
def test_a_word_whose_key_answers_every_query_is_heard_everywhere(unet):
    xt, words = torch.randn(1, 4, 8, 8), torch.zeros(1, 6, 16)
    with listening(unet) as heard:
        unet(xt, 500, words)  # equal words share alike
    maps = word_maps(heard)
    assert maps.shape == (1, 6, 4, 4) and torch.allclose(maps, torch.full_like(maps, 1 / 6), atol=1e-5)
    assert word_maps(heard, side=2).shape == (1, 6, 2, 2)


def test_what_cannot_be_shown_is_said(unet):
    with pytest.raises(ValueError, match="nothing was heard"):
        word_maps([])
    with pytest.raises(ValueError, match="no cross-attention works at side 7; there are 4"):
        word_maps([torch.ones(1, 16, 3) / 3], side=7)
