"""What a figure owes the page it lives in: it leaves nothing behind, two tabs do not meet, axe is content."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import pytest

from tests.figures_page import address, control, figure, folder, make_figures, opened, pixels, time_of, until
from tests.page_measures import GRAVE, told, violations
from tests.pipeline_page import make_figure, pipeline_address, tiny_folder
from tests.prompt_film_page import film_address, film_figure, films

# Counts what a module takes hold of outside its own box: listeners, observers, frames, listeners of the model.
WATCHED = """() => {
  const held = { listeners: 0, observers: 0, frames: new Set(), model: 0 };
  const count = (target, name, by) => {
    const own = target[name];
    target[name] = function (...rest) { held.listeners += by; return own.apply(this, rest); };
  };
  for (const target of [window, document, document.documentElement, document.body, MediaQueryList.prototype]) {
    count(target, "addEventListener", 1);
    count(target, "removeEventListener", -1);
  }
  for (const Observer of [MutationObserver, ResizeObserver, IntersectionObserver]) {
    const { observe, disconnect } = Observer.prototype;
    const watching = new Set();
    Observer.prototype.observe = function (...rest) {
      if (!watching.has(this)) { watching.add(this); held.observers += 1; }
      return observe.apply(this, rest);
    };
    Observer.prototype.disconnect = function () {
      if (watching.delete(this)) held.observers -= 1;
      return disconnect.apply(this);
    };
  }
  const ask = window.requestAnimationFrame, drop = window.cancelAnimationFrame;
  window.requestAnimationFrame = (draw) => {
    const id = ask((now) => { held.frames.delete(id); draw(now); });
    held.frames.add(id);
    return id;
  };
  window.cancelAnimationFrame = (id) => { held.frames.delete(id); drop(id); };
  window.held = held;
}"""
LIVE = """async ([name, state]) => {
  const { render } = (await import(`./${name}.js`)).default;
  const listeners = new Map();
  const model = {
    get: (key) => state[key],
    set(key, value) {
      if (state[key] === value) return;
      state[key] = value;
      for (const tell of [...(listeners.get(`change:${key}`) ?? [])]) tell();
    },
    on(event, tell) { held.model += 1; listeners.set(event, [...(listeners.get(event) ?? []), tell]); },
    off(event, tell) {
      held.model -= (listeners.get(event) ?? []).filter((other) => other === tell).length;
      listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== tell));
    },
    save_changes() {},
  };
  const el = document.body.appendChild(document.createElement("div"));
  const dispose = render({ model, el });
  window.live = { el, model, dispose };
}"""
HELD = "() => ({ listeners: held.listeners, observers: held.observers, model: held.model, frames: held.frames.size })"
# In the very frame that first tells of a step: which steps are seen depends on how busy the machine is.
DISPOSED_AT_A_STEP = """() => {
  if (!/^Step \\d/.test(live.el.querySelector("[role=status]").textContent)) return false;
  held.before = held.observers;
  live.dispose();
  return true;
}"""
NOTHING = {"listeners": 0, "observers": 0, "model": 0, "frames": 0}


@pytest.mark.parametrize("name", ["ForwardReverse", "ScheduleExplorer", "PromptFilm"])
def test_a_figure_that_is_disposed_of_leaves_nothing_behind(open_page, request, name):
    where = request.getfixturevalue("film_address" if name == "PromptFilm" else "address")
    state = next(one for one in (*make_figures(), film_figure()) if type(one).__name__ == name).state()
    page, log = open_page(f"{where}/blank.html")
    page.wait_for_function("() => true")  # Playwright listens to a page too, from its first wait on
    page.evaluate(WATCHED)
    page.evaluate(LIVE, [name, state])
    assert page.evaluate("() => live.el.querySelectorAll('[data-control]').length") > 2
    if name == "ForwardReverse":
        page.wait_for_function("() => live.el.querySelector('[data-loaded]')")
        page.evaluate("() => live.model.set('playing', true)")
        page.wait_for_function("() => live.model.get('t') > 3")
    if name == "PromptFilm":
        page.wait_for_function("() => live.el.querySelector('[data-loaded]')")
        page.locator('[data-control="play"]').click()
        page.wait_for_function("() => live.model.get('moment') === 1")
    taken = page.evaluate(HELD)
    assert taken["observers"] > 0 and taken["model"] > 0, "nothing was counted"
    page.evaluate("() => live.dispose()")
    page.wait_for_function("() => held.frames.size === 0")
    assert page.evaluate(HELD) == NOTHING
    assert log.errors == []


def test_a_pipeline_that_is_disposed_of_while_it_draws_leaves_nothing_behind(open_page, pipeline_address, tiny_folder):
    page, log = open_page(f"{pipeline_address}/blank.html")
    page.wait_for_function("() => true")
    page.evaluate(WATCHED)
    page.evaluate(LIVE, ["PipelineInPage", make_figure(tiny_folder, steps=50).state()])
    control(page, "load").click()
    page.wait_for_function(DISPOSED_AT_A_STEP, polling="raf")
    assert page.evaluate("held.before") == 1
    page.wait_for_function("() => held.frames.size === 0")
    assert page.evaluate(HELD) == NOTHING
    until(page, lambda: page.workers == [])
    assert log.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("figures", ["opened", "films"])
def test_axe_finds_nothing_serious_in_a_figure_by_itself(request, scheme, width, figures):
    page, _ = request.getfixturevalue(figures)(scheme=scheme, width=width)
    found = violations(page, {"include": ["figure"]})
    assert told([violation for violation in found if violation["impact"] in GRAVE]) == []
    page.emulate_media(forced_colors="active")
    assert control(figure(page, 0), "play").is_visible()


def test_a_page_opened_twice_is_two_pages(opened, chromium, address):
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    pages = [context.new_page() for _ in range(2)]  # tabs of one browser share its storage
    for page in pages:
        page.goto(f"{address}/index.html")
        page.wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded]').length === 4")
    control(figure(pages[0], 0), "t").fill("90")
    assert time_of(figure(pages[0], 0)) == 90 and time_of(figure(pages[1], 0)) == 0
    assert pages[0].evaluate("() => localStorage.length + sessionStorage.length") == 0
    pages[1].reload()
    pages[1].wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded]').length === 4")
    assert time_of(figure(pages[1], 0)) == 0
    context.close()
