"""A Chromium for the tests: found, or installed by the ways that exist, or asked for clearly."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
HELP = (
    "No Chromium was found and none could be installed. The tests of the pages need one: "
    "`apt-get install chromium` (as root), or `.venv/bin/playwright install chromium`, "
    "or put a Chrome on the PATH, or set BROWSER_PATH to one."
)


@dataclass
class Log:
    """What a page did: every request, those that left this machine, and every complaint."""

    requests: list = field(default_factory=list)
    foreign: list = field(default_factory=list)
    errors: list = field(default_factory=list)

    def attach(self, page):
        """Listen to a Playwright page."""
        page.on("request", self._request)
        page.on("requestfailed", lambda r: self.errors.append(f"{r.url}: {r.failure}"))
        page.on("response", self._response)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _request(self, request):
        self.requests.append(request.url)
        if not is_local(request.url):
            self.foreign.append(request.url)

    def _response(self, response):
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")

    def _console(self, message):
        if message.type == "error":
            self.errors.append(message.text)


def is_local(url):
    """Whether a request to this address stays on this machine."""
    local = ("http://127.0.0.1:", "http://localhost:", "ws://127.0.0.1:", "data:", "blob:")
    return url.startswith(local) or url in ("about:blank", "about:srcdoc")


def find():
    """The path of a Chromium that is here, or None."""
    named = os.environ.get("BROWSER_PATH")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    found = [path for path in found if path and Path(path).exists()]
    return str(found[0]) if found else next(map(str, _of_playwright()), None)


def find_or_install():
    """The path of a Chromium, installed if need be.

    Raises:
        RuntimeError: there is none, with the ways to get one.
    """
    for command in (None, *_installers()):
        if command is not None:
            print("no browser yet:", " ".join(command), flush=True)
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
        if path := find():
            return path
    raise RuntimeError(HELP)


def _installers():
    """Commands that may bring a browser on this kind of machine, in order."""
    if shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if not sudo or shutil.which("sudo"):
            yield [*sudo, "apt-get", "update", "-qq"]
            yield [*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    yield [sys.executable, "-m", "playwright", "install", "chromium"]


def _of_playwright():
    """The Chromiums that `playwright install chromium` left in Playwright's cache."""
    caches = [Path.home() / ".cache/ms-playwright", Path.home() / "Library/Caches/ms-playwright"]
    if folder := os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        caches.insert(0, Path(folder))
    for cache in caches:
        for name in ("chrome", "Chromium", "headless_shell", "chrome-headless-shell"):
            yield from (path for path in cache.glob(f"chromium*-*/**/{name}") if path.is_file())
