"""Build the pages into _build/html, and serve them on localhost."""

import gzip
import hashlib
import http.server
import io
import shutil
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import yaml

from tools import vendor
from tools.steps import ROOT, main, run_quietly

HTML = ROOT / "_build" / "html"
STAMP = HTML / ".book-stamp"
NETWORK = ROOT / "ddpm_lib" / "weights" / "digits.onnx"
PIPELINE = ROOT / "ddpm_lib" / "weights" / "emoji-diffusion"
SOURCES = ("_config.yml", "_toc.yml", "book", "constraints.txt", NETWORK.relative_to(ROOT), PIPELINE.relative_to(ROOT))


def build():
    """Build every page from the stored outputs; a warning is an error."""
    vendor.fetch(Path(sys.executable).parent)
    shutil.rmtree(HTML, ignore_errors=True)
    jupyter_book = Path(sys.executable).parent / "jupyter-book"
    command = [jupyter_book, "build", ".", "-W", "--keep-going", "--all"]
    run_quietly("build the pages", command)
    _prune()
    _pack_network()
    (HTML / ".nojekyll").touch()  # GitHub Pages drops _static/ without it
    STAMP.write_text(_fingerprint(), encoding="utf-8")
    print(f"The book is in {(HTML / 'index.html').relative_to(ROOT)}", flush=True)


def pages():
    """The path of every page of _toc.yml, the first one first."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [f"{file}.html" for file in [toc["root"], *chapters]]


def _prune():
    """Take away what the theme brings and no page asks for (book/_theme/layout.html): 6 MB."""
    shutil.rmtree(HTML / "_static" / "vendor", ignore_errors=True)
    for pattern in ("*.map", "fontawesome*"):
        for path in (HTML / "_static").rglob(pattern):
            path.unlink()


def _pack_network():
    """Put the network of chapter 5 and its WebAssembly beside the runtime, packed; the page unpacks them.

    So they travel at a quarter of their size from every host, whatever it compresses by itself.
    """
    folder = HTML / "_static" / "network"
    wasm = folder / "ort-wasm-simd-threaded.wasm"
    for file in (wasm, NETWORK):
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
    wasm.unlink()
    pack_pipeline(PIPELINE, folder / PIPELINE.name)


def pack_pipeline(source, folder):
    """Put the graphs and the weights of a text-to-image pipeline into a folder of the site, packed; none, no matter."""
    if (source / "page").is_dir():
        for file in [*source.glob("page/*.onnx"), *source.glob("*/*.safetensors")]:
            target = folder / file.relative_to(source).with_name(f"{file.name}.gz")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))


def build_if_stale():
    """Build the pages unless those in _build/html were made from what is here now."""
    if not STAMP.exists() or STAMP.read_text(encoding="utf-8") != _fingerprint():
        build()


def server(port=0, folder=HTML):
    """A server of the built pages, or of another folder, on localhost; port 0 takes any free one."""
    handler = partial(_Handler, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


@contextmanager
def serving(folder=HTML):
    """Serve a folder on localhost while the block lasts: its address."""
    httpd = server(folder=folder)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()


def serve(port=8000):
    """Serve the built pages until the keyboard stops it; takes the next free port."""
    for candidate in range(int(port), int(port) + 20):
        try:
            httpd = server(candidate)
            break
        except OSError:
            continue
    else:
        sys.exit(f"No free port from {port} on; name another with `make read PORT=9000`.")
    print(f"\nRead the book at http://localhost:{httpd.server_port}/  (Ctrl-C stops)", flush=True)
    httpd.serve_forever()


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, quietly, and texts gzipped, as GitHub Pages and every other host of pages does."""

    protocol_version = "HTTP/1.1"
    texts = (".html", ".css", ".js", ".mjs", ".json", ".svg")
    gzipped: dict = {}  # (path, time of change) → bytes

    def send_head(self):
        path = Path(self.translate_path(self.path))
        wanted = "gzip" in self.headers.get("Accept-Encoding", "") and path.suffix in self.texts
        if not wanted or not path.is_file():
            return super().send_head()
        key = (path, path.stat().st_mtime_ns)
        if key not in self.gzipped:
            self.gzipped[key] = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(self.gzipped[key])))
        self.end_headers()
        return io.BytesIO(self.gzipped[key])

    def log_message(self, *args):
        pass


def _fingerprint():
    digest = hashlib.sha256()
    for source in SOURCES:
        path = ROOT / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and ".ipynb_checkpoints" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main(lambda command, *rest: {"build": build, "serve": serve}[command](*rest))
