"""The weights that ship: what they can do, and that cards and numbers tell the truth of the files."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch

from ddpm_lib import Denoiser, clip, guide, last, sample_dpmpp
from ddpm_lib.checkpoints import WEIGHTS, available, load_pretrained, load_results, read_header
from ddpm_lib.data import load_digits
from ddpm_lib.evaluate import agreement, seconds_per_image
from tools.cards import card


@pytest.fixture(scope="module")
def judge():
    return load_pretrained("digits-classifier")[0]


def test_the_judge_knows_the_digits_it_learned(judge):
    """The 5,000 are training images of MNIST, as the judge's are: this says that its weights are whole, and no more."""
    images, labels = load_digits()
    assert agreement(judge, images, labels) > 0.99


DATA = Path(os.environ.get("DDPM_DATA") or Path.home() / ".cache" / "ddpm_lib")
MNIST = DATA / "MNIST" / "raw"  # a download that failed leaves the folder behind, without its files


@pytest.mark.skipif(len(list(MNIST.glob("*-ubyte*"))) < 4, reason="MNIST is not in $DDPM_DATA")
def test_the_judge_knows_digits_it_never_saw(judge):
    images, labels = load_digits("mnist", DATA, train=False)
    assert len(images) == 10_000 and agreement(judge, images, labels) > 0.99
    stored = read_header(WEIGHTS / "digits-classifier.safetensors")["card"]["test_accuracy"]
    assert agreement(judge, images, labels) == pytest.approx(stored, abs=2e-4)


def test_the_number_of_threads_is_given_back_whatever_happens(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        monkeypatch.setattr("ddpm_lib.evaluate.parts.sample_images", lambda *how: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            seconds_per_image(None, None, None, (1, 1, 28, 28))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_digits_are_what_was_asked_for(judge):
    model, schedule = load_pretrained("digits")
    labels = torch.arange(10).repeat(10)
    noise = torch.randn(100, 1, 28, 28, generator=torch.Generator().manual_seed(11))
    scale = load_results("digits")["classifier_agreement"]["scale"]
    denoise = clip(guide(Denoiser(model, schedule, label=labels), Denoiser(model, schedule), scale))
    digits = last(sample_dpmpp(denoise, schedule, noise, schedule.logsnr_times(20))).x
    # 97 in 100 are promised of 1,000; of 100 alone, 94 is still within chance of that.
    assert agreement(judge, digits.clamp(-1, 1), labels) >= 0.94
    assert digits.abs().max() < 1.5 and digits.std() > 0.4


def test_measured_quality_keeps_its_promise():
    found = load_results("digits")
    assert found["classifier_agreement"]["samples"] >= 1000
    assert found["classifier_agreement"]["agreement"] >= 0.97
    scales = [row["scale"] for row in found["by_scale"]]
    assert scales == sorted(set(scales)), "a curve over the scale has one value at each"
    # Nothing is nearer to real images than real images are, but for the chance of a few hundred samples.
    floor = {row["samples"]: row for row in found["floors"]}
    for row in found["by_calls"]:
        beside = floor[row["samples"]]
        assert row["kernel"] > beside["kernel"] - 3 * beside["kernel_std"]


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.json")), ids=lambda path: path.stem)
def test_results_are_of_the_weights_that_ship(path):
    found = json.loads(path.read_text())
    weights = WEIGHTS / f"{path.stem.removesuffix('-inception')}.safetensors"
    assert found["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest(), "measure them again"
    rows = [row for part in found.values() if isinstance(part, list) for row in part]
    assert rows and all(row["samples"] > 0 and row["command"] and row["hardware"] for row in rows)
    assert all(len(row["seeds"]) >= 3 for row in found["by_calls"] + found["bits"])


def test_one_digit_takes_no_more_than_seconds():
    model, schedule = load_pretrained("digits")
    assert seconds_per_image(model, schedule, torch.tensor([3]), (1, 1, 28, 28)) < 10


@pytest.mark.parametrize("name", available())
def test_cards_say_what_the_files_say(name):
    assert (WEIGHTS / f"{name}.md").read_text() == card(name), "run python -m tools.cards"
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size <= 20_000_000
    assert read_header(WEIGHTS / f"{name}.safetensors")["card"]["seconds"] > 0


def test_all_weights_together_are_not_too_large():
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.safetensors")) <= 45_000_000


@pytest.mark.parametrize("name", [name for name in available() if name.endswith("-classifier")])
def test_judges_are_small_and_say_how_good_they_are(name):
    path = WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size <= 1_000_000
    card, (model, _) = read_header(path)["card"], load_pretrained(name)
    assert card["test_accuracy"] > 5 / model.config.get("num_classes", 10)
    assert model.features(torch.zeros(2, *model.shape)).shape == (2, model.config["features"])


def test_unknown_results():
    with pytest.raises(ValueError, match="ddpm_lib.evaluate"):
        load_results("cats")
