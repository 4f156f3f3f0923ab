"""Emoji with their captions: read in order, drawn on white, and some pairs kept out for good."""

import pytest
import torch

from ddpm_lib.data.captions import (
    CAPTIONS_EACH,
    captions_of,
    keep_out,
    names_of,
    pictures_of,
    prompt,
    read_emoji,
    repeats,
)
from ddpm_lib.data.sheets import VENDORS
from tests.tiny_emoji import write_emoji


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_emoji(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def emoji(root):
    return read_emoji(root)


def the(emoji, label, vendor="noto"):
    return next(e for e in emoji if (e.label_en, e.vendor) == (label, vendor))


def test_pixel_equal_repeats_are_left_out_and_parts_are_groups_or_subgroups(root, emoji):
    assert len(emoji) == 5 * 15 and not any(e.label_en == "green clock" for e in emoji)
    assert {e.subgroup for e in read_emoji(root, ("heart", "food-drink"))} == {"heart", "food-fruit"}
    with pytest.raises(ValueError, match="no emoji belongs to dragons; the groups are smileys-emotion"):
        read_emoji(root, ("dragons",))


def test_pictures_come_in_the_order_asked_for_and_lie_on_white(root, emoji):
    two = [the(emoji, "blue heart", "fluent-flat"), the(emoji, "red fox")]
    blue, red = pictures_of(two, root)
    assert blue[:, 22, 32].tolist() == [-1, -1, 1] and red[:, 32, 32].tolist() == [1, -1, -1]
    assert (blue[:, 0, 0] == 1).all()
    assert pictures_of(two, root, side=16).shape == (2, 3, 16, 16)


def test_captions_name_the_thing_and_the_style_in_both_languages(emoji):
    apple = the(emoji, "red apple", "fluent-3d")
    assert (prompt(apple), prompt(apple, "zh")) == ("red apple, 3d style", "红苹果，3d 风格")
    assert prompt(apple, style=False) == "red apple"
    found = captions_of(apple)
    assert len(found) == CAPTIONS_EACH and "a red apple, 3d style" in found and "红苹果" in found
    assert sum("style" in text for text in found) == sum("风格" in text for text in found) == 5
    with pytest.raises(ValueError, match='language must be "en" or "zh", got \'fr\''):
        prompt(apple, "fr")


def test_a_keyword_that_is_another_emojis_name_is_no_keyword(emoji):
    apple = the(emoji, "red apple")._replace(tags_en=("green apple",), tags_zh=("绿苹果",))
    assert any(text.startswith("green apple") for text in captions_of(apple))
    assert not any(text.startswith(("green apple", "绿苹果")) for text in captions_of(apple, names_of(emoji)))


def test_kept_out_pairs_are_a_share_of_every_group_one_of_a_label_and_for_ever_the_same(emoji):
    kept = keep_out(emoji, share=0.1)
    assert kept == keep_out(emoji[::-1], share=0.1) == sorted(kept)
    groups = [e.group for e in emoji if e.pair in kept]
    assert len(kept) == 8 and {g: groups.count(g) for g in set(groups)} == dict.fromkeys({e.group for e in emoji}, 2)
    labels = [pair.split(" | ")[0] for pair in kept]
    assert len(set(labels)) == len(labels)


def test_what_too_few_vendors_have_drawn_is_not_kept_out(emoji):
    two = [e for e in emoji if e.vendor in VENDORS[:2]]
    assert keep_out(two, share=0.5) == []
    assert keep_out([e for e in emoji if e.vendor in VENDORS[:3]], share=0.5) != []


def test_near_repeats_are_shown_less_often(emoji):
    times = torch.tensor(repeats(emoji)).bincount()
    clocks = torch.tensor([e.subgroup == "time" for e in emoji])
    assert (times[clocks] == 1).all() and (times[~clocks] == 4).all()


def test_an_emoji_is_a_tuple_with_all_that_a_tuple_can(emoji):
    assert emoji[3].index(emoji[3].vendor) == 0 and emoji[3].place >= 0
