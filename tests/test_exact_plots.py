"""The pictures of what is exactly true: what they draw is what was computed."""

import matplotlib.pyplot as plt
import pytest
import torch

from ddpm_lib import ExactDenoiser, GaussianMixture, linear_schedule
from ddpm_lib.colours import COLOURS, colours_for
from ddpm_lib.exact import six_blots
from ddpm_lib.exact_plots import show_noise_gaps, show_null

SCHEDULE = linear_schedule()
EXACT = ExactDenoiser(six_blots(), SCHEDULE)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def off_by(shift):
    """A network that is wrong everywhere by the same arrow."""
    return lambda xt, t: EXACT(xt, int(t[0])).eps + torch.tensor(shift)


def test_a_row_for_each_network_and_a_column_for_each_time():
    figure = show_noise_gaps({"right": EXACT, "left": off_by([-0.3, 0.0])}, EXACT, (10, 300, 900))
    axes = figure.axes[:6]
    assert [axis.get_title() for axis in axes[:3]] == ["t = 10", "t = 300", "t = 900"]
    assert [axes[0].get_ylabel(), axes[3].get_ylabel()] == ["right", "left"]
    arrows = [child for child in axes[4].get_children() if type(child).__name__ == "Quiver"][0]
    assert len(arrows.U) > 10 and arrows.U == pytest.approx(-1, abs=1e-4) and arrows.V == pytest.approx(0, abs=1e-4)


def test_the_colour_is_the_length_of_what_is_wrong():
    shades = []
    for wrong in (0.03, 0.3):
        axis = show_noise_gaps({"": off_by([wrong, 0.0])}, EXACT, (300,)).axes[0]
        filled = axis.collections[0]
        kept = [level for level, path in zip(filled.get_facecolor(), filled.get_paths()) if len(path.vertices)]
        assert len(kept) == 1, "one length, one colour"
        shades.append(kept[0][:3].sum())
    assert shades[1] < shades[0], "the more wrong, the darker"


def test_nobody_draws_a_map_of_a_line():
    with pytest.raises(ValueError, match="of the plane"):
        show_noise_gaps({}, ExactDenoiser(GaussianMixture(torch.zeros(2, 1), 0.1), SCHEDULE), (10,))


@pytest.mark.parametrize("log", [False, True])
def test_the_shaded_share_of_a_null_is_its_largest_values(log):
    null = torch.linspace(1, 2, 1001)
    axis = show_null(null, {"far": 5.0, "near": 1.5}, p=0.1, log=log).axes[0]
    dark = [bar for bar in axis.patches if bar.get_facecolor() != axis.patches[0].get_facecolor()]
    assert 0.05 < sum(bar.get_height() for bar in dark) / 1001 < 0.15
    assert min(bar.get_x() for bar in dark) > 1.8
    names = [text.get_text() for text in axis.get_legend().get_texts()]
    assert names == ["alarm, p = 0.1", "near", "far"], "the nearest first"
    drawn = {line.get_label(): (line.get_xdata()[0], line.get_color()) for line in axis.lines}
    far, near = colours_for(["far", "near"])
    assert drawn["far"] == (5.0, far) and drawn["near"] == (1.5, near), "a colour follows the order given"


def test_a_sampler_has_the_same_colour_beside_the_null_as_elsewhere():
    found = {"DDPM, posterior": 2.0, "DDPM, beta": 1.0, "DPM-Solver++(2M)": 0.5}
    lines = {line.get_label(): line for line in show_null(torch.rand(50), found).axes[0].lines}
    assert lines["DDPM, beta"].get_color() == lines["DDPM, posterior"].get_color() == COLOURS["DDPM"]
    assert lines["DDPM, beta"].get_linestyle() != lines["DDPM, posterior"].get_linestyle()
    assert lines["DPM-Solver++(2M)"].get_color() == COLOURS["DPM-Solver++"]
