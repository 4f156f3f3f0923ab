"""The bug museum: every exhibit can be made in the library as it is, and the ordinary tests catch every one."""

import math

import matplotlib.pyplot as plt
import pytest
import torch

import ddpm_lib
from ddpm_lib import museum
from ddpm_lib.museum import EXHIBITS, RIGHT, trials
from ddpm_lib.museum.__main__ import main
from tools.mutation_worker import Worker


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


def test_there_are_exhibits_enough_and_each_is_told_whole():
    assert len(EXHIBITS) >= 12 and len({exhibit.title for exhibit in EXHIBITS.values()}) == len(EXHIBITS)
    for exhibit in EXHIBITS.values():
        assert exhibit.tests and exhibit.sources and exhibit.before != exhibit.after
        assert all("/" in source.repository and source.story for source in exhibit.sources)


def test_the_ordinary_tests_pass_without_a_mistake(worker):
    names = sorted({test for exhibit in EXHIBITS.values() for test in exhibit.tests})
    outcome = worker.try_out({}, names)
    assert outcome.how == "passed", outcome


@pytest.mark.parametrize("name", EXHIBITS)
def test_the_ordinary_tests_catch_it(worker, name):
    exhibit = EXHIBITS[name]
    for test in exhibit.tests:
        outcome = worker.try_out({exhibit.file: exhibit.broken_source()}, [test])
        # Failed by an assertion of that very test: a library that cannot be imported would be no catch.
        assert outcome.how == "failed" and outcome.test.startswith(test) and "assert" in outcome.why.lower(), outcome


@pytest.mark.parametrize("name", EXHIBITS)
def test_a_listing_shows_the_change_and_where_it_was_seen(name):
    listing = museum.exhibit(name).listing()
    removed, added = ([row for row in listing.splitlines() if row.startswith(sign + " ")][:1] for sign in "-+")
    assert removed and added and removed != added
    assert all(source.link in listing for source in EXHIBITS[name].sources)


def test_right_and_wrong_live_side_by_side():
    right, wrong = museum.both("rand-for-randn")
    x = torch.zeros(2000)
    assert right.noising.noise_like(x).min() < 0 <= wrong.noising.noise_like(x).min()
    assert right.noising is ddpm_lib.noising and wrong.noising is not right.noising
    assert museum.both("rand-for-randn")[1] is wrong, "imported once"
    # Everything of the wrong library uses its own wrong room, and nothing else of it is changed.
    assert wrong.losses.noise_like is wrong.noising.noise_like
    assert wrong.linear_schedule().beta.equal(right.linear_schedule().beta)
    with pytest.raises(AttributeError, match="no 'nothing'"):
        _ = wrong.nothing


def test_what_is_not_there_is_said():
    with pytest.raises(ValueError, match="no exhibit 'ghost'.*rand-for-randn"):
        museum.both("ghost")
    lost = museum.Exhibit("lost", "Lost", "noising.py", "never written", "x", (), (), None)
    with pytest.raises(ValueError, match="exactly once in noising.py, found 0"):
        lost.broken_source()
    common = museum.Exhibit("common", "Common", "noising.py", "return", "x", (), (), None)
    with pytest.raises(ValueError, match="the library has changed, so change the exhibit"):
        common.broken_source()


def test_costs_are_of_the_present_exhibits():
    rows = museum.costs()["exhibits"]
    assert list(rows) == [name for name, exhibit in EXHIBITS.items() if exhibit.trial]
    for name, row in rows.items():
        assert row["trial"] == EXHIBITS[name].trial and trials.TRIALS[row["trial"]].what in museum.cost_line(name)
        assert len(row["right"]) == len(row["wrong"]) == 3
        assert all(math.isfinite(value) for value in row["right"] + row["wrong"])
        assert f"{sum(row['wrong']) / 3:.3g} ±" in museum.cost_line(name)
    assert "it stops the program" in museum.cost_line("tables-left-behind")


def test_all_costs_in_one_picture_the_dearest_first():
    figure = museum.show_costs()
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [name for name, _ in museum.ratios()] and set(names) == set(museum.costs()["exhibits"])
    means = [sum(values) for _, values in museum.ratios()]
    assert means == sorted(means, reverse=True)
    plt.close(figure)


def test_trials_tell_right_from_wrong():
    right, wrong = museum.both("ddim-variance")
    prices = [trials.from_moons(trials.noisy_ddim_points(lib, 0, calls=50, n=400)) for lib in (right, wrong)]
    real = trials.from_moons(right.data.moons(3000, generator=trials.seeded(5)))
    assert real < 0.05 < 1.3 * prices[0] < prices[1]
    points = trials.draw_points(right, trials.train_points(right, 0, num_steps=2), 0, n=50, calls=2)
    assert points.shape == (50, 2) and points.isfinite().all()
    digits = trials.guided_digits(right, 0, 2.0, calls=1, each=1)
    assert digits.shape == (10, 1, 28, 28) and digits.abs().max() <= 1


def test_no_digits_are_far_from_digits():
    far, near = torch.zeros(60, 1, 28, 28), RIGHT.data.load_digits()[0][::83]
    assert trials.from_digits(near) < 0.2 * trials.from_digits(far)


def test_a_listing_in_the_page(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda item: shown.append(item.data))
    museum.show_exhibit("no-clamp")
    assert shown[0].startswith("```diff\n# ddpm_lib/denoisers.py\n- x0 = ") and "#47](https://github.com" in shown[0]


def test_a_name_that_no_exhibit_has_is_told_the_names(capsys):
    with pytest.raises(SystemExit) as end:
        main(["nope"])
    said = capsys.readouterr().err
    assert end.value.code == 2 and "no exhibit is called nope" in said and "no-clamp" in said
