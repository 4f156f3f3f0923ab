"""What is measured of the rivals, how runs are written down, and what ships."""

import dataclasses
import json

import pytest
import torch

from ddpm_lib.checkpoints import load_pretrained, read_header
from ddpm_lib.data import load_digits
from ddpm_lib.rivals import run as runs
from ddpm_lib.rivals.__main__ import main
from ddpm_lib.rivals.families import draw
from ddpm_lib.rivals.measure import (
    classes,
    failed,
    judge_of,
    on_grid,
    on_stacks,
    path,
    sharpness,
)
from ddpm_lib.rivals.plans import FAMILIES, PLANS, grid_mixture
from ddpm_lib.rivals.run import pieces, run, run_chain, run_floor
from ddpm_lib.rivals.shipped import COLUMNS, FOLDER, SEEDS, SHEETS, load_contest, load_rival, load_sheet
from ddpm_lib.rivals.table import (
    all_rows,
    collect,
    failures,
    mean_std,
    passes,
    quality_table,
    rows_of,
    told,
)
from tools.rival_results import card

CONTEST = load_contest()


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits()  # in the order of their labels
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order], labels[order]


@pytest.fixture
def small(monkeypatch, digits):
    """The plan of digits, a thousandth of it, on the digits that need no download."""
    monkeypatch.setattr(runs, "SAMPLES", {"digits": 60})
    monkeypatch.setattr("ddpm_lib.rivals.measure.SAMPLES", {"digits": 60, "grid": 200})
    monkeypatch.setattr("ddpm_lib.rivals.measure.CALLS", (1, 2))

    def images(root, train):
        return digits[0][:2000] if train else digits[0][2000:3000]

    plans = {name: dataclasses.replace(plan, data=images if plan.data_set == "digits" else plan.data,
                                       flops=plan.flops / 1000, warmup=1)
             for name, plan in PLANS.items()}  # fmt: skip
    monkeypatch.setattr(runs, "PLANS", plans)
    monkeypatch.setattr("ddpm_lib.rivals.__main__.PLANS", plans)
    return plans


def test_the_exact_grid_has_all_its_modes_and_one_mode_has_one():
    test = grid_mixture().sample(2000)
    found = on_grid(grid_mixture().sample(10_000), test)
    assert found["modes"] == 25 and found["close"] == pytest.approx(0.989, abs=0.01)  # 1 − e^(−9/2)
    one = on_grid(0.1 * torch.randn(1000, 2), test)
    assert one["modes"] == 1 and one["sliced_wasserstein"] > 0.3 > found["sliced_wasserstein"]


def test_a_mode_with_a_tenth_of_its_share_does_not_count():
    means = grid_mixture().means
    found = on_grid(torch.cat([means.repeat(100, 1), means[:24].repeat(900, 1)]), grid_mixture().sample(100))
    assert found["modes"] == 24


def test_stacks_are_counted_by_what_the_judge_reads(digits):
    judge, _ = load_pretrained("digits-classifier")
    images, labels = digits
    picked = torch.stack([images[labels == k][0] for k in range(10)])[:, 0]
    triples = torch.cartesian_prod(torch.arange(10), torch.arange(10), torch.arange(2))
    found = on_stacks(picked[triples], judge)
    assert found["modes"] == 200 and found["kl"] == pytest.approx(torch.tensor(5.0).log().item(), abs=1e-5)


def test_real_images_score_at_the_floor_and_noise_does_not(digits, monkeypatch):
    monkeypatch.setattr("ddpm_lib.rivals.measure.SAMPLES", {"digits": 500})
    judge = judge_of(PLANS["digits-gan"], digits[0][:2500])
    real, noise = judge(digits[0][2500:3000]), judge(torch.randn(500, 1, 28, 28))
    assert abs(real["kernel"]) < 0.5 and real["recall"] > 0.8 and real["classes_found"] == 10
    assert 0.9 < real["sharpness"] < 1.1 and noise["sharpness"] > 3
    assert noise["kernel"] > 5 and noise["histogram_distance"] > 0.3 > real["histogram_distance"]
    plan = PLANS["digits-gan"]
    assert not failed(plan, real) and failed(plan, noise)
    assert failed(plan, {**real, "recall": 0.05}) and failed(plan, {**real, "classes_found": 9})


def test_a_blurred_image_is_less_sharp(digits):
    images = digits[0][:100]
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    assert sharpness(blurred) < 0.5 * sharpness(images)


def test_a_path_that_never_turns_has_no_detour():
    """A generator that gives one image everywhere goes nowhere; the shipped one wanders, but does not leap."""
    found = path(PLANS["digits-gan"], load_rival("digits-gan"), (1, 28, 28), 0, pairs=10, steps=8)
    assert 1 <= found["detour"] < 8 and 1 <= found["jump"] < 8


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_is_written_down_and_not_run_again(small, tmp_path, family):
    plan = small[f"digits-{family}"]
    found = run(plan, 3, tmp_path, command="python -m x")
    file = tmp_path / f"digits-{family}-3.json"
    assert json.loads(file.read_text()) == found and found["seed"] == 3 and found["seconds"] > 0
    assert found["flops"] == pytest.approx(plan.flops, rel=0.5) and found["stopped"] is None
    assert [row["calls"] for row in found["by_calls"]] == ([1, 2] if family == "diffusion" else [1])
    assert ("bits_per_dim" in found) == (family == "vae"), "of diffusion for seed 0 alone: all its terms take long"
    assert read_header(file.with_suffix(".safetensors"))["card"]["plan"] == plan.name
    file.write_text(json.dumps({**found, "seconds": 123.0}))
    assert run(plan, 3, tmp_path)["seconds"] == 123.0


def test_a_run_that_breaks_is_a_failed_run(small, tmp_path, monkeypatch):
    def broken(plan, root, seed):
        def steps():
            raise FloatingPointError("the loss became nan at step 1.")
            yield

        return (torch.nn.Linear(1, 1),), steps(), 1, 1.0

    monkeypatch.setattr(runs, "begin", broken)
    found = run(small["digits-gan"], 0, tmp_path)
    assert found["failed"] and "nan at step 1" in found["stopped"] and found["loss"] == []


def test_the_command_line_trains_floors_and_draws_the_chain(small, tmp_path, monkeypatch, capsys):
    # Seed 1: of seed 0 the bound is computed with all its terms, which takes a minute (tests/test_rivals_bits.py).
    assert main(["digits", "--families", "diffusion", "--seeds", "1", "--out", str(tmp_path)]) == 0
    assert {file.name for file in tmp_path.glob("*.json")} == {"digits-diffusion-1.json", "digits-real-1.json"}
    floor = json.loads((tmp_path / "digits-real-1.json").read_text())
    assert floor["by_calls"][0]["calls"] == 0 and floor == run_floor("digits", 1, tmp_path)
    monkeypatch.setattr("ddpm_lib.rivals.run.linear_schedule", lambda: ddpm_schedule(T=4))
    assert run_chain("digits", 1, tmp_path, samples=20)["chain"]["calls"] == 4
    assert main(["digits", "--chain", "--seeds", "7", "--out", str(tmp_path)]) == 1
    assert "train it first" in capsys.readouterr().err


def ddpm_schedule(T):
    from ddpm_lib import linear_schedule

    return linear_schedule(T=T, beta_start=1e-4 * 1000 / T, beta_end=min(0.02 * 1000 / T, 0.9))


def test_without_work_the_command_line_says_what_it_wants(capsys):
    for wrong in ([], ["--families", "gan"], ["--chain"], ["digits", "--bits"]):
        with pytest.raises(SystemExit) as end:
            main(wrong)
        assert end.value.code == 2 and "--bits" in capsys.readouterr().err


def test_runs_are_collected_and_their_spread_is_told(tmp_path):
    with pytest.raises(ValueError, match="no runs"):
        collect(tmp_path, tmp_path / "all.json")
    for seed, value in enumerate((1.0, 3.0)):
        row = {"data_set": "digits", "family": "gan", "failed": seed == 1, "by_calls": [{"calls": 1, "kernel": value}]}
        (tmp_path / f"digits-gan-{seed}.json").write_text(json.dumps(row))
    content = collect(tmp_path, tmp_path / "all.json")
    assert [row["kernel"] for row in rows_of(content, "digits", "gan")] == [1.0, 3.0]
    assert failures(content, "digits", "gan") == (1, 2) and rows_of(content, "digits", "vae") == []
    assert mean_std([1.0, 3.0]) == (2.0, pytest.approx(2**0.5)) and mean_std([2.0]) == (2.0, 0.0)
    assert told([1.0, 3.0], 1) == "2.0 ± 1.4" and told([]) == "–"


def test_the_number_of_calls_from_which_diffusion_is_better():
    def row(family, **kernels):
        rows = [{"calls": int(name[1:]), "kernel": value} for name, value in kernels.items()]
        return {"data_set": "digits", "family": family, "failed": False, "by_calls": rows}

    runs = {
        "runs": [row("gan", c1=3.0), row("vae", c1=0.5), row("diffusion", c1=9.0, c2=2.0, c5=4.0, c10=2.5, c20=1.0)]
    }
    assert passes(runs, "digits", "gan") == 10, "at 2 it is better once, but at 5 it is not"
    assert passes(runs, "digits", "vae") is None
    assert [row["calls"] for row in all_rows(runs, "digits", "diffusion")] == [1, 2, 5, 10, 20]


def test_tables_tell_every_family_beside_real_data():
    for data_set in ("grid", "digits", "fashion", "stacked"):
        names = [line[""] for line in quality_table(CONTEST, data_set)]
        assert names == ["real data", "GAN", "VAE", "diffusion"]


def test_a_list_is_cut_into_parts_none_of_them_empty():
    assert pieces(list(range(7)), 3) == [[0, 1, 2], [3, 4, 5], [6]] and pieces([1.0], 50) == [[1.0]]


def test_the_contest_that_ships_is_whole_and_fair():
    for data_set in ("grid", "digits", "fashion", "stacked"):
        budgets, parameters = [], []
        for family in FAMILIES:
            mine = [run for run in CONTEST["runs"] if (run["data_set"], run["family"]) == (data_set, family)]
            seeds = [0, 1] if data_set == "stacked" else [0, 1, 2, 3, 4]  # a thousand modes are dear
            assert sorted(run["seed"] for run in mine) == seeds
            budgets += [run["flops"] for run in mine]
            parameters += [sum(run["parameters"]) for run in mine]
            assert all(run["threads"] == 1 and run["command"] and run["hardware"] for run in mine)
        assert max(budgets) / min(budgets) < 1.02 and max(parameters) / min(parameters) < 1.1
        assert [row["seed"] for row in rows_of(CONTEST, data_set, "real", 0)] == seeds
        assert failures(CONTEST, data_set, "real")[0] == 0


@pytest.mark.parametrize("name", [f"{data_set}-{family}" for data_set in SHEETS for family in FAMILIES])
def test_the_weights_that_ship_are_those_that_were_measured(name):
    """Samples of seed 0, drawn again, are the stored ones up to the rounding of float16."""
    path, family = FOLDER / f"{name}.safetensors", name.split("-")[1]
    assert path.stat().st_size < 3_000_000 and read_header(path)["card"]["plan"] == name
    model, calls = load_rival(name), 20 if family == "diffusion" else 1
    sheet = load_sheet(name.split("-")[0])[FAMILIES.index(family), 0]
    again = draw(model, (1, 28, 28), COLUMNS, 3000, calls).clamp(-1, 1)
    assert (sheet - again).abs().mean() < 0.02
    # The stored histogram is of a thousand samples in one call, which need no real image to be judged again.
    row = next(row for row in rows_of(CONTEST, *name.split("-")) if row["seed"] == 0)
    judge, _ = load_pretrained(f"{name.split('-')[0]}-classifier")
    seen = classes(judge, draw(model, (1, 28, 28), 1000, 1000)).bincount(minlength=10) / 1000
    assert (seen - torch.tensor(row["histogram"])).abs().max() < 0.02


def test_the_card_of_the_rivals_says_what_the_plans_say():
    assert (FOLDER / "README.md").read_text() == card(), "run python -m tools.cards"


def test_unknown_names_are_told_what_there_is():
    with pytest.raises(ValueError, match="digits-vae"):
        load_rival("digits-flow")
    with pytest.raises(ValueError, match="digits and fashion"):
        load_sheet("stacked")
    assert load_sheet("digits").shape == (3, SEEDS, COLUMNS, 1, 28, 28)
