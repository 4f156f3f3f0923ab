"""The words that a picture of a notebook gets: from its cell and the sentence before it."""

import sys
from pathlib import Path

import pytest

THEME = Path(__file__).parent.parent / "book" / "_theme"


@pytest.fixture(autouse=True)
def theme_on_path(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(THEME), *sys.path])


def describe(*parts):
    import picture_words

    return picture_words.describe(*parts)


@pytest.mark.parametrize(
    "source, words",
    [
        ('show_images(rows, ["clean", "noisy"], columns=2)\nplt.show()', "Pictures: clean, noisy."),
        ('titles = [f"t = {t}" for t in (0, 50)]\nshow_images(x, titles)', "Pictures: t = 0, t = 50."),
        ('t, stops = 1, (5, 9)\nshow_images(x, [f"t = {s}" for s in stops])', "Pictures: t = 5, t = 9."),
        ('show_images(x, [f"{n} steps" for n in unknown])', "Pictures: … steps."),
        ('show_curves(t, {"kept": a, "lost": b}, ylabel="share")', "Curves: kept, lost; share."),
        ('show_curves(t, {"TV": d}, "drop s", "share of it")', "Curves: TV; share of it over drop s."),
        ('plt.imshow(p)\nplt.gca().set(xlabel="t", ylabel="x")', "A map of values in colour: x over t."),
        ("show_paths(smooth, rough, titles=['DDIM', 'DDPM'])", "Paths through the plane: DDIM, DDPM."),
        ("show_unet(net, side=28)", "A U-Net as boxes and arrows, each box with the shape of its features."),
        ("nothing(that, draws)", "A picture."),
        ("this is no Python (", "A picture."),
    ],
)
def test_a_cell_says_what_it_draws(source, words):
    assert describe(source) == words


def test_the_sentence_before_says_what_for():
    said = "Noise grows. Both rates, for every t, look like this:"
    assert describe("show_curves(t, rates)", said) == "Curves. Both rates, for every t, look like this."


def test_a_question_to_the_reader_is_no_description():
    asked = "Here are the digits. Before you run the next cell: which is a 4?"
    assert describe("show_images(x)", asked) == "Pictures. Here are the digits."
    assert describe("show_images(x)", "Guess first!", "Fewer steps") == "Pictures. In the section Fewer steps."


def test_a_long_sentence_is_cut_between_words():
    words = describe("show_images(x)", "A " + "very " * 60 + "long tale.")
    assert len(words) < 180 and words.endswith("very …")
