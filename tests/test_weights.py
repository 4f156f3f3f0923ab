"""The weights that ship: what they can do, and that cards and numbers tell the truth of the files."""

import pytest
import torch

from ddpm_lib import Denoiser, clip, guide, last, sample_dpmpp
from ddpm_lib.checkpoints import WEIGHTS, available, load_pretrained, load_results, read_header
from ddpm_lib.data import load_digits
from ddpm_lib.evaluate import agreement, samplers, seconds_per_image
from tools.cards import card


@pytest.fixture(scope="module")
def judge():
    return load_pretrained("digits-classifier")[0]


def test_the_judge_knows_real_digits(judge):
    images, labels = load_digits()
    assert agreement(judge, images, labels) > 0.99


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
    # Nothing is nearer to real images than real images are, but for the chance of a thousand samples.
    low = found["floor"]["frechet"] - 3 * found["floor"]["frechet_std"]
    assert all(row["frechet"] > low for row in found["by_calls"])


def test_one_digit_takes_no_more_than_seconds():
    model, schedule = load_pretrained("digits")
    assert seconds_per_image(model, schedule, samplers(schedule, 20)["DPM-Solver++(2M)"]) < 10


@pytest.mark.parametrize("name", available())
def test_cards_say_what_the_files_say(name):
    assert (WEIGHTS / f"{name}.md").read_text() == card(name), "run python -m tools.cards"
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size <= 5_000_000
    assert read_header(WEIGHTS / f"{name}.safetensors")["card"]["seconds"] > 0


def test_unknown_results():
    with pytest.raises(ValueError, match="ddpm_lib.evaluate"):
        load_results("cats")
