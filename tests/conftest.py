"""Fixtures for all tests: the built site on localhost, and pages opened in a browser."""

import fcntl
import os

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DDPM_RUN", "quick")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest  # noqa: E402

from tests import browser  # noqa: E402
from tools import site  # noqa: E402

SLOWEST_FIRST = ("test_colab.py", "test_accessibility.py", "test_site.py")
LAST = ("test_page_weight.py",)  # it reads a clock, and the machine is quietest then


def pytest_collection_modifyitems(items):
    """Start the slowest files first, so that the second worker is not idle at the end."""
    order = {name: i for i, name in enumerate([*SLOWEST_FIRST, None, *LAST])}
    items.sort(key=lambda item: order.get(item.path.name, order[None]))


@pytest.fixture(scope="session")
def site_url(tmp_path_factory):
    """The address of the built site on localhost; builds it first if it is stale."""
    lock = site.ROOT / "_build" / "site.lock"  # two workers must not build at once
    lock.parent.mkdir(exist_ok=True)
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        site.build_if_stale()
    with site.serving() as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium (a Playwright browser); fails with how to get one, never skips."""
    path = browser.find_or_install()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=browser.ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def open_page(chromium, request):
    """Open a page: `page, log = open_page("book/index.html", width=390, scheme="dark")`.

    A path is taken on the built site, an address as it is. Formulas are set when it returns.
    """
    contexts = []

    def open_one(path_or_url, width=1200, scheme="light", height=900):
        url = path_or_url
        if "://" not in url:
            url = f"{request.getfixturevalue('site_url')}/{url.lstrip('/')}"
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(120_000)  # a busy machine is slow, not wrong
        contexts.append(context)
        page, log = context.new_page(), browser.Log()
        log.attach(page)
        page.goto(url, wait_until="load")
        page.evaluate("() => window.MathJax?.startup?.promise")
        return page, log

    yield open_one
    for context in contexts:
        context.close()
