"""Firefox and WebKit as they are installed, driven by what they bring: no package is needed for either.

Firefox speaks Marionette, JSON over a socket; WebKitGTK's MiniBrowser is driven by WebKitWebDriver, JSON over HTTP.
Playwright's own builds of both are patched and downloaded; these are the browsers that readers have.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

START_SECONDS, SCRIPT_SECONDS = 60, 120
MINI_BROWSERS = ("/usr/lib/*/webkit2gtk-4.*/MiniBrowser", "/usr/libexec/webkit2gtk-4.*/MiniBrowser")


def _free_port():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def _patiently(attempt, process, name):
    """attempt() once it works; RuntimeError if the process dies or START_SECONDS pass."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError, URLError):
            return attempt()
        time.sleep(0.1)
    raise RuntimeError(f"{name} did not start (exit status {process.poll()}).")


class Firefox:
    """A headless Firefox with a profile of its own."""

    name = "Firefox"

    @staticmethod
    def find():
        """The path of a Firefox, or None."""
        return shutil.which("firefox-esr") or shutil.which("firefox")

    def __init__(self, path, folder):
        port, self._count = _free_port(), 0
        (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
        command = [path, "--headless", "--no-remote", "--marionette", "--remote-allow-system-access"]
        self._process = subprocess.Popen([*command, "--profile", str(folder)], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, env=os.environ | {"HOME": str(folder)})  # fmt: skip
        try:
            self._wire = _patiently(lambda: socket.create_connection(("127.0.0.1", port)), self._process, self.name)
            self._wire.settimeout(START_SECONDS + SCRIPT_SECONDS)
            self._read()  # its greeting
            self._ask("WebDriver:NewSession")
            self._ask("WebDriver:SetTimeouts", script=1000 * SCRIPT_SECONDS)
        except BaseException:
            self.close()
            raise

    def _read(self):
        size = b""
        while not size.endswith(b":"):
            size += self._wire.recv(1) or self._lost()
        text = b""
        while len(text) < int(size[:-1]):
            text += self._wire.recv(int(size[:-1]) - len(text)) or self._lost()
        return json.loads(text)

    def _lost(self):
        raise RuntimeError(f"{self.name} hung up.")

    def _ask(self, command, **options):
        self._count += 1
        text = json.dumps([0, self._count, command, options])
        self._wire.sendall(f"{len(text.encode())}:{text}".encode())
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{self.name}: {error.get('message')}")
        return result

    def goto(self, url):
        """Open a page; returns when it has loaded."""
        self._ask("WebDriver:Navigate", url=url)

    def run(self, body):
        """The value of an asynchronous function of this body, in the page."""
        return _unpacked(self._ask("WebDriver:ExecuteAsyncScript", script=_script(body), args=[])["value"])

    def complaints(self, host):
        """What Firefox's console says against scripts of a host: uncaught errors, with their place."""
        self._ask("Marionette:SetContext", value="chrome")
        script = """
            const all = Services.console.getMessageArray().filter(one => one instanceof Ci.nsIScriptError);
            return all.filter(one => !(one.flags & Ci.nsIScriptError.warningFlag))
              .map(one => `${one.sourceName}:${one.lineNumber} ${one.errorMessage}`);"""
        said = self._ask("WebDriver:ExecuteScript", script=script, args=[])["value"]
        self._ask("Marionette:SetContext", value="content")
        return [line for line in said if line.startswith(host)]

    def close(self):
        """End the browser."""
        self._process.terminate()
        self._process.wait(30)


class WebKit:
    """WebKitGTK, Safari's engine, on a screen that is not there (Xvfb). Its driver cannot read the console."""

    name = "WebKit"

    @staticmethod
    def find():
        """The path of a MiniBrowser that can be driven here, or None."""
        tools = all(shutil.which(tool) for tool in ("WebKitWebDriver", "Xvfb"))
        found = [path for pattern in MINI_BROWSERS for path in Path("/").glob(pattern[1:])]
        return str(found[0]) if tools and found else None

    def __init__(self, path, folder):
        reader, writer = os.pipe()
        self._screen = subprocess.Popen(["Xvfb", "-displayfd", str(writer), "-screen", "0", "1300x1000x24"],
                                        pass_fds=[writer], stderr=subprocess.DEVNULL)  # fmt: skip
        os.close(writer)
        with os.fdopen(reader) as told:
            display = f":{told.readline().strip()}"
        port = _free_port()
        home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        self._process = subprocess.Popen(["WebKitWebDriver", f"--port={port}"], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL,
                                         env={**os.environ, "DISPLAY": display, **home})  # fmt: skip
        self._address = f"http://127.0.0.1:{port}"
        try:
            _patiently(lambda: self._ask("GET", "/status"), self._process, self.name)
            wish = {"webkitgtk:browserOptions": {"binary": path, "args": ["--automation"]}}
            session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wish}})
            self._address += f"/session/{session['sessionId']}"
            self._ask("POST", "/timeouts", {"script": 1000 * SCRIPT_SECONDS, "pageLoad": 1000 * SCRIPT_SECONDS})
        except BaseException:
            self.close()
            raise

    def _ask(self, method, path, content=None):
        data = None if content is None else json.dumps(content).encode()
        request = Request(self._address + path, data, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=START_SECONDS + SCRIPT_SECONDS) as answer:
            return json.load(answer)["value"]

    def goto(self, url):
        """Open a page; returns when it has loaded."""
        self._ask("POST", "/url", {"url": url})

    def run(self, body):
        """The value of an asynchronous function of this body, in the page."""
        return _unpacked(self._ask("POST", "/execute/async", {"script": _script(body), "args": []}))

    def complaints(self, host):
        """Nothing: this driver has no way to the console."""
        return []

    def close(self):
        """End browser, driver and screen."""
        with suppress(OSError, URLError):
            self._ask("DELETE", "")
        for process in (self._process, self._screen):
            process.terminate()
            process.wait(30)


def _script(body):
    ends = "value => done({ value }), error => done({ error: String(error) })"
    return f"const done = arguments[arguments.length - 1]; (async () => {{ {body} }})().then({ends});"


def _unpacked(answer):
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer.get("value")


@contextmanager
def running(engine, folder):
    """A browser of this engine, ended at the end."""
    browser = engine(engine.find(), folder)
    try:
        yield browser
    finally:
        browser.close()
