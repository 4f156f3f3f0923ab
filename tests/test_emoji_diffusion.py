"""The text-to-image model that ships: it opens offline, follows words in two languages, its card tells the truth."""

import hashlib
import json
import os
import subprocess
import sys
import time

import pytest
import torch

from ddpm_lib.data.kept_out import fingerprint, load_kept_out
from ddpm_lib.evaluate.text_to_image import draw, ink_colour
from ddpm_lib.latents import decode, encode, psnr
from ddpm_lib.stable_diffusion import SHIPPED, find_pipeline
from tools import prompt_card

OFFLINE = """
import sys, ddpm_lib, torch
from diffusers import StableDiffusionPipeline
pipe = StableDiffusionPipeline.from_pretrained(sys.argv[1])
pipe.set_progress_bar_config(disable=True)
for prompt, negative in [("red apple, noto style", "green"), ("红苹果，noto 风格", "绿")]:
    generator = torch.Generator().manual_seed(0)
    picture = pipe(prompt, negative_prompt=negative, num_inference_steps=20, guidance_scale=4, generator=generator,
                   output_type="pt").images
    print(tuple(picture.shape), bool(torch.isfinite(picture).all()), float(picture.std()) > 0.1)
"""


class Bench:
    """As evaluate.text_to_image.draw wants it."""

    def __init__(self, pipe):
        self.pipe = pipe


@pytest.fixture(scope="module")
def bench():
    return Bench(find_pipeline("emoji-diffusion"))


def test_diffusers_opens_it_with_no_network():
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", OFFLINE, str(SHIPPED)], capture_output=True, text=True, env=env)
    assert run.stdout.splitlines() == ["(1, 3, 64, 64) True True"] * 2, run.stderr


def test_it_is_small_and_holds_half_precision():
    from safetensors import safe_open

    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) <= 30_000_000
    files = sorted(SHIPPED.rglob("*.safetensors"))
    assert len(files) == 3
    for path in files:
        with safe_open(path, framework="pt") as file:
            assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"F16"}


def test_the_card_says_what_the_files_say_and_names_the_kept_out_list():
    card, facts = (SHIPPED / "README.md").read_text(), json.loads((SHIPPED / "training.json").read_text())
    assert card == prompt_card.card(), "run python -m tools.cards"
    mark = fingerprint(e.pair for e in load_kept_out()[0])
    assert mark == facts["kept_out_sha256"] and mark in card
    for word in ("Google", "Apache 2.0", "Twitter", "CC BY", "Microsoft", "MIT"):
        assert word in card


def test_the_results_are_of_these_weights_and_of_as_many_prompts_as_promised():
    found = json.loads((SHIPPED / "results.json").read_text())
    unet = SHIPPED / "unet" / "diffusion_pytorch_model.safetensors"
    assert found["weights_sha256"] == hashlib.sha256(unet.read_bytes()).hexdigest(), "measure them again"
    asked = {(row["set"], row["language"]): row for row in found["by_language"]}
    assert asked["training", "en"]["samples"] >= 500 and len(asked["training", "en"]["seeds"]) >= 3
    assert {row["scale"] for row in found["by_scale"]} >= {1, 2, 4, 7.5, 12}
    assert {row["steps"] for row in found["by_steps"]} >= {5, 10, 20, 50}
    chance = next(row for row in found["bounds"] if row["set"] == "kept-out" and row["kind"] == "chance")
    for language in ("en", "zh"):
        row = asked["kept-out", language]
        assert row["label_top5"] > chance["label_top5"] + 3 * chance["label_top5_std"] / 10**0.5


def test_colour_words_are_followed_in_both_languages(bench):
    hearts = ["red heart, flat style", "blue heart, flat style", "红心，flat 风格", "蓝心，flat 风格"]
    colour = torch.stack([ink_colour(draw(bench, hearts, seed, 4, 10)) for seed in (0, 1, 2)]).mean(0)
    warmth = colour[:, 0] - colour[:, 2]
    assert warmth[0] > warmth[1] + 0.5 and warmth[2] > warmth[3] + 0.5


def test_the_autoencoder_brings_back_what_it_never_saw(bench):
    _, images = load_kept_out()
    found = psnr(decode(bench.pipe.vae, encode(bench.pipe.vae, images)), images)
    promised = json.loads((SHIPPED / "training.json").read_text())["psnr_kept_out"]
    assert found == pytest.approx(promised, abs=0.1) and found > 18


def test_one_picture_takes_seconds(bench):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        draw(bench, ["fox"], 0, 4, 2)
        started = time.process_time()
        draw(bench, ["fox"], 0, 4, 20)
        assert time.process_time() - started < 3
    finally:
        torch.set_num_threads(threads)
