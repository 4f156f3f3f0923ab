"""Who imports whom, and that every file of the library is a room: named, and small enough."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parent.parent / "ddpm_lib"
# The left room may look into the right ones, and into no others.
MAY_IMPORT = {
    "schedules": set(),
    "network_plots": {"models", "plots"},
    "noising": {"schedules"},
    "denoisers": {"predictions", "schedules"},
    "predictions": set(),
    "guidance": {"denoisers", "schedules"},
    "samplers": {"denoisers", "noising", "schedules"},
    "losses": {"denoisers", "noising", "predictions", "schedules"},
    "exact": {"denoisers", "losses", "noising", "schedules"},
    "exact_plots": {"denoisers", "plots"},
    "museum": {"plots", "runtime", "seeding"},  # it imports the whole library, but by name, right or wrong
    "two_samples": set(),
    "examples": {"denoisers", "guidance", "noising", "samplers", "schedules"},
    "seeding": set(),
    "training": {"losses", "noising", "runtime", "schedules", "seeding", "training_checks"},
    "training_checks": set(),
    "simple": set(),
    "models": {"seeding", "simple"},
    "data": set(),
    "metrics": set(),
    "painting": set(),
    "pictures": {"painting"},
    "colours": set(),
    "plots": {"colours"},
    "prompt_films": set(),
    "races": {"denoisers", "metrics", "samplers", "schedules"},
    "runtime": set(),
    "stable_diffusion": {"denoisers", "models", "pretrained_parts", "runtime", "schedules"},
    "widgets": {"colours"},
    "_torchvision": set(),
    "checkpoints": {"models", "schedules"},
    "export": {"checkpoints", "models"},
    "export_pipeline": {"export", "pretrained_parts"},
    "pretrained_parts": set(),
    "attention": set(),
    "latents": set(),
    "words": {"pretrained_parts"},
    "word_judge": {"checkpoints", "data", "models", "runtime", "seeding"},
    "text_recipes": {
        "checkpoints",
        "data",
        "latents",
        "models",
        "run_pictures",
        "run_state",
        "runs",
        "runtime",
        "schedules",
        "stable_diffusion",
        "word_judge",
        "words",
    },
    "rivals": {
        "checkpoints",
        "data",
        "denoisers",
        "losses",
        "metrics",
        "models",
        "run_ends",
        "runtime",
        "samplers",
        "schedules",
        "seeding",
        "training",
        "training_checks",
    },
    "judges": {"checkpoints", "data", "models", "runtime", "seeding"},
    "run_ends": set(),
    "run_state": {"checkpoints"},
    "run_lock": set(),
    "run_facts": {"data", "run_state", "runtime", "training"},
    "run_pictures": {"checkpoints", "denoisers", "latents", "losses", "plots", "samplers", "schedules"},
    "runs": {
        "checkpoints",
        "data",
        "run_ends",
        "run_facts",
        "run_lock",
        "run_pictures",
        "run_state",
        "runtime",
        "training",
    },  # fmt: skip
}
KNOW_EVERYTHING = {"recipes", "evaluate"}  # run from the command line, imported by nobody
MATHS = {"schedules", "noising", "denoisers", "guidance", "samplers", "losses", "simple"}
FILES = sorted(LIBRARY.rglob("*.py"))


def room(path):
    """The room a file belongs to: its module, or its folder."""
    return path.relative_to(LIBRARY).with_suffix("").parts[0]


def imports(path):
    """The names of the modules that a file imports, in full; `from . import x` included."""
    package = ("ddpm_lib", *path.relative_to(LIBRARY).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "ddpm_lib":
                yield from (f"ddpm_lib.{alias.name}" for alias in node.names)
            else:
                yield module


def rooms_imported(path):
    ours = [name.split(".")[1] for name in imports(path) if name.startswith("ddpm_lib.")]
    return set(ours) - {room(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_room_looks_only_into_the_rooms_below_it(path):
    name = room(path)
    if name in KNOW_EVERYTHING:
        return
    allowed = MATHS | {"_torchvision"} if name == "__init__" else MAY_IMPORT.get(name)
    assert allowed is not None, f"{name} is a new room: give it its place in MAY_IMPORT"
    assert rooms_imported(path) <= allowed


def test_nobody_imports_the_rooms_that_know_everything():
    assert [path.name for path in FILES if KNOW_EVERYTHING & rooms_imported(path)] == []


def test_accelerate_is_imported_for_training_and_nowhere_else():
    users = {room(path) for path in FILES for name in imports(path) if name.startswith("accelerate")}
    assert users == {"training", "runs"}


def test_the_library_needs_torch_alone():
    code = (
        "import sys, torch; before = set(sys.modules); import ddpm_lib; "
        "new = {n.split('.')[0] for n in set(sys.modules) - before}; "
        "print(sorted(new - {'ddpm_lib', 'torch'} - set(sys.stdlib_module_names)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_file_says_what_it_keeps_and_is_not_too_long(path):
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert docstring.splitlines(), "the first line of a file says what is kept in it"
    assert docstring.splitlines()[0].endswith("."), "the first line is a sentence"
    assert len(text.splitlines()) <= 250, "which room wants a room of its own?"


def test_the_reader_of_imports_sees_every_kind_of_import(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "LIBRARY", tmp_path)
    file = tmp_path / "models" / "unet.py"
    file.parent.mkdir()
    file.write_text(
        "import ddpm_lib.plots\nfrom ddpm_lib import data\nfrom ..noising import add_noise\n"
        "from .. import losses\nfrom . import layers\n\ndef f():\n    from ddpm_lib.recipes import x\n"
    )
    assert rooms_imported(file) == {"plots", "data", "noising", "losses", "recipes"}
