"""Every page as axe sees it, light and dark, wide and narrow; and as a reader without scripts, or on paper, has it."""

import re

import pytest

from tests.page_measures import GRAVE, told, violations
from tools.site import HTML, pages

COLOUR = ["color-contrast"]
# Thousands of coloured words of code take axe most of its time, and are coloured alike at every width.
CODE = {"exclude": ["pre"]}


def at(page, scheme):
    """Show the page in this scheme, with no transition between two colours going on."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    still = "document.getAnimations().every(a => a.playState !== 'running')"
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}' && {still}", polling=100)


@pytest.mark.parametrize("page_path", [*pages(), "search.html"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing_serious(open_page, page_path, width):
    page, _ = open_page(page_path, width=width)
    whole = {1200: "light", 390: "dark"}[width]
    grave = []
    for scheme in ("light", "dark"):
        at(page, scheme)
        if scheme == whole:
            found = violations(page)
        else:
            found = violations(page, CODE)
        grave += [violation for violation in found if violation["impact"] in GRAVE]
    assert told(grave) == []


def test_what_axe_would_find_is_found(open_page, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<html lang='en'><title>x</title><main><h1>x</h1><img src='data:,'><p style='color: #bbb'>pale</p>"
        "<details>folded <button></button></details></main>"
    )
    page, _ = open_page(bad.as_uri())
    found = {violation["id"]: violation for violation in violations(page)}
    assert {"image-alt", "color-contrast", "button-name"} <= set(found)
    assert all(found[name]["impact"] in GRAVE for name in ("image-alt", "color-contrast", "button-name"))
    assert {v["id"] for v in violations(page, runOnly=COLOUR)} == {"color-contrast"}


def test_every_picture_of_a_notebook_has_words_and_a_size_and_loads_late(site_url):
    seen = 0
    for path in pages():
        for tag in re.findall(r'<img [^>]*src="[^"]*_images/[^>]*>', (HTML / path).read_text()):
            alt = re.search(r'alt="([^"]*)"', tag)[1]
            assert len(alt) > 15 and ".png" not in alt, f"{path}: {tag}"
            assert 'loading="lazy"' in tag and re.search(r'width="\d+" height="\d+"', tag), f"{path}: {tag}"
            seen += 1
    assert seen > 50


def test_the_icons_of_the_theme_are_all_drawn(site_url):
    drawn = set(re.findall(r"\.fa-([a-z-]+) \{", (HTML / "_static" / "icons.css").read_text()))
    for path in [*pages(), "search.html"]:
        for names in re.findall(r'class="[^"]*\bfa(?:-solid|s|b)\b[^"]*"', (HTML / path).read_text()):
            wanted = set(re.findall(r"\bfa-([a-z-]+)", names)) - {"solid", "lg"}
            assert wanted <= drawn, f"{path}: {wanted - drawn}"


def test_a_link_to_a_page_has_a_card(site_url):
    for path in pages():
        head = (HTML / path).read_text().split("</head>")[0]
        said = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"', head))
        assert len(said["og:description"]) > 40 and said["description"] == said["og:description"], path
        assert said["og:title"] and "<" not in said["og:title"], path
        assert said["og:image"].startswith("https://"), "social sites read the whole address or none"
        image = HTML / "_static" / said["og:image"].rpartition("/_static/")[2]
        assert image.resolve().is_file(), path


# ---- without scripts, and on paper ----


@pytest.fixture
def scriptless(chromium, site_url):
    contexts = []

    def open_one(path, width=1200):
        context = chromium.new_context(java_script_enabled=False, viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{site_url}/{path}", wait_until="load")
        return page

    yield open_one
    for context in contexts:
        context.close()


def figures_of(path):
    return (HTML / path).read_text().count('<figure class="ddpm-figure"')


@pytest.mark.parametrize("page_path", [path for path in pages() if re.search(r"/(index|0\d_)", path)])
def test_without_scripts_a_page_reads_from_top_to_bottom(scriptless, page_path):
    page = scriptless(page_path)
    assert page.locator("article h1").is_visible()
    assert page.locator(".bd-header-article").is_hidden(), "buttons that do nothing"
    assert page.locator(".ddpm-figure").count() == figures_of(page_path)
    for figure in page.locator(".ddpm-figure").all():
        still = figure.locator(".ddpm-still img").first
        assert still.is_visible() and still.bounding_box()["height"] > 60
        assert figure.locator("figcaption").is_visible()
    for formula in page.locator("article span.math").all()[:3]:
        assert formula.inner_text().startswith("\\(")  # raw TeX: MathJax is a script
    solutions = page.locator(".tag_solution details")
    if solutions.count():
        assert not solutions.first.locator("pre").first.is_visible()
        solutions.first.locator("summary").click()
        assert solutions.first.locator("pre").first.is_visible()
    assert page.locator("nav.bd-links a, .prev-next-footer a").first.is_visible()


@pytest.mark.parametrize("page_path", ["book/index.html", "book/01_intuition.html", "book/02_forward_process.html"])
def test_on_paper_figures_stand_still(open_page, page_path):
    page, _ = open_page(page_path)
    page.wait_for_function("() => document.querySelectorAll('.ddpm-figure:not([data-ready])').length === 0")
    assert page.locator(".ddpm-figure .ddpm-body").first.is_visible()
    page.emulate_media(media="print", color_scheme="light")
    assert page.locator(".ddpm-figure").count() == figures_of(page_path) > 0
    for figure in page.locator(".ddpm-figure").all():
        assert figure.locator(".ddpm-still img").first.is_visible()
        assert figure.locator(".ddpm-body").first.is_hidden()
        assert figure.locator("figcaption").is_visible()
    assert page.locator("article h1").is_visible()
    assert page.locator(".bd-sidebar-primary").is_hidden() and page.locator(".bd-header-article").is_hidden()
    wide = "() => [...document.querySelectorAll('article pre')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    assert page.evaluate(wide) == 0, "code that is cut off at the edge of the sheet"


def test_paper_is_light_whatever_the_screen_is(open_page):
    page, _ = open_page("book/01_intuition.html", scheme="dark")
    ink = "() => [getComputedStyle(document.querySelector('article p')).color, document.documentElement.dataset.theme]"
    on_screen = page.evaluate(ink)
    assert on_screen[1] == "dark"
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate(ink) == ["rgb(0, 0, 0)", "light"]
    page.emulate_media(media="screen")
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(ink) == on_screen
