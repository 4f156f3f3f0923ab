"""prompt_frames: the loop by hand under many prompts, scales and seeds at once is the pipeline's own picture."""

import pytest
import torch

from ddpm_lib import guide, scaled_linear_schedule
from ddpm_lib.denoisers import Denoiser
from ddpm_lib.prompt_films import BATCH, check_steps, moment_times, prompt_frames
from ddpm_lib.stable_diffusion import tiny_pipeline

PROMPTS, SCALES, SEEDS = ["a red 7", "blue"], [0.0, 1.0, 4.0, 7.5], [3, 11]
MOMENTS, STEPS = [1, 2, 4, 5], 5


@pytest.fixture(scope="module")
def pipe():
    return tiny_pipeline()


@pytest.fixture(scope="module")
def frames(pipe):
    return prompt_frames(pipe, PROMPTS, SCALES, SEEDS, MOMENTS, STEPS)


def theirs(pipe, prompt, scale, seed, steps=STEPS):
    generator = torch.Generator().manual_seed(seed)
    ask = dict(guidance_scale=scale, num_inference_steps=steps, output_type="pt", generator=generator)
    return pipe(prompt, **ask).images[0] * 2 - 1


def test_the_shape_is_prompts_scales_seeds_moments(frames):
    assert frames.shape == (2, 4, 2, 4, 3, 64, 64) and frames.dtype == torch.float32
    assert frames.abs().max() <= 1 and frames.isfinite().all()


@pytest.mark.parametrize(("p", "g", "s"), [(0, 1, 0), (0, 2, 1), (1, 3, 0), (1, 2, 1)])
def test_the_last_frame_is_the_pipelines_picture(pipe, frames, p, g, s):
    picture = theirs(pipe, PROMPTS[p], SCALES[g], SEEDS[s])
    assert (frames[p, g, s, -1] - picture).abs().max() <= 1e-3
    others = frames[:, :, :, -1].flatten(0, 2)
    near = [k for k, other in enumerate(others) if (other - picture).abs().max() <= 1e-3]
    assert near == [(p * 4 + g) * 2 + s], "another combination would have passed too"


def test_at_scale_0_no_prompt_is_heard(pipe, frames):
    assert torch.allclose(frames[0, 0], frames[1, 0], atol=1e-5)
    assert (frames[0, 0, 0, -1] - theirs(pipe, "", 1.0, SEEDS[0])).abs().max() <= 1e-3


@torch.no_grad()
def test_the_first_frame_is_the_guess_out_of_pure_noise(pipe, frames):
    schedule = scaled_linear_schedule()

    def hears(text):
        tokens = pipe.tokenizer([text], padding="max_length", truncation=True, return_tensors="pt")
        words = pipe.text_encoder(tokens.input_ids)[0]
        return Denoiser(lambda x, t: pipe.unet(x, t - 1, words).sample, schedule)

    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(11))
    guess = guide(hears("a red 7"), hears(""), 4.0)(noise, schedule.T).x0
    picture = pipe.vae.decode(guess / pipe.vae.config.scaling_factor).sample.clamp(-1, 1)[0]
    assert (frames[0, 2, 1, 0] - picture).abs().max() < 1e-3
    assert (frames[0, 2, 1, 0] - frames[0, 2, 1, -1]).abs().max() > 0.01


def test_the_batches_are_of_no_consequence(pipe, frames, monkeypatch):
    assert 16 < BATCH
    monkeypatch.setattr("ddpm_lib.prompt_films.BATCH", 3)
    small = prompt_frames(pipe, PROMPTS, SCALES, SEEDS, [5], STEPS)
    torch.testing.assert_close(small[:, :, :, 0], frames[:, :, :, -1], atol=1e-4, rtol=0)


def test_the_times_are_the_books(pipe):
    assert moment_times(pipe, MOMENTS, STEPS) == [1000, 800, 400, 0]
    assert moment_times(pipe, [1, 20]) == [1000, 0]


def test_what_cannot_be_drawn_is_named(pipe):
    for moments in ([], [0, 5], [2, 1], [1, 6], [1, 1]):
        with pytest.raises(ValueError, match=r"rise within 1\.\.5"):
            prompt_frames(pipe, PROMPTS, SCALES, SEEDS, moments, STEPS)
    with pytest.raises(ValueError, match="prompts must be a list"):
        prompt_frames(pipe, "a red 7", SCALES, SEEDS, MOMENTS, STEPS)
    with pytest.raises(ValueError, match="seeds must be a list"):
        prompt_frames(pipe, PROMPTS, SCALES, [], MOMENTS, STEPS)


def test_steps_that_ddim_would_not_stop_at_are_refused_with_two_that_it_does(pipe):
    for ask in (prompt_frames, None):
        with pytest.raises(ValueError, match="30 does not divide 1000: take 25 or 40 steps"):
            prompt_frames(pipe, ["7"], [2.0], [0], [1], 30) if ask else moment_times(pipe, [1], 30)


@pytest.mark.parametrize("steps", [2, 3, 10, 12, 16, 20, 25, 30, 50, 60, 125, 300])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_what_check_steps_lets_pass_is_exact(steps, spacing):
    """DDIM with the right noise for a single point lands on it, at every number of steps that is let pass."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(timestep_spacing=spacing, clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    x, point, seen = torch.tensor([[2.0]]), 0.3, []
    for t in scheduler.timesteps:
        alpha_bar = scheduler.alphas_cumprod[t]
        eps = (x - alpha_bar.sqrt() * point) / (1 - alpha_bar).sqrt()
        seen.append(float(eps))
        x = scheduler.step(eps, t, x).prev_sample
    exact = max(seen) - min(seen) < 1e-3  # the noise of a trajectory is one and the same
    try:
        check_steps(scheduler, steps)
        assert exact
    except ValueError:
        assert spacing == "trailing" and not exact and 1000 % steps


@pytest.mark.parametrize("name", ["DPMSolverMultistepScheduler", "PNDMScheduler"])
def test_a_scheduler_that_cannot_show_its_guess_is_refused(name):
    import diffusers

    pipe = tiny_pipeline()
    pipe.scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config)
    with pytest.raises(ValueError, match="take diffusers' DDIMScheduler"):
        prompt_frames(pipe, ["7"], [2.0], [0], [1, 5], 5)
