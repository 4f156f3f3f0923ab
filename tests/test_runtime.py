"""Quick or full, listings, and still pictures."""

import importlib.util
import shutil
import subprocess
import tomllib
from pathlib import Path

import matplotlib
import pytest
import torch

import ddpm_lib
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


def test_one_version():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ddpm_lib.__version__ == project["version"], "install the package again: its metadata is of another version"


def repository(folder):
    """A repository with one commit, and that commit."""
    folder.mkdir()
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def copied_to(folder):
    """The library's runtime.py, imported from a copy in folder/ddpm_lib."""
    (folder / "ddpm_lib").mkdir(parents=True)
    file = shutil.copy(runtime.__file__, folder / "ddpm_lib")
    spec = importlib.util.spec_from_file_location("copied_runtime", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_commit_is_of_the_repository_that_holds_this_code_and_of_no_other(tmp_path, monkeypatch):
    head = repository(tmp_path / "theirs")
    assert copied_to(tmp_path / "theirs" / ".venv" / "site-packages").provenance()["commit"] is None
    assert copied_to(tmp_path / "theirs").provenance()["commit"] == head
    assert copied_to(tmp_path / "nowhere").provenance()["commit"] is None
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "theirs" / ".git"))  # as within a hook
    assert copied_to(tmp_path / "nowhere2").provenance()["commit"] is None


def test_provenance_never_costs_what_was_finished(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert runtime.provenance()["commit"] is None and "CPU" in runtime.provenance()["hardware"]

    def slow(*arguments, **how):
        raise subprocess.TimeoutExpired("git", 30)

    monkeypatch.setattr(subprocess, "run", slow)
    assert runtime.provenance()["commit"] is None

    def lost():
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lost)
    assert runtime.provenance() == {"commit": None, "hardware": "GPU"}


def test_show_source_shows_the_function_itself(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda item: shown.append(item.data))
    runtime.show_source(last)
    assert shown[0].startswith("```python\ndef last(") and "return final" in shown[0]


def test_a_table_is_marked_for_the_page_and_has_true_minus_signs():
    table = runtime.Table([{"": "v-network", "distance": "-0.04 ± 0.03"}, {"": "real", "distance": "2-5 <3"}])
    html = table._repr_html_()
    assert 'class="dataframe table"' in html
    assert '<thead><tr><td></td><th scope="col">distance</th></tr></thead>' in html
    assert "<td>−0.04 ± 0.03</td>" in html and "<td>v-network</td>" in html and "<td>2-5 &lt;3</td>" in html
    assert "-0.04 ± 0.03" in repr(table)


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
    figure = plots.show_records(rows, "calls", "distance", "sampler", floor=0.01)
    axis = figure.axes[0]
    assert [c.get_label() for c in axis.containers] == ["a", "b"] and axis.get_xscale() == "log"
    line, _, bars = axis.containers[0].lines
    assert line.get_xdata().tolist() == [5, 10, 20] and line.get_ydata().tolist() == [0.2, 0.1, 0.05] and bars
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"a", "b", "real data"}


PHONE = 358  # CSS pixels of a chapter's column on a phone 390 wide


def _words(figure):
    """The size of every word on a phone, in CSS pixels, and whether all of it is in the picture."""
    figure.canvas.draw()
    wide, tall = figure.canvas.get_width_height()
    unseen = set()  # ticks that matplotlib keeps beyond the ends of an axis
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick, place in zip(axis.get_ticklabels(), axis.get_ticklocs()):
                if not axes.axison or not low <= place <= high:
                    unseen.add(tick)
    found = {}
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_visible() and text.get_text().strip() and text not in unseen:
            box = text.get_window_extent()
            inside = box.x0 > -2 and box.x1 < wide + 2 and box.y0 > -2 and box.y1 < tall + 2
            found[text.get_text()] = (text.get_fontsize() * figure.dpi / 72 * min(1, PHONE / wide), inside)
    return found


def test_words_in_plots_can_be_read_on_a_phone():
    from ddpm_lib import plots

    plots.style()
    names = ["DDPM, posterior variance", "DDPM, beta variance", "DDIM", "Heun", "DPM-Solver++(2M)"]
    rows = [{"calls": n, "frechet": 1 / n, "sampler": name} for name in names for n in (5, 10, 20, 50)]
    t = torch.arange(1, 1001)
    pictures = [
        plots.show_records(rows, "calls", "frechet", "sampler", 0.02),
        plots.show_curves(
            t, {"signal rate": 1 / t, "noise rate": 1 - 1 / t}, ylabel="share of the amplitude", log=True
        ),
        plots.show_steps(torch.zeros(1001, 2, 1, 28, 28), list(range(1000, -1, -1))),
        plots.show_points(*torch.zeros(3, 5, 2), titles=["t = 0", "t = 500", "t = 1000"]),
        plots.show_images(torch.zeros(10, 1, 28, 28), titles=[f"t = {100 * i}" for i in range(10)]),
    ]
    for picture in pictures:
        words = _words(picture)
        assert words and not {word: found for word, found in words.items() if found[0] < 7.2 or not found[1]}
    matplotlib.pyplot.close("all")


def test_names_over_pictures_do_not_run_into_each_other():
    from ddpm_lib import plots

    figure = plots.show_images(torch.zeros(8, 1, 4, 4), titles=["the noise it said"] * 8)
    figure.canvas.draw()
    boxes = [axis.title.get_window_extent() for axis in figure.axes]
    assert all(a.x1 <= b.x0 for a, b in zip(boxes, boxes[1:]))
