"""The figures in other hands and hosts: phones, paper, no JavaScript, a file, and a live kernel's model."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

from tests.browser import Log
from tests.figures_page import address, control, figure, folder, frames, number, opened, pixels, settle, time_of, until


def test_every_control_has_a_name(opened):
    page, _ = opened()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("figure input, figure select, figure button")]
          .filter(one => ![...(one.labels ?? [])].some(label => label.textContent.trim())
            && !one.textContent.trim() && !one.getAttribute("aria-label"))
          .map(one => one.outerHTML)"""
    )
    assert nameless == []
    pictures = page.locator("figure canvas, figure svg.ddpm-chart")
    names = pictures.evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert len(names) >= 8 and all(names)
    assert page.locator("figcaption").all_inner_texts()[:2] == ["Drag the time.", "Shorten T."]


def test_a_phone_is_wide_enough(opened):
    for scheme in ("light", "dark"):
        page, log = opened(width=390, scheme=scheme)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        for one in page.locator(".ddpm-body button, .ddpm-body input, .ddpm-body select").all():
            box = one.bounding_box()
            if box:  # the quiet figure hides some
                assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        assert log.errors == []


def test_touch_moves_time(chromium, address):
    context = chromium.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto(f"{address}/index.html")
    page.wait_for_selector(".ddpm-body[data-loaded]")
    first, explorer = figure(page, 0), figure(page, 1)
    box = control(first, "t").bounding_box()
    page.touchscreen.tap(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    assert 130 <= time_of(first) <= 150
    explorer.scroll_into_view_if_needed()
    box = explorer.locator("svg.ddpm-chart").first.bounding_box()
    page.touchscreen.tap(box["x"] + 30 + 0.5 * (box["width"] - 38), box["y"] + 50)
    settle(page)
    assert abs(time_of(explorer) - 500) < 15
    context.close()


def test_print_shows_the_still(opened):
    page, _ = opened()
    still, body = figure(page, 0).locator(".ddpm-still"), figure(page, 0).locator(".ddpm-body")
    assert body.is_visible() and not still.is_visible()
    page.emulate_media(media="print")
    assert still.is_visible() and not body.is_visible()
    assert still.bounding_box()["height"] > 100


def test_without_javascript_the_still_stands(chromium, address):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/index.html")
    for n in (0, 1):
        assert figure(page, n).locator(".ddpm-still img").is_visible()
        assert figure(page, n).locator("figcaption").is_visible()
    context.close()


def test_it_works_from_a_file(chromium, folder):
    page, log = chromium.new_page(), Log()
    log.attach(page)
    page.goto((folder / "index.html").as_uri())
    page.wait_for_selector(".ddpm-body[data-loaded]")
    control(figure(page, 0), "t").fill("150")
    assert number(figure(page, 0), "signal") != "1.000" and log.errors == []
    page.close()


# A model with the methods of anywidget's, that keeps a record of what is saved.
MODEL = """async ([name, state]) => {
  const { default: widget } = await import(`./${name}.js`);
  const listeners = {};
  const model = {
    state, saved: 0, listeners,
    get: (key) => model.state[key],
    set: (key, value) => {
      if (model.state[key] === value) return;
      model.state[key] = value;
      for (const tell of [...(listeners[`change:${key}`] ?? [])]) tell();
    },
    on: (event, tell) => { (listeners[event] ??= []).push(tell); },
    off: (event, tell) => { listeners[event] = listeners[event].filter((other) => other !== tell); },
    save_changes: () => { model.saved += 1; },
  };
  const el = document.createElement("div");
  document.body.append(el);
  window.model = model;
  window.stop = await widget.render({ model, el });
}"""


def live(open_page, address, name):
    from tests.figures_page import make_figures

    state = next(one for one in make_figures() if type(one).__name__ == name).state()
    page, log = open_page(f"{address}/blank.html")
    page.evaluate(MODEL, [name, state])
    page.wait_for_selector(".ddpm-body[data-loaded]")
    return page, log, page.locator(".ddpm-figure")


def test_a_live_model_hears_the_reader_and_is_heard(open_page, address):
    page, log, el = live(open_page, address, "ForwardReverse")
    assert el.locator(".ddpm-caption").inner_text() == "Drag the time."
    control(el, "t").focus()
    page.keyboard.press("End")
    assert page.evaluate("() => [model.get('t'), model.saved > 0]") == [200, True]
    before = pixels(el, "ddpm-picture")
    page.evaluate("() => { model.set('t', 40); model.set('direction', 'reverse') }")
    assert time_of(el) == 40 and control(el, "reverse").is_checked()
    assert (pixels(el, "ddpm-picture") != before).any()
    page.evaluate("() => model.set('playing', true)")
    until(page, lambda: page.evaluate("() => model.get('t')") < 40)
    page.evaluate("() => stop()")
    rest = page.evaluate("() => model.get('t')")
    frames(page, 60)
    assert page.evaluate("() => [model.get('t'), Object.values(model.listeners).flat().length]") == [rest, 0]
    assert log.errors == [] and log.foreign == []


def test_a_live_explorer_hears_the_reader_and_is_heard(open_page, address):
    page, log, el = live(open_page, address, "ScheduleExplorer")
    page.evaluate("() => { model.set('T', 50); model.set('t', 50) }")
    settle(page)
    assert number(el, "left") == "77.6 %" and time_of(el) == 50
    control(el, "kind").select_option("cosine")
    assert page.evaluate("() => [model.get('kind'), model.saved]") == ["cosine", 1]
    page.evaluate("() => stop()")
    assert page.evaluate("() => Object.values(model.listeners).flat().length") == 0
    assert log.errors == []
