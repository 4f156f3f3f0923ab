"""Chapter 8 on another model: every cell runs when its one constant names another pipeline."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from ddpm_lib.stable_diffusion import tiny_pipeline

NOTEBOOK = Path(__file__).parent.parent / "book" / "08_stable_diffusion.ipynb"
CONSTANT = 'MODEL = "emoji-diffusion"'
CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"


@pytest.fixture
def cells(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    monkeypatch.chdir(NOTEBOOK.parent)
    notebook = json.loads(NOTEBOOK.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    yield ["".join(cell["source"]) for cell in code if "remove-cell" not in cell["metadata"].get("tags", [])]
    plt.close("all")
    torch.set_grad_enabled(True)  # the chapter switches gradients off


def test_one_constant_changes_the_model_of_every_cell(cells, tmp_path, capsys):
    tiny_pipeline().save_pretrained(tmp_path / "tiny")
    assert sum(cell.count(CONSTANT) for cell in cells) == 1
    names = {}
    for cell in cells:
        exec(cell.replace(CONSTANT, f"MODEL = {str(tmp_path / 'tiny')!r}"), names)
    # It is the tiny one that was run: four halvings, a vocabulary of letters, noise for prediction, and random weights.
    assert names["pipe"].vae_scale_factor == 8 and names["schedule"].name == "scaled-linear"
    said = capsys.readouterr().out
    assert said.count("within 1e-4: True") == 2
    assert names["source"].shape == (1, 4, 8, 8)


@pytest.fixture
def block():
    """The code that a reader with a GPU copies."""
    texts = ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"]]
    (found,) = [m[1] for text in texts for m in re.finditer(r"```python\n(.*?)```", text, re.S) if "%pip" in m[1]]
    return found


def test_the_code_for_a_gpu_runs_word_for_word(block, tmp_path, monkeypatch):
    """With the tiny pipeline for Stable Diffusion and the CPU for the GPU; all else is as the chapter prints it."""
    from diffusers import StableDiffusionPipeline

    tiny_pipeline().save_pretrained(tmp_path / "tiny")
    load, asked = StableDiffusionPipeline.from_pretrained, []

    def instead(model, **options):
        asked.append(model)
        return load(tmp_path / "tiny", **options)

    monkeypatch.setattr(StableDiffusionPipeline, "from_pretrained", instead)
    monkeypatch.setattr(StableDiffusionPipeline, "to", lambda self, where: asked.append(where) or self)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec("\n".join(line for line in block.splitlines() if not line.startswith("%pip")), names)
    assert asked == ["stable-diffusion-v1-5/stable-diffusion-v1-5", "cuda"]
    assert names["pipe"].unet.dtype == names["pipe"].vae.dtype == torch.float16
    assert [Image.open(name).size for name in ("astronaut.png", "sunset.png")] == [(64, 64)] * 2


def test_the_code_for_a_gpu_names_the_versions_that_the_book_is_tested_with(block):
    named = dict(re.findall(r'"([\w-]+)==([\d.]+)"', block))
    pinned = dict(re.findall(r"^([\w-]+)==([\w.]+)", CONSTRAINTS.read_text(), re.M))
    assert named.keys() == {"diffusers", "transformers", "accelerate"}
    assert named == {name: pinned[name] for name in named}
