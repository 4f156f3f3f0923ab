"""The bug museum: every exhibit can be made in the library as it is, and the ordinary tests catch every one."""

import pytest
import torch

import ddpm_lib
from ddpm_lib import museum
from ddpm_lib.museum import EXHIBITS
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
