"""Pictures on their way out of noise under prompts, guidance scales and seeds, by a text-to-image pipeline's parts."""

from collections.abc import Sequence

import torch
from torch import Tensor

BATCH = 48  # pictures that go through the network together


@torch.no_grad()
def prompt_frames(
    pipe,
    prompts: Sequence[str],
    scales: Sequence[float],
    seeds: Sequence[int],
    moments: Sequence[int],
    steps: int = 20,
) -> Tensor:
    """What the network expects of the clean picture, decoded, at some moments of sampling.

    pipe: diffusers' StableDiffusionPipeline, or whatever has its tokenizer, text_encoder, unet, vae and scheduler.
    scales: of the guidance, eps = eps_empty + scale · (eps_prompt − eps_empty) (Ho and Salimans 2022, equation 6 with
    w = scale − 1). Scale 1 asks with the prompt alone and 0 with the empty one, at half the cost; pipe() itself asks
    with the prompt alone for all scales below 1. seeds: of the starting noise, drawn on the CPU as by
    torch.Generator().manual_seed(seed), the same for every prompt and scale. moments: rising numbers of steps done;
    at 1 stands what the first call of the network expected, out of pure noise, and at `steps` the end, which is the
    picture of pipe(prompt, guidance_scale=…, num_inference_steps=steps, generator=…).

    steps: of DDIM a number that divides the scheduler's T, 1,000 as a rule (see check_steps).

    Returns (prompts, scales, seeds, moments, 3, side, side) in [−1, 1], float32 on the CPU.
    """
    moments = check_moments(moments, steps)
    for name, values in (("prompts", prompts), ("scales", scales), ("seeds", seeds)):
        if isinstance(values, str) or not len(values):
            raise ValueError(f"{name} must be a list with something in it, got {values!r}.")
    lead = (len(prompts), len(scales), len(seeds))
    words, silence = _read(pipe, list(prompts)), _read(pipe, [""])
    noise = torch.stack([_noise(pipe, seed) for seed in seeds])
    which = torch.cartesian_prod(*(torch.arange(n) for n in lead)).reshape(-1, 3)
    scale = torch.tensor([float(s) for s in scales])[which[:, 1]]
    films = [
        _film(pipe, words[p], silence, s.to(words.device), noise[k], moments, steps)
        for p, s, k in zip(which[:, 0].split(BATCH), scale.split(BATCH), which[:, 2].split(BATCH))
    ]
    return torch.cat(films).unflatten(0, lead)


def moment_times(pipe, moments: Sequence[int], steps: int = 20) -> list[int]:
    """The times t at which the pictures of prompt_frames were guessed, in this book's index: T … 1, and 0 for the end.

    diffusers counts the times of a schedule from 0, this book from 1.
    """
    moments = check_moments(moments, steps)
    pipe.scheduler.set_timesteps(steps)
    check_steps(pipe.scheduler, steps)
    return [0 if m == steps else int(pipe.scheduler.timesteps[m - 1]) + 1 for m in moments]


def check_moments(moments: Sequence[int], steps: int) -> list[int]:
    """The moments as a list; ValueError if they do not rise within 1..steps."""
    moments = [int(m) for m in moments]
    if not moments or moments != sorted(set(moments)) or not 1 <= moments[0] <= moments[-1] <= steps:
        raise ValueError(f"moments must rise within 1..{steps}, the number of steps, got {moments}.")
    return moments


def check_steps(scheduler, steps: int) -> None:
    """ValueError where a DDIMScheduler whose times are set to `steps` goes past them on its way.

    diffusers' DDIM goes down by T // steps at every step, whatever its list of times says. With trailing or linspace
    times the two agree where steps divides T alone: 30 steps of 1,000 go down by 33 from 966 and stand at 933, and the
    network is told 933 or 932. The error grows with the steps: 501 of them go down by 1 where the times fall by 2.
    """
    if "DDIM" not in type(scheduler).__name__:
        return
    T = scheduler.config.num_train_timesteps
    times = [int(t) for t in scheduler.timesteps]
    if any(now - T // steps != then for now, then in zip(times, times[1:])):
        fewer, more = (next(n for n in ways if T % n == 0) for ways in (range(steps, 0, -1), range(steps, T + 1)))
        raise ValueError(
            f"diffusers' DDIM does not stop at its own times in {steps} steps, since {steps} does not divide {T}:"
            f" take {fewer} or {more} steps."
        )


def _read(pipe, prompts: list[str]) -> Tensor:
    """(prompts, tokens, width) from the text encoder."""
    length = pipe.tokenizer.model_max_length
    tokens = pipe.tokenizer(prompts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return pipe.text_encoder(tokens.input_ids.to(pipe.unet.device))[0]


def _noise(pipe, seed: int) -> Tensor:
    shape = (pipe.unet.config.in_channels, pipe.unet.config.sample_size, pipe.unet.config.sample_size)
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed), dtype=pipe.unet.dtype)[0]


def _film(pipe, words: Tensor, silence: Tensor, scale: Tensor, x: Tensor, moments: list[int], steps: int) -> Tensor:
    """The loop by hand for a batch: words (n, tokens, width), scale (n,), x (n, ...) noise → (n, moments, 3, …)."""
    pipe.scheduler.set_timesteps(steps)
    if len(pipe.scheduler.timesteps) != steps:
        raise ValueError("this scheduler calls the network more than once a step: take diffusers' DDIMScheduler.")
    check_steps(pipe.scheduler, steps)
    x = x.to(words.device) * pipe.scheduler.init_noise_sigma
    heard, guided = scale != 0, scale != 1  # rows that ask with the prompt, rows that ask without
    frames = []
    for step, t in enumerate(pipe.scheduler.timesteps, 1):
        seen = pipe.scheduler.scale_model_input(x, t)
        asked = torch.cat([seen[heard], seen[guided]])
        told = torch.cat([words[heard], silence.expand(int(guided.sum()), -1, -1)])
        answers = pipe.unet(asked, t, told).sample
        with_words, without = torch.zeros_like(x), torch.zeros_like(x)
        with_words[heard], without[guided] = answers.split([int(heard.sum()), int(guided.sum())])
        s = scale.to(x.dtype)[:, None, None, None]
        moved = pipe.scheduler.step(without + s * (with_words - without), t, x)
        x = moved.prev_sample
        if step in moments:
            frames.append(_decode(pipe, x if step == steps else _guess(moved)))
    return torch.stack(frames, 1)


def _guess(moved) -> Tensor:
    guess = getattr(moved, "pred_original_sample", None)
    if guess is None:
        raise ValueError("this scheduler does not tell its guess of the clean picture: take diffusers' DDIMScheduler.")
    return guess


def _decode(pipe, latents: Tensor) -> Tensor:
    """Latents as pictures in [−1, 1], float32 on the CPU."""
    return pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample.clamp(-1, 1).float().cpu()
