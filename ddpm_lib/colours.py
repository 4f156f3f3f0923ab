"""The colour of everything that is drawn: the same thing has the same colour in a still picture and in a figure."""

from collections.abc import Sequence

INK = "#1f2a44"
# Hue: (on paper, in the dark). The figures know them as --ddpm-HUE (widgets/figure.css); on paper all are read as text.
HUES = {
    "noise": ("#a9581b", "#e2a05f"),
    "signal": ("#2f6690", "#86b8e0"),
    "middle": ("#2c7a71", "#74c2b4"),
    "plum": ("#8a4f7d", "#d79bc9"),
    "olive": ("#6b7423", "#bcc673"),
    "brick": ("#9c3f4c", "#e8949e"),
}
HUE_OF = {
    "DDPM": "noise", "DDIM": "plum", "Heun": "middle", "DPM-Solver++": "signal", "Euler": "olive",
    "eps": "noise", "x0": "signal", "v": "middle",
    "noise": "noise", "noise rate": "noise", "clean data": "signal", "signal rate": "signal",
    "floor": "ink", "real data": "ink",
}  # fmt: skip
COLOURS = {name: INK if hue == "ink" else HUES[hue][0] for name, hue in HUE_OF.items()}


def hue_of(name: str) -> str | None:
    """The hue of a named thing, or None: "DPM-Solver++(2M)" and "DDPM, posterior variance" are their samplers'."""
    known = [key for key in HUE_OF if name == key or name.startswith(key) and not name[len(key)].isalnum()]
    return HUE_OF[max(known, key=len)] if known else None


def hues_for(names: Sequence[str]) -> list[str]:
    """A hue for each of several things in one picture: the known keep theirs, the others take those left, in order."""
    kept = [hue_of(name) for name in names]
    free = [hue for hue in HUES if hue not in kept] or list(HUES)
    unknown = iter(range(len(names)))
    return [hue or free[next(unknown) % len(free)] for hue in kept]


def colours_for(names: Sequence[str]) -> list[str]:
    """hues_for as colours on paper: what matplotlib takes."""
    return [INK if hue == "ink" else HUES[hue][0] for hue in hues_for(names)]
