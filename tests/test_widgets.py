"""The figures from Python's side: what they bake, what they say, and their arithmetic in node."""

import base64
import io
import json
import re
import subprocess
import sys
from html import escape
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_lib import widgets
from ddpm_lib.painting import painting
from ddpm_lib.schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
    scaled_linear_schedule,
)
from ddpm_lib.widgets import ForwardReverse, ScheduleExplorer
from ddpm_lib.widgets.captions import CAPTIONS
from ddpm_lib.widgets.figure import BUDGET, Figure
from tests.figures_page import still_of
from tests.node import run_node_tests

SCHEDULE = linear_schedule(100, 1e-3, 0.2)


def walk(*shape, guesses=True):
    """Sampler steps that start from noise and shrink to nothing."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    return [
        SimpleNamespace(t=t, x=noise * t / 100, x0_guess=noise * 0 if guesses and t < 100 else None)
        for t in range(100, -1, -1)
    ]


def points(n=50):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(1))


def both(caption="Look."):
    return ForwardReverse(
        SCHEDULE,
        points=points(),
        points_reverse=walk(60, 2),
        picture=painting(32),
        picture_reverse=walk(1, 3, 32, 32),
        caption=caption,
    )


MAKERS = {
    "both": both,
    "points": lambda caption="Look.": ForwardReverse(SCHEDULE, points=points(), caption=caption),
    "explorer": lambda caption="Look.": ScheduleExplorer(SCHEDULE, painting(32), caption=caption),
}


@pytest.fixture(params=MAKERS)
def maker(request):
    return MAKERS[request.param]


def test_a_figure_is_a_live_widget_and_html_at_once(maker):
    figure = maker()
    data, _ = figure._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == figure.model_id
    assert data["text/html"] == figure.html()
    assert "export default { render };" in figure._esm and ".ddpm-figure" in figure._css


def test_the_text_of_a_figure_never_changes(maker):
    figure = maker()
    assert repr(figure) == f"{type(figure).__name__} figure" == repr(maker())
    assert figure._repr_mimebundle_()[0]["text/plain"] == repr(figure)


def test_the_same_figure_made_twice_is_the_same_html(maker):
    assert maker().html() == maker().html()
    assert maker().html() != maker(caption="Something else.").html()


def test_the_page_needs_no_imports_and_no_other_host(maker):
    html = maker().html()
    script = html[html.index('<script type="module">') : html.index("</script>")]
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    assert not re.search(r"(https?:)?//(?!www\.w3\.org/2000/svg)[\w.]+\.\w+/", script)
    assert len(html) < BUDGET


EVIL = "</script><!-- <script> --> \u2028 & \" ' `${x}` \\"


def test_no_caption_can_break_out_of_its_place(maker):
    html = maker(caption=EVIL).html()
    assert html.count("<script") == 1 and html.count("</script") == 1 and "<!--" not in html
    assert "&lt;/script&gt;&lt;!-- &lt;script&gt;" in html  # the words still stand under the figure
    state = json.loads(re.search(r'^start\(".*?", (\{.*\}), render\);$', html, re.MULTILINE)[1])
    assert state["caption"] == EVIL


@pytest.mark.parametrize("name", widgets.__all__)
def test_the_modules_of_a_figure_are_one_script_that_stands_alone(name):
    module = getattr(widgets, name)._esm
    assert "</" not in module and "<!--" not in module  # nothing that would end the script
    assert not re.search(r"^(import|export)\b", module.replace("export default { render };", ""), re.MULTILINE)
    assert not re.search(r"(https?:)?//(?!www\.w3\.org/2000/svg)[\w.]+\.\w+/", module)
    declared = re.findall(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", module, re.MULTILINE)
    assert len(declared) == len(set(declared)) > 20  # one scope for all modules


def test_the_still_is_a_picture_in_the_page(maker):
    html = maker().html()
    still = still_of(html)
    drawn = re.sub(r'href="[^"]*"', "", still)  # without the bytes of its pictures
    assert still.count("<svg") == 1 and 'aria-label="' in still and "nan" not in drawn.lower()


def test_a_figure_without_a_still_says_so():
    class Bare(Figure):
        modules = ("figure.js",)

    with pytest.raises(NotImplementedError, match="Bare must draw a still"):
        Bare()


def test_too_much_data_is_refused_when_the_figure_is_made(monkeypatch):
    monkeypatch.setattr("ddpm_lib.widgets.figure.BUDGET", 30_000)
    with pytest.raises(ValueError, match="kB into the page.*fewer points"):
        both()


def test_much_data_is_thinned_until_it_fits():
    figure = ForwardReverse(
        linear_schedule(),
        points=points(5000),
        points_reverse=walk(5000, 2),
        picture=painting(128),
        picture_reverse=walk(1, 3, 128, 128),
    )
    assert len(figure.html()) < BUDGET
    assert figure.points["times"][0] == 100 and figure.points["times"][-1] == 0
    assert figure.picture["side"] == 64 and figure.picture["times"][-1] == 0


def test_what_is_baked_is_what_was_given():
    figure = both()
    decode = lambda text, kind: torch.frombuffer(bytearray(base64.b64decode(text)), dtype=kind)  # noqa: E731
    sigma = decode(figure.sigma, torch.float32)
    assert torch.allclose(sigma.double(), SCHEDULE.sigma, rtol=1e-6)
    clean = decode(figure.points["clean"], torch.int16).reshape(-1, 2) * figure.points["unit"]
    assert torch.allclose(clean, points(), atol=2e-4)
    frames = decode(figure.points["frames"], torch.int16).reshape(-1, 60, 2)
    assert len(frames) == len(figure.points["times"])
    assert torch.allclose(frames[0] * figure.points["unit"], walk(60, 2)[0].x, atol=2e-4)
    assert not frames[-1].any()
    explorer = ScheduleExplorer(scaled_linear_schedule(), painting(32))
    assert (explorer.kind, explorer.T, explorer.t) == ("scaled-linear", 1000, 250)
    assert (explorer.beta_start, explorer.beta_end) == (0.00085, 0.012)
    assert (explorer.data_range, explorer.per_thousand) == ("-1..1", False)
    assert ScheduleExplorer(SCHEDULE, painting(32), data_range="0..1").state()["data_range"] == "0..1"


def test_grey_pictures_and_steps_without_guesses_are_welcome():
    figure = ForwardReverse(
        SCHEDULE,
        picture=torch.zeros(1, 1, 28, 28),
        picture_reverse=walk(1, 28, 28, guesses=False),
    )
    assert figure.picture["side"] == 28 and "guesses" not in figure.picture
    assert figure.picture["clean"].startswith("data:image/png")


def frozen(value):
    return [SimpleNamespace(t=t, x=value, x0_guess=None) for t in (100, 0)]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ForwardReverse(SCHEDULE), "nothing to show"),
        (lambda: ForwardReverse(SCHEDULE, points=torch.zeros(3)), r"shape \(n, 2\)"),
        (lambda: ForwardReverse(SCHEDULE, points=torch.full((3, 2), torch.nan)), "not finite"),
        (lambda: ForwardReverse(SCHEDULE, picture=torch.zeros(2, 3, 8, 8)), "one square picture"),
        (lambda: ForwardReverse(SCHEDULE, picture=torch.zeros(3, 8, 9)), "one square picture"),
        (lambda: ForwardReverse(SCHEDULE, picture=torch.full((3, 8, 8), 255.0)), "127.5"),
        (
            lambda: ForwardReverse(SCHEDULE, points=points(), picture_reverse=walk(3, 8, 8)),
            "picture_reverse needs picture",
        ),
        (
            lambda: ForwardReverse(SCHEDULE, points=points(), points_reverse=walk(9, 2)[::-1]),
            "must fall from t = T",
        ),
        (lambda: ScheduleExplorer(Schedule(torch.zeros(20)), painting(32)), "named 'custom'"),
        (lambda: ScheduleExplorer(linear_schedule(5), painting(32)), "T = 10..1000"),
        (lambda: ScheduleExplorer(SCHEDULE, painting(32), t=101), r"0\.\.100"),
        (lambda: ScheduleExplorer(SCHEDULE, painting(32), data_range="0..255"), r"-1\.\.1, 0\.\.1, got '0\.\.255'"),
    ],
)
def test_bad_input_is_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_the_page_computes_the_schedules_of_the_library(tmp_path):
    cases = []
    for kind, make in [("linear", linear_schedule), ("scaled-linear", scaled_linear_schedule)]:
        for T, start, end in [(1000, 1e-4, 0.02), (50, 1e-4, 0.02), (37, 0.00085, 0.5)]:
            cases.append(_case(kind, T, start, end, make(T, start, end)))
    for T in (10, 333, 1000):
        cases.append(_case("cosine", T, 1e-4, 0.02, cosine_schedule(T)))
    passed = run_node_tests("schedule_math", SCHEDULES_JSON=(tmp_path / "schedules.json", cases))
    assert passed >= len(cases)


def test_what_the_figures_share_and_the_motions():
    assert run_node_tests("figure", "forward_reverse") >= 10


def _case(kind, T, start, end, schedule):
    names = ("beta", "alpha_bar", "signal_rate", "noise_rate", "snr", "log_snr")
    tables = {name: [v if v != float("inf") else None for v in getattr(schedule, name).tolist()] for name in names}
    below = (schedule.alpha_bar <= 0.5).nonzero()
    half = int(below[0]) if len(below) else None
    left = float(schedule.signal_rate[-1])
    return {"kind": kind, "T": T, "start": start, "end": end, "tables": tables, "half": half, "left": left}


def test_importing_the_library_does_not_import_the_figures():
    code = "import ddpm_lib, sys; print('anywidget' in sys.modules, 'ddpm_lib.widgets' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_a_notebook_that_is_not_trusted_shows_the_still(maker):
    """What a cleaner of HTML leaves: no script, no style, no SVG, no words of the drawing; pictures stay."""
    html = re.sub(r"<(script|style)\b.*?</\1>", "", maker().html(), flags=re.DOTALL)
    assert "<svg" not in html and "<text" not in html
    words = re.sub(r"<[^>]*>", "", html).split()
    assert words == escape(maker().caption).split()
    picture = re.search(r'<img src="([^"]*)" alt="([^"]+)" width="(\d+)" height="(\d+)">', html)
    assert picture[1].startswith("data:image/svg+xml,") and "currentColor" not in picture[2] and int(picture[3]) >= 320


def test_the_bundle_has_the_still_as_a_small_picture(maker):
    png = base64.b64decode(maker()._repr_mimebundle_()[0]["image/png"])
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float)
    assert len(png) < 60_000 and picture.shape[1] == 480 and picture.shape[0] > 60
    assert picture.std() > 5 and (picture == 255).mean() > 0.02  # something is drawn, on white paper


@pytest.mark.parametrize("name", widgets.__all__)
def test_every_figure_has_words_of_its_own(name):
    own = {key: words for key, words in CAPTIONS.items() if key.split("/")[0] == name}
    assert own and all(len(words) > 80 and words.endswith((".", "?")) for words in own.values())


def test_a_caption_is_the_figures_own_unless_the_cell_says_another(maker):
    assert maker(caption=None).caption == CAPTIONS[type(maker()).__name__]
    assert maker(caption="").caption == "" and maker(caption="Mine.").caption == "Mine."
