"""Where in the picture each word is heard: the weights of a U-Net's cross-attention, read while it works."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class _Listener:
    """diffusers' attention, computed step by step so that its weights can be kept: softmax(Q Kᵀ / √d) V."""

    def __init__(self, heard: list[Tensor]):
        self.heard = heard

    def __call__(
        self, attn, hidden_states: Tensor, encoder_hidden_states=None, attention_mask=None, **kwargs
    ) -> Tensor:
        batch, positions, _ = hidden_states.shape
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states))
        value = attn.head_to_batch_dim(attn.to_v(encoder_hidden_states))
        weights = attn.get_attention_scores(query, key, attention_mask)  # (batch · heads, positions, tokens)
        self.heard.append(weights.detach().reshape(batch, attn.heads, positions, -1).mean(1).float().cpu())
        return attn.to_out[1](attn.to_out[0](attn.batch_to_head_dim(weights @ value)))


@contextmanager
def listening(unet) -> Iterator[list[Tensor]]:
    """While it lasts, every cross-attention of diffusers' UNet2DConditionModel adds its weights to the list given.

    Each entry is (batch, positions, tokens), the mean over the heads; every position's weights sum to 1.
    """
    heard: list[Tensor] = []
    before = unet.attn_processors
    unet.set_attn_processor(
        {name: _Listener(heard) if ".attn2." in name else processor for name, processor in before.items()}
    )
    try:
        yield heard
    finally:
        unet.set_attn_processor(before)


def word_maps(heard: list[Tensor], side: int | None = None) -> Tensor:
    """(batch, tokens, side, side): how much each word is heard at each position, the mean over the layers of one size.

    heard: from listening; side: of the layers wanted, the finest if None.
    """
    if not heard:
        raise ValueError("nothing was heard: call the U-Net, with its words, within listening(unet).")
    sides = sorted({round(weights.shape[1] ** 0.5) for weights in heard})
    side = side or sides[-1]
    if side not in sides:
        raise ValueError(f"no cross-attention works at side {side}; there are {', '.join(map(str, sides))}.")
    mean = torch.stack([w for w in heard if w.shape[1] == side**2]).mean(0)
    return mean.transpose(1, 2).reshape(len(mean), -1, side, side)
