"""Saving, loading, and the weights that ship with the book.

A checkpoint is one safetensors file: the weights, the schedule's betas as a tensor of their own, and, as JSON
in the header, how to build the model and where it came from. No pickle: loading runs nobody's code.
"""

import json
import os
from pathlib import Path

import torch
from torch import nn

from .models import MLP, UNet
from .models.classifier import Classifier, DigitClassifier
from .models.gan import Critic, Generator
from .models.latent import ImageAutoencoder, TextDenoiser
from .models.vae import ImageVAE
from .schedules import Schedule

WEIGHTS = Path(__file__).parent / "weights"
KNOWN = [UNet, MLP, Classifier, DigitClassifier, ImageAutoencoder, TextDenoiser, Generator, Critic, ImageVAE]
MODELS = {model.__name__: model for model in KNOWN}


def save(
    path: str | Path, model: nn.Module, schedule: Schedule | None = None, card: dict | None = None, dtype=torch.float16
) -> None:
    """Write model (and its schedule) to one file, atomically: a reader finds the old file or the new, never a half.

    card: plain facts to keep in the header (steps, seconds, data, seed). dtype: of the stored weights.
    """
    from safetensors.torch import save as to_bytes

    tensors = {name: value.detach().cpu().to(dtype).contiguous() for name, value in model.state_dict().items()}
    header = {"model": type(model).__name__, "config": model.config, "card": card or {}}
    if schedule is not None:
        tensors["schedule.beta"], header["schedule"] = schedule.beta, schedule.name
    write_atomically(path, to_bytes(tensors, {"ddpm_lib": json.dumps(header, ensure_ascii=False)}))


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new, never a half, even after a power cut.

    First aside, in NAME.part; when that is on the disk it takes the name, and the name goes to the disk too.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    try:
        with open(aside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError:
        # A half is of no use, and on a full disk its room is needed.
        aside.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a directory cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def load(path: str | Path) -> tuple[nn.Module, Schedule | None]:
    """The model, in float32 and evaluation mode, and its schedule (None where it has none)."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint at {path}.")
    try:
        header, tensors = read_header(path), load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path.name} is no complete safetensors file ({error}); make or fetch it again.") from error
    if header["model"] not in MODELS:
        raise ValueError(
            f"{path.name} holds a {header['model']}, which this version does not know; it knows {', '.join(MODELS)}."
        )
    model = MODELS[header["model"]](**header["config"])
    beta = tensors.pop("schedule.beta", None)
    try:
        model.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError as error:
        raise ValueError(
            f"the weights in {path.name} do not fit its own {header['model']}{header['config']}: {error}"
        ) from error
    return model.eval().requires_grad_(False), Schedule(beta, header["schedule"]) if beta is not None else None


def read_header(path: str | Path) -> dict:
    """What a checkpoint says of itself: model, config, schedule, card."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if "ddpm_lib" not in metadata:
        raise ValueError(
            f"{Path(path).name} was not written by ddpm_lib.save: its header does not say how to build the model."
        )
    return json.loads(metadata["ddpm_lib"])


def load_pretrained(name: str) -> tuple[nn.Module, Schedule | None]:
    """A model that ships with the book, with its schedule, by name: see available()."""
    path = WEIGHTS / f"{name}.safetensors"
    if not path.exists():
        raise ValueError(f"no weights called {name!r} ship with the book; there are: {', '.join(available())}.")
    return load(path)


def available() -> list[str]:
    """Names that load_pretrained knows."""
    return sorted(file.stem for file in WEIGHTS.glob("*.safetensors"))


def load_results(name: str) -> dict:
    """The numbers measured on a shipped model, with the command, hardware and seconds that made them."""
    path = WEIGHTS / f"{name}.json"
    if (WEIGHTS / name).is_dir():
        path = WEIGHTS / name / "results.json"
    if not path.exists():
        raise ValueError(
            f"no results called {name!r} ship with the book; make them with python -m ddpm_lib.evaluate {name}."
        )
    return json.loads(path.read_text())
