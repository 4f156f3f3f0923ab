"""The pipeline of chapter 8: found, or missing with one clear message; and the tiny one, run by hand."""

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

    def from_pretrained(name, local_files_only, **_):
        assert local_files_only
        raise OSError("not in the cache")

    a_gpu(monkeypatch)
    monkeypatch.setenv("DDPM_RUN", run)
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(diffusers.StableDiffusionPipeline, "from_pretrained", from_pretrained)
    assert stable_diffusion.find_pipeline(NAME) is None
    said = capsys.readouterr().out
    assert "not in the cache" in said and "DDPM_RUN=full" in said


def test_a_failed_fetch_asks_for_the_network_and_the_name(monkeypatch, capsys):
    import diffusers

    def from_pretrained(name, local_files_only, **_):
        assert not local_files_only
        raise ConnectionError("no route")

    a_gpu(monkeypatch)
    monkeypatch.setenv("DDPM_RUN", "full")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(diffusers.StableDiffusionPipeline, "from_pretrained", from_pretrained)
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
