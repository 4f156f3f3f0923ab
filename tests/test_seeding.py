"""Randomness of one's own: the same from the same seed, and the caller's goes on as if nothing had been drawn."""

import pytest
import torch

from ddpm_lib.data.sheets import VENDORS
from ddpm_lib.models import Classifier
from ddpm_lib.models.classifier import train_classifier
from ddpm_lib.museum import RIGHT, trials
from ddpm_lib.seeding import drawn_from, own_randomness
from ddpm_lib.word_judge import train_word_judge


def small():
    with drawn_from(0):
        return Classifier(3, 8, 4 + len(VENDORS), widths=(4, 8), strides=(2, 2), features=8)


IMAGES = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(64) % 4
PAIRS = torch.stack([LABELS, torch.arange(64) % len(VENDORS)], 1)
TRAININGS = {
    "labels": lambda model: train_classifier(model, IMAGES, LABELS, 2, batch_size=16),
    "words": lambda model: train_word_judge(model, IMAGES, PAIRS, 2, batch_size=16),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_a_judge_is_trained_the_same_whatever_the_caller_draws_who_goes_on_undisturbed(name):
    torch.manual_seed(3)
    expected, weights = torch.rand(2), []
    for draws in (0, 5):
        model = small()
        torch.manual_seed(3)
        seen = []
        for _ in TRAININGS[name](model):
            seen.append(torch.rand(1))
            torch.rand(draws)
        weights.append(torch.cat([w.detach().flatten() for w in model.parameters()]))
        assert seen[0] == expected[0] and (draws or seen[1] == expected[1])
    assert torch.equal(*weights)


def test_a_trial_of_the_museum_leaves_the_callers_randomness_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trials.train_points(RIGHT, 0, num_steps=2)
    assert torch.equal(torch.rand(2), expected)


def test_what_was_drawn_is_given_back_after_an_error_too():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with pytest.raises(ZeroDivisionError), drawn_from(1):
        torch.rand(5)
        raise ZeroDivisionError
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("kind, place", [("cuda", True), ("mps", False), ("xpu", True)])
def test_the_generators_of_every_kind_of_device_are_seeded_and_given_back(monkeypatch, kind, place):
    """No such device here: what torch.KIND is asked, in its own signatures (MPS has one generator and no places)."""
    log = []

    class Fake:
        def get_rng_state(self, *where):
            assert len(where) == place
            return "as it was"

        def manual_seed(self, number):
            log.append(number)

        def set_rng_state(self, state, *where):
            assert len(where) == place
            log.append(state)

    monkeypatch.setattr(torch, kind, Fake())
    for step in (1, 2, 1):
        with own_randomness(5, step, kind):
            log.append("drawn")
    assert log[0::3] == [log[0], log[3], log[0]] and log[0] != log[3]
    assert log[1::3] == ["drawn"] * 3 and log[2::3] == ["as it was"] * 3
