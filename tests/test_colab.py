"""A notebook alone: a new environment, the built package, an empty folder, no repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tools import stamp

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "book" / "03_reparameterization.ipynb"
OURS = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME", "MPLBACKEND")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what the package is made from, so that nothing is built inside the tree."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ddpm_lib", folder / "ddpm_lib", ignore=ignore)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """The built wheel of the package."""
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source)
    (built,) = folder.glob("ddpm_lib-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The Python of a new environment that holds the wheel, its needs, and a kernel."""
    folder = tmp_path_factory.mktemp("alone") / "venv"
    call(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    package = f"ddpm_lib[notebooks] @ {wheel.as_uri()}"
    constraints = ["-c", ROOT / "constraints.txt"]
    install = [python, "-m", "pip", "install", "-q", "--no-compile", *constraints]
    call(*install, package, "ipykernel", "nbclient")
    return python


def call(*command, cwd=None, **env):
    """Run a command that knows nothing of this environment; fail with what it said."""
    clean = {key: value for key, value in os.environ.items() if key not in OURS}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=clean | env, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def execute(python, notebook, folder, **env):
    """Execute a notebook alone in an empty folder; return it with one more cell's output."""
    where = "import ddpm_lib\nprint(ddpm_lib.__file__)"
    notebook.cells.append(nbformat.v4.new_code_cell(where))
    nbformat.write(notebook, folder / "alone.ipynb")
    assert [path.name for path in folder.iterdir()] == ["alone.ipynb"]
    run = Path(python).parent / "jupyter-execute"
    call(run, "--inplace", "--timeout=300", "alone.ipynb", cwd=folder, OMP_NUM_THREADS="1", **env)
    done = nbformat.read(folder / "alone.ipynb", as_version=4)
    return done, Path(done.cells[-1].outputs[0].text.strip())


def test_the_wheel_brings_the_figures_and_the_weights(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    kinds = {".py", ".js", ".css", ".safetensors", ".md", ".json"}
    data = [p for p in (ROOT / "ddpm_lib").rglob("*") if p.suffix in kinds]
    assert {p.suffix for p in data} >= {".js", ".css", ".safetensors"}
    missing = {p.relative_to(ROOT).as_posix() for p in data} - names
    assert missing == set()
    assert not any(name.startswith(("tests/", "tools/", "book/")) for name in names)


def test_a_notebook_runs_without_the_repository(python, tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    done, imported = execute(python, notebook, tmp_path, DDPM_RUN="quick", HF_HUB_OFFLINE="1")
    assert imported.is_relative_to(Path(python).parent.parent), "not the package of the wheel"
    ran = [cell for cell in done.cells if cell.cell_type == "code" and cell.source.strip()]
    assert [cell.execution_count for cell in ran] == list(range(1, len(ran) + 1))
    assert not [o for cell in ran for o in cell.outputs if o.output_type == "error"]


def test_the_setup_cell_fetches_the_library_from_its_address(python, source, tmp_path):
    """The last of this file: it takes the wheel's package away first, as on a new Colab."""
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-C", source]
    call(*git, "init", "-q")
    call(*git, "add", "-A")
    call(*git, "commit", "-q", "-m", "the package")
    call(python, "-m", "pip", "uninstall", "-q", "-y", "ddpm_lib")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(stamp.setup_cell())])
    redirect = {  # git takes the local copy wherever the book's address is asked for
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{source.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": stamp.address(),
    }
    before = call(python, "-m", "pip", "freeze")
    _, imported = execute(python, notebook, tmp_path, **redirect)
    assert imported.is_relative_to(Path(python).parent.parent)
    after = call(python, "-m", "pip", "freeze")
    kept = [line for line in after.splitlines() if not line.startswith("ddpm_lib")]
    assert kept == before.splitlines(), "nothing that was there may be replaced"
