"""One environment, described in several files that agree, and tools that fail in plain words."""

import ast
import os
import re
import subprocess
import tarfile
import tomllib
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ddpm_lib.widgets.network_in_page import FILES
from tests import browser
from tools import environment, lowest, stamp, steps, vendor

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [
    Requirement(line)
    for line in [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
    if not line.startswith(PROJECT["name"])
]
# Wheels for a GPU bring these; each torch pins its own.
OF_A_GPU = re.compile(r"(nvidia|cuda|triton)")


def pins():
    """constraints.txt as {name: version}; anything but `name==version` is an error."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line]
    lines = [line for line in lines if not line.startswith("#")]
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), f"not an exact pin: {line}"
    table = {canonicalize_name(name): version for name, version in (l.split("==") for l in lines)}
    assert len(table) == len(lines), "a package is pinned twice"
    return table


def closure(name, extras=(), seen=None):
    """The names of all distributions that a requirement brings on this machine."""
    seen = {} if seen is None else seen
    new = set(extras) - seen.get(canonicalize_name(name), set())
    if canonicalize_name(name) in seen and not new:
        return seen
    seen.setdefault(canonicalize_name(name), set()).update(extras)
    for line in metadata.requires(name) or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            closure(requirement.name, requirement.extras, seen)
    return seen


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_every_range_of_the_project_has_a_pin_inside_it(requirement):
    version = pins().get(canonicalize_name(requirement.name))
    assert version is not None, "add it to constraints.txt"
    assert requirement.specifier.contains(version)


def test_what_is_installed_is_what_is_pinned():
    pinned, wrong = pins(), []
    for name in closure("ddpm_lib", ("book", "test")):
        if name == "ddpm-lib" or OF_A_GPU.match(name):
            continue
        version = Version(metadata.version(name)).public
        if pinned.get(name) != version:
            wrong.append(f"{name}: {version} is installed, {pinned.get(name)} is pinned")
    assert wrong == []


def test_conda_installs_the_same():
    described = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert described == [
        f"python{PROJECT['requires-python']}",
        "pip",
        {"pip": ["-e .[book,test]"]},
    ]


def test_the_library_itself_has_floors_only():
    for line in PROJECT["dependencies"]:
        operators = {part.operator for part in Requirement(line).specifier}
        assert operators == {">="}, f"{line}: Colab's own version must never be replaced"


def test_the_notebooks_extra_has_floors_only():
    for line in EXTRAS["notebooks"]:
        assert {part.operator for part in Requirement(line).specifier} == {">="}, line


def test_the_floors_are_proved_by_a_job_of_their_own():
    """tools/lowest.py installs exactly the floors, and its tests are there: the job cannot pass by testing nothing."""
    for lines, extra in ((PROJECT["dependencies"], None), (EXTRAS["notebooks"], "notebooks")):
        for line, oldest in zip(lines, lowest.floors(extra), strict=True):
            (floor,) = Requirement(line).specifier
            assert Requirement(oldest) == Requirement(f"{Requirement(line).name}=={floor.version}")
    files = [ROOT / "tests" / f"test_{name}.py" for name in (*lowest.LIBRARY, *lowest.NOTEBOOKS)]
    assert len(files) > 25 and all(file.is_file() for file in files)
    job = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())["jobs"]["lowest"]
    oldest = ".".join(map(str, environment.OLDEST))
    assert job["steps"][1]["with"]["python-version"] == oldest and job["steps"][-1]["run"] == "make lowest"


def test_every_test_runs_with_the_oldest_packages_even_if_one_fails(monkeypatch, tmp_path):
    ran = []
    monkeypatch.setattr(lowest, "FOLDER", lowest.ROOT / "_build" / "lowest-never-made")
    monkeypatch.setattr(lowest.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(lowest, "run_quietly", lambda name, command: ran.append(command))
    monkeypatch.setattr(lowest, "run_openly", lambda name, command, **env: ran.append(command) or len(ran) == 2)
    assert lowest.prove() == 1
    assert "torch==2.5" in ran[0] and "tests/test_training.py" in ran[1]
    assert "transformers==5.6" in ran[2] and "onnx==1.17" in ran[2] and "tests/test_emoji_diffusion.py" in ran[3]


def test_the_oldest_python_is_the_same_everywhere():
    oldest = ".".join(map(str, environment.OLDEST))
    assert PROJECT["requires-python"] == f">={oldest}"
    assert f"Python {oldest}" in (ROOT / "README.md").read_text()
    workflow = (ROOT / ".github/workflows/book.yml").read_text()
    assert f'python: ["{oldest}"' in workflow


def test_every_way_in_runs_the_same_two_commands():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"read", "book", "test", "outputs", "weights", "clean"} <= targets
    readme = (ROOT / "README.md").read_text()
    assert "make read" in readme and "make test" in readme
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK) and "make test" in run.read_text()
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())
    commands = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
    assert {"make test", "make lowest", "make book"} == set(filter(None, commands))
    assert workflow[True]["schedule"]  # YAML reads the key `on` as true


def test_the_address_of_the_repository_is_written_once():
    address = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    files = listed.stdout.splitlines() or [str(p.relative_to(ROOT)) for p in ROOT.glob("*.*")]
    naming = set()
    for name in files:
        file = ROOT / name
        if file.is_file() and file.stat().st_size < 2_000_000 and address.encode() in file.read_bytes():
            naming.add(name)
    stamped = {path.relative_to(ROOT).as_posix() for path in stamp.notebooks()}  # their setup cell is written from it
    assert naming - stamped == {"_config.yml"}


def test_set_up_runs_again_only_when_its_sources_change(monkeypatch, tmp_path):
    for name in environment.SOURCES:
        (tmp_path / name).write_text(name)
    installed = []
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "_create", lambda venv: venv.mkdir(exist_ok=True))
    monkeypatch.setattr(environment, "run_quietly", lambda name, command: installed.append(name))
    monkeypatch.setattr(vendor, "fetch", lambda folder: None)
    environment.set_up("env")
    environment.set_up("env")
    assert installed == ["install the packages"]
    (tmp_path / "constraints.txt").write_text("torch==9\n")
    environment.set_up("env")
    assert len(installed) == 2


def test_a_failed_installation_is_not_remembered(monkeypatch, tmp_path):
    def fail(name, command):
        raise steps.StepFailed(name)

    for name in environment.SOURCES:
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "_create", lambda venv: venv.mkdir(exist_ok=True))
    monkeypatch.setattr(environment, "run_quietly", fail)
    with pytest.raises(steps.StepFailed):
        environment.set_up("env")
    assert not (tmp_path / "env" / ".book-stamp").exists()


def test_an_old_python_is_told_so(monkeypatch):
    monkeypatch.setattr(environment, "OLDEST", (99, 0))
    with pytest.raises(steps.StepFailed, match="needs Python 99.0 or newer.*make PYTHON="):
        environment.set_up()


def test_a_failing_step_names_itself_and_shows_its_complaint(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    monkeypatch.setattr(steps, "LOGS", tmp_path / "logs")
    code = "echo 'WARNING: lost'; seq 40; exit 3"
    with pytest.raises(steps.StepFailed, match="peel the onions ended with status 3"):
        steps.run_quietly("peel the onions", ["sh", "-c", code])
    said = capsys.readouterr().out
    assert "✗ peel the onions: failed after" in said and "WARNING: lost" in said


@pytest.mark.parametrize("package", vendor.PACKAGES, ids=lambda package: package.name)
def test_a_package_that_is_not_ours_is_refused(monkeypatch, tmp_path, package):
    def send_something_else(name, command, **env):
        Path(command[-1], package.archive).write_bytes(b"something else")

    monkeypatch.setattr(vendor, "run_quietly", send_something_else)
    monkeypatch.setattr(vendor.shutil, "which", lambda name, path: "npm")
    elsewhere = replace(package, folder=tmp_path / "here")
    with pytest.raises(steps.StepFailed, match=f"{package.name}.*is not the {package.version}"):
        vendor.fetch(tmp_path, [elsewhere])
    assert not elsewhere.folder.exists()


def test_of_a_package_what_is_wanted_is_unpacked_and_its_licence(tmp_path):
    archive = tmp_path / "thing-1.0.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("package/LICENSE", "package/dist/wanted.js", "package/dist/other.js", "package/wanted.js"):
            tar.addfile(tarfile.TarInfo(name))
    package = vendor.Package("@some/thing", "1.0", "", tmp_path / "here", ("dist/wanted",), ("dist/",))
    assert package.archive == "some-thing-1.0.tgz"
    vendor.unpack(archive, package)
    assert {path.name for path in package.folder.iterdir()} == {"LICENSE", "wanted.js"}


def test_a_module_goes_under_an_ending_that_every_host_knows(tmp_path):
    """Debian's nginx sends .mjs as application/octet-stream, and no browser runs a module of that type."""
    archive = tmp_path / "thing-1.0.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("package/dist/wanted.mjs"))
    package = vendor.Package("thing", "1.0", "", tmp_path / "here", ("dist/wanted",), ("dist/",))
    vendor.unpack(archive, package)
    assert {path.name for path in package.folder.iterdir()} == {"wanted.js"}
    assert FILES["runtime"].endswith(".js")


def test_what_an_older_tree_has_unpacked_under_other_names_is_fetched_again(monkeypatch, tmp_path):
    fetched = []
    monkeypatch.setattr(vendor, "_fetch", lambda package, folder: fetched.append(package.name))
    package = vendor.Package("thing", "1.0", "", tmp_path, ("dist/wanted.mjs",), ("dist/",))
    (tmp_path / "VERSION").write_text("1.0")
    vendor.fetch(tmp_path, [package])
    vendor.fetch(tmp_path, [package])
    vendor.fetch(tmp_path, [replace(package, wanted=("dist/other.mjs",))])
    assert fetched == ["thing", "thing"]


def test_without_a_browser_the_failure_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(browser, "find", lambda: None)
    monkeypatch.setattr(browser, "_installers", lambda: [])
    with pytest.raises(RuntimeError, match="apt-get install chromium.*playwright install"):
        browser.find_or_install()


@pytest.mark.parametrize("folder", ["ddpm_lib", "tools", "benchmarks"])
def test_texts_are_utf_8_whatever_the_machines_own_encoding_is(folder):
    """Windows' own is a code page, in which a card, a caption or CLIP's alphabet cannot be written."""
    wrong = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text"):
                if not any(keyword.arg == "encoding" for keyword in node.keywords):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []
