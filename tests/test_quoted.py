"""A number in prose that is quoted from a result file is still what the file says."""

import re

import pytest

from tools import quoted

SHARE = 'row(result("digits")["by_calls"], sampler="Heun", calls=20)["precision"]'


@pytest.mark.parametrize("path", quoted.texts(), ids=lambda path: path.name)
def test_every_quoted_number_is_what_its_source_says(path):
    assert [found for text in quoted.prose(path) for found in quoted.stale(text)] == []


def test_a_number_that_is_no_longer_true_is_found_and_renewed():
    text = 'A recall of 0.69<!--= rivals("digits", "vae", "recall") | .2f --> and 3%<!--= abs(-0.034) | .0% -->.'
    assert quoted.stale(text) == ['0.69 is quoted from rivals("digits", "vae", "recall"), which says 0.91']
    assert quoted.renew(text) == text.replace("0.69", "0.91") and quoted.stale(quoted.renew(text)) == []


@pytest.mark.parametrize(
    "said, form, right",
    [("1,089", ",d", True), ("1089", ",d", False), ("−4.5", ".1f", True), ("-4.5", ".1f", True), ("4.5", ".1f", False)],
)
def test_thousands_and_signs(said, form, right):
    number = "1089" if "d" in form else "abs(4.5) * -1"
    assert (quoted.stale(f"so {said}<!--= {number} | {form} -->") == []) == right


@pytest.mark.parametrize("text", ["many<!--= abs(3) | d -->", "3<!--= abs(3) -->", "3<!--= 3"])
def test_a_quotation_that_cannot_be_read_is_found(text):
    assert len(quoted.stale(text)) == 1 and "can be read" in quoted.stale(text)[0]


@pytest.mark.parametrize("path", quoted.texts(), ids=lambda path: path.name)
def test_every_test_that_a_text_names_is_there(path):
    for text in quoted.prose(path):
        for file, name in re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", text):
            assert f"def {name}" in (quoted.ROOT / file).read_text(encoding="utf-8"), (file, name)


def test_what_weights_say_of_their_making_can_be_quoted():
    assert quoted.stale('12,000<!--= card("digits")["recipe"]["num_steps"] | ,d --> steps') == []
    assert len(quoted.stale('11,000<!--= card("digits")["recipe"]["num_steps"] | ,d --> steps')) == 1


def test_a_row_must_be_the_only_one():
    rows = [{"calls": 5, "x": 1}, {"calls": 5, "x": 2}]
    assert quoted.row(rows, x=2) == rows[1]
    for wanted in ({"calls": 5}, {"calls": 6}):
        with pytest.raises(LookupError, match="rows have"):
            quoted.row(rows, **wanted)
