"""Every page in a real browser, wide and narrow, light and dark: nothing missing, nothing foreign."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
import yaml

from tools.site import HTML, ROOT, pages

RAW_FORMULA = r"""() => {
  const skip = "script, style, pre, code, textarea, .math, mjx-container";
  const walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  const raw = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest(skip)) continue;
    if (/\$[^$\n]+\$|\\\(|\\\[|\\[a-z]+\{/.test(node.data)) raw.push(node.data.trim().slice(0, 80));
  }
  return raw;
}"""
UNSET = """() => [...document.querySelectorAll("article .math")]
  .filter(e => !e.querySelector("mjx-container")).map(e => e.textContent.slice(0, 80))"""
WRONG = """() => [...document.querySelectorAll("mjx-merror, [data-mjx-error]")]
  .map(e => e.dataset.mjxError || e.textContent)"""
WIDER = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= page.clientWidth) return [];
  const inside = e => { for (let p = e.parentElement; p; p = p.parentElement)
    if (getComputedStyle(p).overflowX !== "visible" && p !== document.body && p !== page) return true; };
  return [...document.querySelectorAll("body *")]
    .filter(e => e.getBoundingClientRect().right > page.clientWidth + 1 && !inside(e))
    .map(e => e.tagName + "." + e.className + ": " + e.textContent.trim().slice(0, 60));
}"""
CUT = """() => [...document.querySelectorAll("article mjx-container[display='true']")]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.scrollWidth - e.clientWidth)"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
EMPTY_PICTURES = """() => [...document.querySelectorAll("article img")]
  .filter(e => !(e.complete && e.naturalWidth)).map(e => e.src.slice(0, 120))"""
FOREIGN = re.compile(
    r"""<(script|img|iframe|source)\b[^>]*\bsrc\s*=\s*["']?(https?:)?//"""
    r"""|<link\b[^>]*rel=["']?(stylesheet|preload|preconnect)[^>]*href=["']?(https?:)?//"""
    r"""|unpkg\.com|jsdelivr|cdnjs|//cdn\.|googleapis""",
    re.IGNORECASE,
)


class Marks(HTMLParser):
    """The places and the links of a page as it was built."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed((HTML / path).read_text())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.add(values.get("id"))
        self.links += [values[key] for key in ("href", "src") if values.get(key)]


@pytest.mark.parametrize("page_path", pages())
@pytest.mark.parametrize("width", [1200, 390])
def test_a_page_is_whole(open_page, page_path, width):
    page, log = open_page(page_path, width=width)
    assert page.locator("article h1").count() == 1
    page.evaluate("() => document.querySelectorAll('details').forEach(e => { e.open = true; })")
    page.evaluate("() => document.querySelectorAll('img').forEach(e => { e.loading = 'eager'; })")  # late becomes now
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        page.wait_for_load_state("networkidle")
        assert page.evaluate(UNSET) == [], "formulas that were not set"
        assert page.evaluate(WRONG) == [], "formulas that MathJax could not read"
        assert page.evaluate(RAW_FORMULA) == [], "formulas that were not found to be formulas"
        assert page.evaluate(EMPTY_PICTURES) == []
        assert width < 1200 or page.evaluate(CUT) == [], "formulas that are cut off: break them into lines"
        assert page.evaluate(WIDER) == [], "wider than the page: let it scroll in a box of its own"
        assert page.evaluate(OVERFLOW) <= 0, "the page scrolls sideways"
    assert log.requests
    assert log.foreign == [], "these requests leave the site"
    assert log.errors == []


def test_formulas_are_set_with_the_sites_own_mathjax(open_page):
    for path in pages():
        page, log = open_page(path)
        if page.locator("article mjx-container").count():
            assert any("/_static/mathjax/tex-mml-chtml.js" in url for url in log.requests)
            assert any("/mathjax/output/chtml/fonts/" in url for url in log.requests)
            return
    pytest.fail("no page shows a formula")


def test_links_of_all_pages_lead_somewhere(site_url):
    marked = {path: Marks(path) for path in pages()}
    broken = []
    for path, marks in marked.items():
        for href in marks.links:
            address, fragment = urldefrag(urljoin(f"{site_url}/{path}", href))
            if not address.startswith(site_url):
                continue
            target = unquote(urlparse(address).path).lstrip("/")
            file = HTML / target
            if not (file.is_file() or (file / "index.html").is_file()):
                broken.append(f"{path}: {href}")
            elif fragment and target in marked and unquote(fragment) not in marked[target].ids:
                broken.append(f"{path}: {href} (no such place on the page)")
    assert broken == []
    assert sum(len(marks.links) for marks in marked.values()) > 100, "the links were not seen"


def test_a_notebook_opens_in_colab_with_one_click(site_url):
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    repository = urlparse(url).path.strip("/")
    for notebook in sorted((ROOT / "book").glob("*.ipynb")):
        colab = "https://colab.research.google.com/github"
        wanted = f"{colab}/{repository}/blob/main/book/{notebook.name}"
        assert wanted in Marks(f"book/{notebook.stem}.html").links


def test_a_search_finds_and_is_asked_for_from_every_page(open_page):
    page, log = open_page("book/01_intuition.html")
    page.keyboard.press("Control+k")
    field = page.locator("#pst-search-dialog input[name=q]")
    field.fill("posterior")
    field.press("Enter")
    page.wait_for_url("**/search.html?q=posterior*")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert any(href.startswith("book/03_reparameterization.html") for href in found)
    assert log.errors == [] and log.foreign == []


def test_a_search_leads_to_sections_and_tells_prose(open_page):
    page, log = open_page("search.html?q=guidance+scale")
    link = page.locator("#search-results .book-sections a").first
    link.wait_for()
    excerpts = page.locator("#search-results .book-sections .context").all_inner_texts()
    assert excerpts and not any(re.search(r"\\\w+\{|^(from|import) |seeded\(", text) for text in excerpts), excerpts
    title, href = link.inner_text(), link.get_attribute("href")
    link.click()
    page.wait_for_url(f"**/{href}")
    section = page.locator("#" + href.split("#")[1]).first
    assert " ".join(section.locator(":is(h1, h2, h3, h4)").first.inner_text().split()).startswith(title)
    assert "guidance" in section.inner_text().lower() and "scale" in section.inner_text().lower()
    assert log.errors == [] and log.foreign == []


def test_a_table_that_a_cell_shows_is_one_of_the_books(open_page):
    page, _ = open_page("book/09_why_diffusion_won.html")
    tables = page.locator(".cell_output table")
    assert tables.count() >= 3
    for table in tables.all():
        cells = table.locator("td").filter(has_text="±")
        assert float(table.locator("td").first.evaluate("e => parseFloat(getComputedStyle(e).paddingRight)")) >= 10
        for cell in cells.all()[:3]:
            tops = cell.evaluate("e => { const r = document.createRange(); r.selectNodeContents(e);"
                                 " return new Set([...r.getClientRects()].map(b => b.top)).size; }")  # fmt: skip
            assert tops == 1, "a number and its deviation stand on one line"
    assert "\n" not in tables.first.locator("td").first.inner_text()


def test_buttons_of_a_page_do_what_they_say(open_page):
    page, log = open_page("book/01_intuition.html")
    before = page.evaluate("() => document.documentElement.dataset.mode")
    page.locator(".bd-header-article .theme-switch-button").click()
    assert page.evaluate("() => document.documentElement.dataset.mode") != before
    assert page.locator("button.copybtn").count() > 10
    book = page.locator("#pst-primary-sidebar")
    page.locator(".bd-header-article .primary-toggle").click()
    book.wait_for(state="hidden")
    page.locator(".bd-header-article .primary-toggle").click()
    book.wait_for(state="visible")
    assert log.errors == []


def test_on_a_telephone_the_book_and_the_page_unfold(open_page):
    page, log = open_page("book/01_intuition.html", width=390)
    for button, dialog, link in [
        (".primary-toggle", "#pst-primary-sidebar-modal", "a[href='05_sampling.html']"),
        (".secondary-toggle", "#pst-secondary-sidebar-modal", "a[href='#exercises']"),
    ]:
        page.locator(f".bd-header-article {button}").click()
        page.locator(f"{dialog} {link}").wait_for(state="visible")
        page.keyboard.press("Escape")
        page.locator(dialog).wait_for(state="hidden")
    page.locator(".bd-header-article .search-button__button").click()
    page.locator("#pst-search-dialog input[name=q]").wait_for(state="visible")
    assert log.errors == []


def test_no_page_names_a_script_or_a_style_of_another_host(site_url):
    for path in pages():
        found = FOREIGN.search((HTML / path).read_text())
        assert not found, f"{path}: {found[0]}"


def test_the_site_can_be_published_as_it_is(site_url):
    assert (HTML / ".nojekyll").exists(), "GitHub Pages would drop every folder that starts with _"
    assert "book/index.html" in (HTML / "index.html").read_text()


def test_a_foreign_request_and_an_error_are_seen(open_page, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<html><body><img src='http://another-host.invalid/x.png'>"
        "<script>console.error('broken'); nothing.here;</script></body></html>"
    )
    page, log = open_page(bad.as_uri())
    page.wait_for_load_state("networkidle")
    assert "http://another-host.invalid/x.png" in log.foreign
    assert any("broken" in error for error in log.errors)
    assert any("nothing is not defined" in error for error in log.errors)


def test_what_is_wrong_with_a_page_is_seen(open_page, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<html><body><article><p>Let $x_t$ be.</p><p>Or \\(y\\).</p><span class='math'>z</span>"
        "<mjx-merror>\\nothing</mjx-merror><img src='missing.png'>"
        "<div style='width: 5000px'>wide</div>"
        "<div style='overflow-x: auto'><div style='width: 9000px'>in a box</div></div></article></body></html>"
    )
    page, _ = open_page(bad.as_uri(), width=390)
    assert page.evaluate(RAW_FORMULA) == ["Let $x_t$ be.", "Or \\(y\\)."]
    assert page.evaluate(UNSET) == ["z"]
    assert len(page.evaluate(WRONG)) == 1
    assert len(page.evaluate(EMPTY_PICTURES)) == 1
    assert page.evaluate(OVERFLOW) > 4000
    assert [found for found in page.evaluate(WIDER) if found.startswith("DIV")] == ["DIV.: wide"]
