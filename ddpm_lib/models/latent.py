"""The two networks of a latent text-to-image model, made of diffusers' and transformers' own classes.

They are built from configurations, with random weights, and trained here; what they are trained to is saved in
diffusers' format. Both packages are imported when a network is built, not before.
"""

import torch
from torch import Tensor, nn


def check_groups(widths: tuple[int, ...], groups: int) -> None:
    """ValueError where group norms of `groups` groups would have one channel each at some width, or do not divide it.

    A U-Net of diffusers adds the time to a block's channels, one number a channel, and normalizes them next. A group of
    a single channel loses that number again: the level is blind to the time, and no training changes that.
    """
    for width in widths:
        if width % groups or width == groups:
            fit = [n for n in range(2, width // 2 + 1) if all(w % n == 0 and w > n for w in widths)]
            raise ValueError(
                f"{groups} groups do not suit widths {', '.join(map(str, widths))}: {width} channels make"
                f" {'one a group, which hides the time from them' if width == groups else 'no equal groups'};"
                f" {f'take {fit[-1]} groups' if fit else 'take wider levels'}."
            )


class ImageAutoencoder(nn.Module):
    """diffusers' AutoencoderKL: (batch, 3, side, side) in [−1, 1] to (batch, latent_channels, side/f, side/f) and back.

    widths: of its levels, one halving between two of them, so f = 2^(levels − 1); blocks: a level; groups: of its
    group norms. Rombach et al. 2022, section 3.1 and appendix G.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 128),
        latent_channels: int = 4,
        blocks: int = 1,
        groups: int = 8,
        side: int = 64,
    ):
        super().__init__()
        from diffusers import AutoencoderKL

        self.config = dict(widths=list(widths), latent_channels=latent_channels, blocks=blocks, groups=groups,
                           side=side)  # fmt: skip
        self.coder = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            block_out_channels=tuple(widths),
            latent_channels=latent_channels,
            layers_per_block=blocks,
            norm_num_groups=groups,
            sample_size=side,
            scaling_factor=1.0,
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The picture that comes back from a drawn latent, and mean and log-variance of the latent's Gaussian."""
        code = self.coder.encode(x).latent_dist
        # randn_like rather than code.sample(): that one draws on diffusers' own terms.
        latent = code.mean + code.std * torch.randn_like(code.mean)
        return self.coder.decode(latent).sample, code.mean, code.logvar


class TextDenoiser(nn.Module):
    """A CLIPTextModel and the UNet2DConditionModel that listens to it, trained together from zero.

    vocabulary: number of tokens, the last two of them start and end; tokens: the length captions are padded to;
    text_width, text_layers: of the text encoder; widths: of the U-Net's levels, attention at all but the first;
    groups: of its group norms, fewer than channels at every level (see check_groups);
    channels, side: of the latents; caption_dropout: share of captions that training replaces by the empty one, so
    that the model can be guided (Ho and Salimans 2021). It predicts v (Salimans and Ho 2022, section 4): cosine
    betas leave no signal at t = T, where a predicted noise says nothing about the picture.

    model(xt, t, tokens): xt (batch, channels, side, side), t (batch,) integers in 1..T; tokens (batch, tokens)
    integers, or (batch, captions, tokens), of which training draws one a picture and evaluation takes the first.
    """

    predicts = "v"

    def __init__(
        self,
        vocabulary: int = 2048,
        tokens: int = 24,
        text_width: int = 128,
        text_layers: int = 3,
        widths: tuple[int, ...] = (32, 64, 128),
        blocks: int = 1,
        heads: int = 4,
        groups: int = 16,
        channels: int = 4,
        side: int = 16,
        caption_dropout: float = 0.1,
    ):
        super().__init__()
        from diffusers import UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        self.config = dict(vocabulary=vocabulary, tokens=tokens, text_width=text_width, text_layers=text_layers,
                           widths=list(widths), blocks=blocks, heads=heads, groups=groups, channels=channels,
                           side=side, caption_dropout=caption_dropout)  # fmt: skip
        check_groups(tuple(widths), groups)
        self.caption_dropout = caption_dropout
        start, end = vocabulary - 2, vocabulary - 1
        self.register_buffer("empty", torch.tensor([start] + [end] * (tokens - 1)), persistent=False)
        words = dict(vocab_size=vocabulary, max_position_embeddings=tokens, bos_token_id=start, eos_token_id=end,
                     pad_token_id=end)  # fmt: skip
        size = dict(hidden_size=text_width, intermediate_size=4 * text_width, num_hidden_layers=text_layers)
        self.text_encoder = CLIPTextModel(CLIPTextConfig(**words, **size, num_attention_heads=4))
        deeper = len(widths) - 1
        self.unet = UNet2DConditionModel(
            sample_size=side,
            in_channels=channels,
            out_channels=channels,
            down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * deeper,
            up_block_types=("CrossAttnUpBlock2D",) * deeper + ("UpBlock2D",),
            block_out_channels=tuple(widths),
            layers_per_block=blocks,
            cross_attention_dim=text_width,
            attention_head_dim=heads,
            norm_num_groups=groups,
        )

    def forward(self, xt: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        """v (batch, channels, side, side)."""
        words = self.text_encoder(self.draw(tokens)).last_hidden_state
        # diffusers counts the steps 0..T − 1, this library 1..T: the same step, one less.
        return self.unet(xt, t - 1, words).sample

    def draw(self, tokens: Tensor) -> Tensor:
        """(batch, tokens): one caption a picture, and in training none for some of them."""
        if tokens.ndim == 3:
            count = tokens.shape[1]
            # Drawn on the CPU, where one seed gives the same on every machine.
            which = (
                torch.randint(count, (len(tokens),)) if self.training else torch.zeros(len(tokens), dtype=torch.long)
            )
            tokens = tokens[torch.arange(len(tokens)), which.to(tokens.device)]
        if self.training:
            silent = (torch.rand(len(tokens)) < self.caption_dropout).to(tokens.device)
            tokens = torch.where(silent[:, None], self.empty, tokens)
        return tokens
