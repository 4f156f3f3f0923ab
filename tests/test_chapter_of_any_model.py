"""Chapter 8 on another model: every cell runs when its one constant names another pipeline."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from ddpm_lib.stable_diffusion import tiny_pipeline

NOTEBOOK = Path(__file__).parent.parent / "book" / "08_stable_diffusion.ipynb"
CONSTANT = 'MODEL = "emoji-diffusion"'


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
