"""Quick or full, listings, and still pictures."""

import matplotlib
import pytest
import torch

from ddpm_lib import last, runtime

matplotlib.use("Agg")


@pytest.mark.parametrize("wish, answer", [("quick", 1), ("full", 2)])
def test_quick_or_full(monkeypatch, wish, answer):
    monkeypatch.setenv("DDPM_RUN", wish)
    assert runtime.quick_or_full(1, 2) == answer


def test_unset_follows_the_accelerator(monkeypatch):
    monkeypatch.delenv("DDPM_RUN", raising=False)
    monkeypatch.setattr(runtime, "device", lambda: torch.device("cuda"))
    assert runtime.is_full_run()
    monkeypatch.setattr(runtime, "device", lambda: torch.device("cpu"))
    assert not runtime.is_full_run()


def test_a_mistyped_wish_is_refused(monkeypatch):
    monkeypatch.setenv("DDPM_RUN", "fast")
    with pytest.raises(ValueError, match="quick or full"):
        runtime.is_full_run()


def test_show_source_shows_the_function_itself(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda item: shown.append(item.data))
    runtime.show_source(last)
    assert shown[0].startswith("```python\ndef last(") and "return final" in shown[0]


def test_plots_draw_what_they_are_given():
    from ddpm_lib import plots

    plots.style()
    assert len(plots.show_images(torch.zeros(7, 1, 4, 4), columns=4).axes) == 8
    assert plots.show_images(torch.zeros(2, 3, 4, 4), titles=["a", "b"]).axes[1].get_title() == "b"
    assert len(plots.show_points(torch.zeros(5, 2), torch.zeros(5, 2)).axes) == 2
    assert len(plots.show_steps(torch.zeros(11, 3, 1, 4, 4), list(range(11)), count=4).axes) == 12
    assert (
        plots.show_curves(torch.arange(3), {"a": torch.ones(3), "b": torch.ones(3)}, log=True).axes[0].get_yscale()
        == "log"
    )
    with pytest.raises(ValueError, match="add a batch"):
        plots.show_images(torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match="its time"):
        plots.show_steps(torch.zeros(3, 5, 2), [1, 2])
    matplotlib.pyplot.close("all")


def test_records_are_lines_with_bars_over_a_floor():
    from ddpm_lib import plots

    rows = [{"calls": n, "distance": 1 / n, "distance_std": 0.1, "sampler": name} for name in "ab" for n in (5, 10, 20)]
    axis = plots.show_records(rows, "calls", "distance", "sampler", floor=0.01).axes[0]
    assert [c.get_label() for c in axis.containers] == ["a", "b"] and axis.get_xscale() == "log"
    line, _, bars = axis.containers[0].lines
    assert line.get_xdata().tolist() == [5, 10, 20] and line.get_ydata().tolist() == [0.2, 0.1, 0.05] and bars
    assert {text.get_text() for text in axis.get_legend().get_texts()} == {"a", "b", "real data"}
