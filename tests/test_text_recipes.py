"""Text to image from nothing to a folder that diffusers opens, on a few coloured shapes; then measured."""

import dataclasses
import json
import shutil

import pytest
import torch

from ddpm_lib import evaluate as evaluation
from ddpm_lib import guide, last, sample_ddim
from ddpm_lib.checkpoints import load, read_header
from ddpm_lib.data.kept_out import fingerprint, load_kept_out
from ddpm_lib.evaluate import __main__ as command_line
from ddpm_lib.evaluate import text_to_image
from ddpm_lib.latents import decode
from ddpm_lib.models.latent import ImageAutoencoder, TextDenoiser
from ddpm_lib.recipes import Recipe
from ddpm_lib.stable_diffusion import load_pipeline, prompt_denoiser, schedule_of
from ddpm_lib.text_recipes import FULL, SMALL, TextToImage, halves, run_text_to_image
from ddpm_lib.word_judge import Gallery, run_word_judge
from tests.tiny_emoji import write_emoji

PARTS = ("heart", "food-drink", "animals-nature", "time")


def tiny_autoencoder():
    return ImageAutoencoder(widths=(8, 8, 8), groups=4)


def tiny_denoiser():
    return TextDenoiser(vocabulary=700, text_width=16, text_layers=1, widths=(8, 16, 16), heads=2, groups=4)


PLAN = TextToImage("tiny", PARTS, PARTS, tiny_autoencoder, 3, 8, tiny_denoiser, 3, 8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_emoji(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def out(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    run_text_to_image(PLAN, Recipe, out, root, every=3)
    return out


@pytest.fixture(scope="module")
def pipe(out):
    return load_pipeline(out / "emoji-diffusion")


def test_the_folder_says_what_it_was_made_of(out, root):
    facts = json.loads((out / "emoji-diffusion" / "training.json").read_text())
    known, unseen = halves(PLAN, root)
    assert (facts["images"], facts["kept_out"]) == (len(known), len(unseen)) and len(unseen) >= 4
    assert facts["kept_out_sha256"] == fingerprint(e.pair for e in unseen)
    assert facts["denoiser"]["steps"] == facts["autoencoder"]["steps"] == 3


def test_the_kept_out_emoji_travel_with_it_without_loss(out, root):
    from ddpm_lib.data.captions import pictures_of

    emoji, images = load_kept_out(out / "emoji-diffusion")
    assert emoji == halves(PLAN, root)[1]
    assert torch.equal(images, pictures_of(emoji, root))


def test_training_leaves_pictures_to_look_at(out):
    assert (out / "tiny-autoencoder.run" / "pictures" / "00000003-pairs.png").stat().st_size > 1000
    assert (out / "tiny-denoiser.run" / "pictures" / "00000003-samples.png").stat().st_size > 1000


def test_a_finished_stage_is_not_done_again_and_an_unfinished_one_is(out, root):
    before = (out / "tiny-autoencoder.safetensors").stat().st_mtime_ns
    longer = dataclasses.replace(PLAN, denoiser_steps=5)
    with pytest.raises(ValueError, match="holds a run already"):
        run_text_to_image(longer, Recipe, out, root)
    run_text_to_image(PLAN, Recipe, out, root)
    assert (out / "tiny-autoencoder.safetensors").stat().st_mtime_ns == before


def test_resumed_for_more_steps_the_denoiser_keeps_its_autoencoder(out, root, tmp_path):
    again = tmp_path / "runs"
    shutil.copytree(out, again)
    before = (again / "tiny-autoencoder.safetensors").read_bytes()
    run_text_to_image(PLAN, Recipe, again, root, steps=5, resume=True)
    facts = json.loads((again / "emoji-diffusion" / "training.json").read_text())
    assert facts["denoiser"]["steps"] == 5 and facts["autoencoder"]["steps"] == 3
    assert (again / "tiny-autoencoder.safetensors").read_bytes() == before


def test_the_folder_of_another_plan_is_not_overwritten(out, root):
    before = (out / "emoji-diffusion" / "training.json").read_text()
    with pytest.raises(ValueError, match="holds the model of tiny: choose another --out for other"):
        run_text_to_image(dataclasses.replace(PLAN, name="other"), Recipe, out, root)
    assert (out / "emoji-diffusion" / "training.json").read_text() == before
    assert not (out / "other-autoencoder.run").exists()


@torch.no_grad()
@pytest.mark.parametrize("negative", ["", "blue"])
def test_our_sampler_draws_the_pipelines_picture(pipe, negative):
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    theirs = pipe("red heart, 3d style", negative_prompt=negative, latents=noise, num_inference_steps=10,
                  guidance_scale=4, output_type="pt").images  # fmt: skip
    schedule = schedule_of(pipe)
    steer = guide(prompt_denoiser(pipe, ["red heart, 3d style"]), prompt_denoiser(pipe, [negative]), 4)
    latents = last(sample_ddim(steer, schedule, noise, schedule.even_times(10))).x
    assert ((decode(pipe.vae, latents) + 1) / 2 - theirs).abs().max() < 1e-4


def test_the_pipelines_schedule_is_the_one_it_was_trained_on(pipe, out):
    trained = load(out / "tiny-denoiser.safetensors")[1]
    assert schedule_of(pipe).name == "cosine" and torch.allclose(schedule_of(pipe).beta, trained.beta, rtol=1e-4)


def test_training_draws_captions_and_drops_some():
    torch.manual_seed(0)
    model, tokens = tiny_denoiser(), torch.arange(3)[None, :, None].expand(2000, 3, 24)
    drawn = model.train().draw(tokens)
    silent = (drawn == model.empty).all(1)
    assert silent.float().mean() == pytest.approx(0.1, abs=0.03)
    assert (drawn[~silent, 0].bincount(minlength=3) > 500).all()
    assert (model.eval().draw(tokens) == 0).all()


def test_the_large_plans_fit_into_what_may_ship():
    for plan in (SMALL, FULL):
        parts = plan.autoencoder(), plan.denoiser()
        assert 2 * sum(p.numel() for part in parts for p in part.parameters()) < 31_500_000
        assert set(plan.parts) <= set(plan.coder_parts) or plan is SMALL


@pytest.fixture(scope="module")
def judged(out, root):
    """The folder of weights, with the judge beside it."""
    run_word_judge(text_to_image.JUDGE, *halves(PLAN, root), out, root, num_epochs=25)
    return out


def test_the_judge_tells_shapes_and_says_how_well(judged, root):
    from ddpm_lib.data.captions import pictures_of

    known, unseen = halves(PLAN, root)
    card = read_header(judged / f"{text_to_image.JUDGE}.safetensors")["card"]
    assert card["data"]["labels"] == 15
    assert card["test_accuracy_label"] > 4 / 15
    emoji = known + unseen
    gallery = Gallery(load(judged / f"{text_to_image.JUDGE}.safetensors")[0], emoji, pictures_of(emoji, root))
    hits = gallery.hits(pictures_of(known, root), known)
    assert hits["label"].all() and hits["vendor"].all() and hits["label_top5"].all()
    others = gallery.hits(pictures_of(known, root), known[20:] + known[:20])
    assert others["label"].float().mean() < 0.5


def test_everything_is_measured_by_one_command(judged, root, monkeypatch, capsys):
    monkeypatch.setattr(text_to_image, "WEIGHTS", judged)
    ask = ["emoji-diffusion", "--weights", str(judged), "--data", str(root), "--prompts", "6", "--seeds", "0", "1",
           "--scales", "1", "4", "--calls", "2"]  # fmt: skip
    monkeypatch.setitem(text_to_image.USUAL, "steps", 2)
    command_line.main(ask)
    found = json.loads((judged / "emoji-diffusion" / "results.json").read_text())
    assert [row["kind"] for row in found["bounds"]] == ["chance", "autoencoder"] * 2
    chance = found["bounds"][0]
    assert chance["label_top5"] == pytest.approx(5 / 15, abs=0.25) and chance["vendor"] < 0.6
    assert {(row["set"], row["language"]) for row in found["by_language"]} == {
        (name, language) for name in ("kept-out", "training") for language in ("en", "zh")
    }
    assert [row["scale"] for row in found["by_scale"]] == [1, 4] and len(found["negative"]) == 4
    assert all(row["shift"] == row["shift"] for row in found["negative"])
    assert all(0 <= row["label"] <= row["label_top5"] <= 1 for row in found["by_language"] + found["by_scale"])
    assert [row["what"] for row in found["memory"]][0] == "real, kept out" and len(found["memory"]) == 4
    assert found["seconds_per_image"] > 0


def test_a_part_of_another_model_is_refused(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["digits", "--parts", "memory"])
    assert "digits has no part memory" in capsys.readouterr().err
    assert "memory" not in evaluation.PARTS
