"""Every page in Firefox and in WebKit: each figure starts and answers to a hand. Skipped where there is none."""

import pytest

from tests.engines import Firefox, WebKit, running
from tools import site

HOW = {
    "Firefox": "apt-get install firefox-esr",
    "WebKit": "apt-get install webkit2gtk-driver libwebkit2gtk-4.1-0 xvfb",
}
# Each figure of the page in turn: wait until it has started and drawn, move a control, wait until the figure answers.
MOVE_ALL = """
  const wait = async (condition, what) => {
    const end = performance.now() + 60000;
    for (let found; performance.now() < end;) {
      if ((found = condition())) return found;
      await new Promise(next => setTimeout(next, 30));
    }
    throw new Error(`${what}: not within a minute`);
  };
  await window.MathJax?.startup?.promise;
  const said = [];
  for (const figure of document.querySelectorAll("figure.ddpm-figure")) {
    const kind = figure.dataset.figure;
    figure.scrollIntoView({ block: "center" });
    const body = await wait(() => figure.querySelector(".ddpm-body"), `${kind} starts`);
    const load = body.querySelector("[data-control=load]");
    const words = body.querySelector("[data-control=prompt]:not([type=radio])");
    if (words) { // the text-to-image model: its tokens follow the prompt, before anything is loaded
      const tokens = () => body.querySelector(".ddpm-tokens").textContent, before = tokens();
      words.value = "blue whale";
      words.dispatchEvent(new Event("input", { bubbles: true }));
      await wait(() => tokens() !== before, `${kind} reads the prompt`);
    } else {
      if (load) { // the digits network: loaded, and it draws
        const drawn = new Promise(done => body.addEventListener("ddpm:film", done, { once: true }));
        load.click();
        await Promise.race([drawn, new Promise((_, no) => setTimeout(() => no(new Error(
          `${kind} does not draw: ${body.querySelector(".ddpm-net-says").textContent}`)), 60000))]);
      }
      const hand = await wait(() => [...body.querySelectorAll("input[type=range]:not(:disabled), [role=gridcell]")]
        .find(one => one.getClientRects().length), `${kind} shows a control`);
      if (hand.type === "range") {
        await wait(() => hand.getAttribute("aria-valuetext"), `${kind} says where its slider stands`);
        const text = () => hand.getAttribute("aria-valuetext"), before = text(), middle = (+hand.min + +hand.max) / 2;
        hand.value = +hand.value > middle ? hand.min : hand.max;
        hand.dispatchEvent(new Event("input", { bubbles: true }));
        hand.dispatchEvent(new Event("change", { bubbles: true }));
        await wait(() => text() !== before, `${kind} answers to its slider`);
      } else {
        const cells = [...body.querySelectorAll("[role=gridcell]")], last = cells[cells.length - 1];
        last.click();
        await wait(() => last.getAttribute("aria-selected") === "true", `${kind} answers to a click`);
      }
    }
    said.push(kind.split("-")[0]);
  }
  const root = document.documentElement;
  return { said, broken: document.querySelectorAll("mjx-merror, [data-mjx-error]").length,
    wide: root.scrollWidth - root.clientWidth };
"""


@pytest.mark.parametrize("engine", [Firefox, WebKit], ids=lambda engine: engine.name)
def test_every_figure_of_every_page_starts_and_answers(engine, site_url, tmp_path):
    if not engine.find():
        pytest.skip(f"no {engine.name} that can be driven is installed here: {HOW[engine.name]}")
    with running(engine, tmp_path) as browser:
        for path in site.pages():
            browser.goto(f"{site_url}/{path}")
            found = browser.run(MOVE_ALL)
            figures = (site.HTML / path).read_text().count('<figure class="ddpm-figure"')
            assert len(found["said"]) == figures, path
            assert found["broken"] == 0 and found["wide"] <= 0, (path, found)
        assert browser.complaints(site_url) == []
