"""The pipeline of chapter 8: found, or missing with one clear message; and the tiny one, run by hand."""

import numpy as np
import pytest
import torch

from ddpm_lib import Denoiser, guide, last, sample_ddim, scaled_linear_schedule, stable_diffusion

NAME = "nobody/no-such-model"


@pytest.fixture(scope="module")
def tiny():
    return stable_diffusion.tiny_pipeline()


def a_gpu(monkeypatch):
    monkeypatch.setattr(stable_diffusion, "device", lambda: torch.device("meta"))


def seeded():
    return torch.Generator().manual_seed(1)


@torch.no_grad()
def read(pipe, text):
    tokens = pipe.tokenizer(text, padding="max_length", truncation=True, return_tensors="pt")
    return pipe.text_encoder(tokens.input_ids)[0]


def test_without_a_gpu_the_message_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(stable_diffusion, "device", lambda: torch.device("cpu"))
    assert stable_diffusion.find_pipeline(NAME) is None
    said = capsys.readouterr().out
    assert NAME in said and "no GPU" in said and "Colab" in said


@pytest.mark.parametrize("run, offline", [("quick", ""), ("full", "1")])
def test_quick_and_offline_runs_look_on_the_disk_alone(monkeypatch, capsys, run, offline):
    import diffusers

    def load_config(name, local_files_only, **_):
        assert local_files_only
        raise OSError("not in the cache")

    a_gpu(monkeypatch)
    monkeypatch.setenv("DDPM_RUN", run)
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(diffusers.StableDiffusionPipeline, "load_config", load_config)
    assert stable_diffusion.find_pipeline(NAME) is None
    said = capsys.readouterr().out
    assert "not in the cache" in said and "DDPM_RUN=full" in said


def test_a_failed_fetch_asks_for_the_network_and_the_name(monkeypatch, capsys):
    import diffusers

    def load_config(name, local_files_only, **_):
        assert not local_files_only
        raise ConnectionError("no route")

    a_gpu(monkeypatch)
    monkeypatch.setenv("DDPM_RUN", "full")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(diffusers.StableDiffusionPipeline, "load_config", load_config)
    assert stable_diffusion.find_pipeline(NAME) is None
    assert "does the name still exist" in capsys.readouterr().out


def test_a_folder_is_loaded_and_draws_the_same_picture(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(stable_diffusion, "device", lambda: torch.device("cpu"))
    tiny.save_pretrained(tmp_path)
    found = stable_diffusion.find_pipeline(str(tmp_path))
    ask = dict(prompt="a red 7", num_inference_steps=2, output_type="pt")
    assert torch.equal(tiny(**ask, generator=seeded()).images, found(**ask, generator=seeded()).images)


def test_the_same_seed_builds_the_same_weights_and_leaves_the_global_one_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = stable_diffusion.tiny_pipeline(seed=3)
    assert torch.equal(torch.rand(1), expected)
    two, other = stable_diffusion.tiny_pipeline(seed=3), stable_diffusion.tiny_pipeline(seed=4)
    weight = [pipe.unet.conv_in.weight for pipe in (one, two, other)]
    assert torch.equal(weight[0], weight[1]) and not torch.equal(weight[0], weight[2])


def test_the_samplers_of_the_library_draw_the_picture_of_the_pipeline(tiny):
    ask = dict(prompt="a red 7", negative_prompt="blue", guidance_scale=3.0, num_inference_steps=10, output_type="pt")
    theirs = tiny(**ask, generator=seeded()).images
    schedule, noise = scaled_linear_schedule(), torch.randn(1, 4, 8, 8, generator=seeded())

    def hears(text):
        words = read(tiny, text)
        return Denoiser(lambda x, t: tiny.unet(x, t - 1, words).sample, schedule)

    denoise = guide(hears("a red 7"), hears("blue"), 3.0)
    latents = last(sample_ddim(denoise, schedule, noise, schedule.even_times(10))).x
    with torch.no_grad():
        ours = tiny.vae.decode(latents / tiny.vae.config.scaling_factor).sample
    torch.testing.assert_close((ours / 2 + 0.5).clamp(0, 1), theirs, atol=1e-4, rtol=0)


def test_what_is_assembled_stays_as_it_was(tiny, tmp_path):
    from ddpm_lib import cosine_schedule

    parts = tiny.vae, tiny.tokenizer, tiny.text_encoder, tiny.unet
    stable_diffusion.assemble(tmp_path, *parts, cosine_schedule())
    assert {part.dtype for part in (tiny.vae, tiny.text_encoder, tiny.unet)} == {torch.float32}


def test_a_pipeline_whose_last_time_is_pure_noise_is_read_and_walked():
    """Zero terminal SNR (Lin et al. 2024): the last beta is 1, and only v or x0 says anything there."""
    from diffusers import DDIMScheduler

    pipe = stable_diffusion.tiny_pipeline()
    pipe.scheduler = DDIMScheduler.from_config(
        pipe.scheduler.config, rescale_betas_zero_snr=True, prediction_type="v_prediction"
    )
    schedule = stable_diffusion.schedule_of(pipe)
    assert schedule.beta[-1] == 1 and schedule.alpha_bar[-1] == 0
    ask = dict(prompt="a red 7", guidance_scale=3.0, num_inference_steps=10, output_type="pt")
    theirs = pipe(**ask, generator=seeded()).images
    denoise = guide(*(stable_diffusion.prompt_denoiser(pipe, [text]) for text in ("a red 7", "")), 3.0)
    noise = torch.randn(1, 4, 8, 8, generator=seeded())
    with torch.no_grad():
        latents = last(sample_ddim(denoise, schedule, noise, schedule.even_times(10))).x
        ours = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
    torch.testing.assert_close((ours / 2 + 0.5).clamp(0, 1), theirs, atol=1e-4, rtol=0)


# ---- what the docstring and chapter 8 say of diffusers ----


def block(pipe_folder):
    """The code in the module's docstring, for a folder in place of the model and a CPU in place of the GPU."""
    lines = stable_diffusion.__doc__.splitlines()
    code = "\n".join(line[4:] for line in lines if not line or line.startswith("    "))
    assert code.count("stable-diffusion-v1-5/stable-diffusion-v1-5") == code.count('"cuda"') == 1
    return code.replace("stable-diffusion-v1-5/stable-diffusion-v1-5", str(pipe_folder)).replace('"cuda"', '"cpu"')


def test_the_block_of_the_docstring_runs_in_half_precision_as_it_stands(tiny, tmp_path, monkeypatch):
    from PIL import Image

    tiny.save_pretrained(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    told = {}
    exec(compile(block(tmp_path / "tiny"), "the docstring", "exec"), told)
    assert {part.dtype for part in (told["pipe"].unet, told["pipe"].vae, told["pipe"].text_encoder)} == {torch.float16}
    picture = Image.open("astronaut.png")
    assert picture.size == (64, 64) and picture.mode == "RGB"
    words = dict(prompt="a photograph of an astronaut riding a horse", negative_prompt="blurry, cropped")
    # Drawn in float16, as the pipeline does: older torches make other numbers of a seed there than in float32.
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float16).float()
    exact = tiny(**words, num_inference_steps=50, guidance_scale=7.5, latents=noise, output_type="np").images[0]
    half = torch.tensor(np.array(picture)) / 255
    assert (half - torch.tensor(exact)).abs().mean() < 0.02  # float16's own error, and that of a byte


def test_guidance_is_on_above_scale_1_only_and_a_negative_prompt_is_ignored_below(tiny):
    def picture(scale, negative=None):
        ask = dict(num_inference_steps=2, output_type="pt", guidance_scale=scale, negative_prompt=negative)
        return tiny("a red 7", **ask, generator=seeded()).images

    alone = picture(1)
    assert torch.equal(alone, picture(0)) and torch.equal(alone, picture(-1))
    assert torch.equal(alone, picture(1, "blue")) and torch.equal(alone, picture(0, "blue"))
    assert not torch.equal(picture(3), picture(3, "blue")) and not torch.equal(alone, picture(3))


def test_pndm_calls_the_network_once_more_than_it_has_steps(tiny):
    from diffusers import PNDMScheduler

    scheduler = PNDMScheduler.from_config(tiny.scheduler.config, skip_prk_steps=True)
    scheduler.set_timesteps(50)
    assert len(scheduler.timesteps) == 51


@torch.no_grad()
def test_the_tiny_network_hears_the_time_at_every_level(tiny):
    """With diffusers' own 32 groups its first level, of 32 channels, would give the same output at all times."""
    seen, latents, words = [], torch.randn(1, 4, 8, 8, generator=seeded()), read(tiny, "a red 7")
    hook = tiny.unet.down_blocks[0].resnets[0].register_forward_hook(lambda _, __, out: seen.append(out))
    for t in (1, 999):
        tiny.unet(latents, t, words)
    hook.remove()
    assert (seen[0] - seen[1]).abs().max() > 0.01


@pytest.mark.parametrize("widths, groups", [((32, 64), 32), ((16, 32), 16), ((48, 80), 32)])
def test_a_network_with_one_channel_a_group_is_refused(widths, groups):
    from ddpm_lib.models.latent import TextDenoiser

    with pytest.raises(ValueError, match=rf"{groups} groups do not suit widths {widths[0]}, .*take \d+ groups"):
        TextDenoiser(vocabulary=20, text_width=16, text_layers=1, widths=widths, groups=groups)


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon", "sample"])
def test_a_pipeline_whose_schedule_ends_without_signal_is_read(kind):
    diffusers = pytest.importorskip("diffusers")
    pipe = stable_diffusion.tiny_pipeline()
    pipe.scheduler = diffusers.DDIMScheduler.from_config(
        pipe.scheduler.config, rescale_betas_zero_snr=True, prediction_type=kind
    )
    denoise = stable_diffusion.prompt_denoiser(pipe, ["a"])
    schedule, noise = denoise.schedule, torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert schedule.ends_in_pure_noise and schedule.name == "scaled-linear, without signal at T"
    theirs = pipe.scheduler.alphas_cumprod.double()
    torch.testing.assert_close(schedule.alpha_bar[1:], theirs, rtol=1e-4, atol=1e-7)
    steps = sample_ddim(denoise, schedule, noise, schedule.even_times(4))
    if kind == "epsilon":
        with pytest.raises(ValueError, match="leaves no signal"):
            last(steps)
        return
    pipe.scheduler.set_timesteps(4)
    x = noise
    for t in pipe.scheduler.timesteps:
        x = pipe.scheduler.step(pipe.unet(x, t, stable_diffusion.read(pipe, ["a"])).sample, t, x).prev_sample
    torch.testing.assert_close(last(steps).x, x, rtol=1e-3, atol=1e-3 * float(x.detach().abs().max()))
