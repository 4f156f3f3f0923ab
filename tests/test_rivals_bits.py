"""Bits per dimension of the rivals: all terms, the same images, and how sure they are."""

import dataclasses
import json

import pytest
import torch

from ddpm_lib import linear_schedule
from ddpm_lib.data import load_digits
from ddpm_lib.rivals.measure import bound, likelihood
from ddpm_lib.rivals.plans import PLANS
from ddpm_lib.rivals.shipped import load_contest, load_rival, measure_bits
from ddpm_lib.rivals.table import likelihood_table

CONTEST = load_contest()


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits()  # in the order of their labels
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order], labels[order]


def test_bits_are_of_all_terms_the_same_every_time_and_say_how_sure_they_are(digits, monkeypatch):
    monkeypatch.setattr("ddpm_lib.rivals.measure.linear_schedule", lambda: linear_schedule(5, 0.02, 0.9))
    plan, model, test = PLANS["digits-diffusion"], load_rival("digits-diffusion"), digits[0][:200]
    coder = load_rival("digits-vae")
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    found = likelihood(plan, model, test, images=12)
    assert found == likelihood(plan, model, test, images=12) and found["bits_terms"] == 4 and found["bits_images"] == 12
    few = likelihood(plan, model, test, images=12, terms=1)
    assert few["bits_terms"] == 1 and few["bits_per_dim"] != found["bits_per_dim"]
    vae = likelihood(PLANS["digits-vae"], coder, test, images=12, codes=2)
    assert vae["bits_codes"] == 2 and vae["bits_error"] > 0 and likelihood(PLANS["digits-gan"], None, test) == {}
    assert torch.equal(torch.rand(2), expected), "what the caller draws goes on undisturbed"
    told_error = bound(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    assert told_error == {"bits_per_dim": 3.0, "bits_error": pytest.approx((14 / 3 / 4) ** 0.5), "bits_images": 4}


def test_only_whole_bounds_are_shown_and_with_the_error_over_images():
    for data_set in ("digits", "fashion"):
        gan, vae, diffusion = likelihood_table(CONTEST, data_set)
        assert gan["bits/dim, at most"] == "–"
        for family, line in (("vae", vae), ("diffusion", diffusion)):
            runs = [run for run in CONTEST["runs"] if (run["data_set"], run["family"]) == (data_set, family)]
            (first,) = (run for run in runs if "bits_per_dim" in run)
            assert first["seed"] == 0 and first["bits_images"] == 100 and first["bits_command"]
            assert first.get("bits_terms", 999) == 999
            assert line["bits/dim, at most"] == f"{first['bits_per_dim']:.2f} ± {first['bits_error']:.2f}"
    cut = {"runs": [{**run, "bits_terms": 50} for run in CONTEST["runs"]]}
    assert likelihood_table(cut, "digits")[2]["bits/dim, at most"] == "–"


def test_the_stored_bits_of_a_vae_come_out_again(digits, tmp_path, monkeypatch):
    plans = {name: dataclasses.replace(plan, data=lambda root, train: digits[0]) for name, plan in PLANS.items()}
    monkeypatch.setattr("ddpm_lib.rivals.shipped.PLANS", plans)
    file = tmp_path / "results.json"
    rows = [run for run in CONTEST["runs"] if (run["data_set"], run["family"]) in (("digits", "vae"), ("grid", "vae"))]
    file.write_text(json.dumps({"runs": rows}), encoding="utf-8")
    stored = {run["seed"]: run.get("bits_per_dim") for run in rows if run["data_set"] == "digits"}
    measure_bits(None, file)
    for row in json.loads(file.read_text(encoding="utf-8"))["runs"]:
        assert ("bits_per_dim" in row) == (row["data_set"] == "digits" and row["seed"] == 0)
        if "bits_per_dim" in row:  # other digits, here, of the same kind
            assert row["bits_per_dim"] == pytest.approx(stored[0], abs=0.5)
