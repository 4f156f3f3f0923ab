"""Emoji with their captions in two languages: what a text-to-image model learns from, and what is kept from it."""

import csv
import hashlib
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .sheets import GROUPS, VENDORS, emoji_folder, emoji_pixels

# The word of each vendor's drawing style in a caption; one word, so that attention can be read off it.
STYLES = {"noto": "noto", "twemoji": "twemoji", "fluent-3d": "3d", "fluent-flat": "flat", "noto-blob": "blob"}
# Many labels, one picture: to be shown less often than the rest.
NEAR_REPEATS = ("time arrow keycap alphanum zodiac av-symbol country-flag family person person-gesture person-role"
                " person-sport person-activity person-fantasy person-resting").split()  # fmt: skip
# What a CPU can learn: things of one clear shape. The autoencoder, which needs no captions, is shown more.
SIMPLE = ("heart", "animal-mammal", "animal-bird", "animal-marine", "plant-flower", "food-fruit", "food-vegetable",
          "food-sweet")  # fmt: skip
NATURE = ("animals-nature", "food-drink", "heart")
CAPTIONS_EACH = 12


class Emoji(NamedTuple):
    """One picture of one vendor, and the words for it: a row of captions.csv."""

    vendor: str
    place: int  # on the vendor's sheet: `index` in captions.csv, which a tuple keeps for itself
    character: str
    label_en: str
    label_zh: str
    tags_en: tuple[str, ...]
    tags_zh: tuple[str, ...]
    group: str
    subgroup: str

    @property
    def pair(self) -> str:
        """Its name in a list: label and vendor."""
        return f"{self.label_en} | {self.vendor}"


def read_emoji(root: str | Path | None = None, parts: tuple[str, ...] = GROUPS) -> list[Emoji]:
    """All emoji of the given groups or subgroups, vendor after vendor; pixel-equal repeats are left out.

    `root` (or $DDPM_DATA) holds emoji/ with captions.csv, as load_emoji says.
    """
    with open(emoji_folder(root) / "captions.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["vendor"] in VENDORS and not row["dup_of"]]
    rows = [row for row in rows if row["group"] in parts or row["subgroup"] in parts]
    if not rows:
        raise ValueError(f"no emoji belongs to {', '.join(parts)}; the groups are {', '.join(GROUPS)}.")
    rows.sort(key=lambda row: (VENDORS.index(row["vendor"]), int(row["index"])))
    return [
        Emoji(row["vendor"], int(row["index"]), row["emoji"], row["label_en"], row["label_zh"],
              tuple(filter(None, row["tags_en"].split("|"))), tuple(filter(None, row["tags_zh"].split("|"))),
              row["group"], row["subgroup"])
        for row in rows
    ]  # fmt: skip


def pictures_of(emoji: list[Emoji], root: str | Path | None = None, side: int = 64) -> Tensor:
    """(N, 3, side, side) in [−1, 1], on a white ground, in the order given."""
    found = torch.empty(len(emoji), 3, side, side)
    for vendor in {e.vendor for e in emoji}:
        rows = [i for i, e in enumerate(emoji) if e.vendor == vendor]
        found[rows] = emoji_pixels(emoji_folder(root), vendor, [emoji[i].place for i in rows], side)
    return found


def keep_out(emoji: list[Emoji], share: float = 0.05) -> list[str]:
    """The (label, vendor) pairs that training must not see, as Emoji.pair, sorted: about `share` of every group.

    Never two of one label, and only of labels that three vendors or more have drawn: others show what the thing
    looks like, and other things what the vendor's style is. Which ones, a hash decides, so for ever the same.
    """
    vendors: dict[str, set] = {}
    for e in emoji:
        vendors.setdefault(e.label_en, set()).add(e.vendor)
    kept: list[str] = []
    for group in sorted({e.group for e in emoji}):
        mine = [e for e in emoji if e.group == group]
        labels: set[str] = set()
        for e in sorted(mine, key=lambda e: hashlib.sha256(e.pair.encode()).digest()):
            if len(labels) < round(share * len(mine)) and len(vendors[e.label_en]) >= 3 and e.label_en not in labels:
                labels.add(e.label_en)
                kept.append(e.pair)
    return sorted(kept)


def prompt(emoji: Emoji, language: str = "en", style: bool = True) -> str:
    """The caption one would ask for it with: "red apple, noto style" or "红苹果，noto 风格"."""
    if language == "en":
        return emoji.label_en + (f", {STYLES[emoji.vendor]} style" if style else "")
    if language == "zh":
        return emoji.label_zh + (f"，{STYLES[emoji.vendor]} 风格" if style else "")
    raise ValueError(f'language must be "en" or "zh", got {language!r}.')


def captions_of(emoji: Emoji, taken: frozenset[str] = frozenset()) -> list[str]:
    """CAPTIONS_EACH captions of one emoji, half of them in each language, for training to draw from.

    Of six: two name thing and style, one with an article, one after a keyword, and one names the thing alone; the
    sixth is a keyword with the style (another for every emoji: tags are many), so that "fruit" finds a fruit.
    taken: words that mean an emoji of their own, in lower case, and so are no keywords (see names_of).
    """
    found = []
    for language, tags, joint in (("en", emoji.tags_en, " "), ("zh", emoji.tags_zh, "，")):
        whole, bare = prompt(emoji, language), prompt(emoji, language, style=False)
        ending = whole[len(bare) :]
        tags = [tag for tag in tags if tag.lower() not in taken and tag.lower() != bare.lower()] or [bare]
        chosen = tags[int(hashlib.sha256(emoji.pair.encode()).hexdigest(), 16) % len(tags)]
        article = f"{_article(bare)} {whole}" if language == "en" else f"一个{whole}"
        found += [whole, whole, article, f"{chosen}{joint}{whole}", bare, chosen + ending]
    return found


def names_of(emoji: list[Emoji]) -> frozenset[str]:
    """All labels, in both languages, in lower case."""
    return frozenset(label.lower() for e in emoji for label in (e.label_en, e.label_zh))


def repeats(emoji: list[Emoji], often: int = 4) -> list[int]:
    """Rows to train on: every emoji `often` times, a near-repeat (clocks, keycaps, arrows, people) once."""
    return [i for i, e in enumerate(emoji) for _ in range(1 if e.subgroup in NEAR_REPEATS else often)]


def _article(words: str) -> str:
    return "an" if words[0].lower() in "aeiou" else "a"
