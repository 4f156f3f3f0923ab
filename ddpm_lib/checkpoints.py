"""Saving, loading, and the weights that ship with the book.

A checkpoint is one safetensors file: the weights, the schedule's betas as a tensor of their own, and, as JSON
in the header, how to build the model and where it came from. No pickle: loading runs nobody's code.
"""

import errno
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from .models import MLP, UNet
from .models.classifier import Classifier, DigitClassifier
from .models.gan import Critic, Generator
from .models.latent import ImageAutoencoder, TextDenoiser
from .models.vae import ImageVAE
from .schedules import Schedule

WEIGHTS = Path(__file__).parent / "weights"
KNOWN = [UNet, MLP, Classifier, DigitClassifier, ImageAutoencoder, TextDenoiser, Generator, Critic, ImageVAE]
MODELS = {model.__name__: model for model in KNOWN}
BETA = "schedule.beta"  # its name in a checkpoint


def save(
    path: str | Path,
    model: nn.Module,
    schedule: Schedule | None = None,
    card: dict | None = None,
    dtype: torch.dtype | None = torch.float16,
) -> None:
    """Write model (and its schedule) to one file, atomically: a reader finds the old file or the new, never a half.

    model: of this library, which load() builds again by itself; or any other, for load(path, model=...). Out of a
    wrapper (torch.compile, DataParallel, DistributedDataParallel) it is taken first.
    card: plain facts to keep in the header (steps, seconds, data, seed).
    dtype: of the stored weights, None for their own. float16 halves the file and rounds each weight to 11 bits, which
    no sample shows; it is not for training to go on from. A tensor with a number beyond dtype's range (65,504 for
    float16) is kept in its own dtype instead; so are whole numbers, such as a count in a buffer. betas are float64.
    """
    from safetensors.torch import save as to_bytes

    model = unwrapped(model)
    tensors = {name: stored(value, dtype) for name, value in model.state_dict().items()}
    ours = MODELS.get(type(model).__name__) is type(model)
    header = {"model": type(model).__name__, "config": model.config if ours else None, "card": card or {}}
    if schedule is not None:
        if BETA in tensors:
            raise ValueError(f"the name {BETA} is the schedule's in a checkpoint: save the model without its schedule.")
        tensors[BETA], header["schedule"] = schedule.beta, schedule.name
    write_atomically(path, to_bytes(tensors, {"ddpm_lib": json.dumps(header, ensure_ascii=False)}))


def unwrapped(model: nn.Module) -> nn.Module:
    """The network itself, out of torch.compile, DataParallel and DistributedDataParallel."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif "_orig_mod" in model._modules:  # what torch.compile gives
            model = model._orig_mod
        else:
            return model


def stored(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A tensor of its own on the CPU, in this dtype if it holds real numbers and all of them stay finite in it."""
    value = value.detach().to("cpu", copy=True).contiguous()
    if dtype is None or not value.is_floating_point():
        return value
    rounded = value.to(dtype)
    return rounded if torch.equal(rounded.isfinite(), value.isfinite()) else value


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new, never a half, even after a power cut.

    First aside, in NAME.PROCESS-NUMBER.part, which no other writer uses; when that is on the disk it takes the name,
    and the name goes to the disk too. Shared folders that cannot flush (of a virtual machine, SMB, sshfs) keep all of
    that but the last: there a power cut is at the risk of whoever lends the folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with open(aside, "wb") as file:
            file.write(content)
            file.flush()
            flush(file.fileno())
        os.replace(aside, path)
    except OSError:
        # A half is of no use, and on a full disk its room is needed.
        aside.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a directory cannot be opened
        with suppress(PermissionError):  # of a folder that may be written to and not be read
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                flush(folder)
            finally:
                os.close(folder)


def flush(number: int) -> None:
    """os.fsync, where the file system knows how to; some know it for no file, or for files but for no folder."""
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise


def load(
    path: str | Path,
    model: nn.Module | None = None,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[nn.Module, Schedule | None]:
    """The model, in evaluation mode and ready to be trained on, and its schedule (None where it has none).

    model: a network to put the weights into, in place; needed where save() was given one that is not of this library.
    device, dtype: where the weights shall be and of which kind; None is the CPU and float32, or as `model` has them.
    Nothing of the file stays open or mapped. Raises FileNotFoundError where there is no file, and ValueError, with
    what to do, for one that is cut short, is not ours, or holds another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path, header = Path(path), read_header(path)
    if model is None:
        model = built(path.name, header)
    model.to(device=device, dtype=dtype)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(cut_short(path, error)) from error
    # load_file maps the file: copied, so that the file can be replaced or deleted while this lives (on Windows too).
    beta = tensors.pop(BETA).clone() if "schedule" in header and BETA in tensors else None
    try:
        unwrapped(model).load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(
            f"the weights in {path.name}, of a {header['model']} with {header['config']}, do not fit: {error}"
        ) from error
    return model.eval(), Schedule(beta, header["schedule"]) if beta is not None else None


def built(name: str, header: dict) -> nn.Module:
    """A new network of the kind that the header of the file called `name` describes."""
    kind, config = header["model"], header["config"]
    if kind not in MODELS or config is None:
        raise ValueError(
            f"{name} holds a {kind}, which is not of this library or not of this version (it knows"
            f" {', '.join(MODELS)}): build it yourself and hand it over, load(path, model=...)."
        )
    try:
        return MODELS[kind](**config)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} holds a {kind} with settings that this version does not take ({error}): update ddpm_lib."
        ) from error


def read_header(path: str | Path) -> dict:
    """What a checkpoint says of itself: model, config (None for one that is not of this library), schedule, card.

    Raises as load() does.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name the file in it, such as {path / 'digits.safetensors'}.")
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint at {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(cut_short(path, error)) from error
    if "ddpm_lib" not in metadata:
        raise ValueError(f"{path.name} was not written by save(): its header does not say how to build the model.")
    try:
        header = json.loads(metadata["ddpm_lib"])
    except json.JSONDecodeError as error:
        raise ValueError(f"the header of {path.name} is no JSON ({error}); make or fetch it again.") from error
    if not isinstance(header, dict) or not {"model", "config"} <= header.keys():
        raise ValueError(f"the header of {path.name} says neither which model it holds nor how to build it.")
    return header


def cut_short(path: Path, error: Exception) -> str:
    return f"{path.name} is no complete safetensors file ({error}); make or fetch it again."


def load_pretrained(
    name: str, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> tuple[nn.Module, Schedule | None]:
    """A model that ships with the book, with its schedule, by name: see available(), and load() for the rest."""
    path = WEIGHTS / f"{name}.safetensors"
    if not path.exists():
        raise ValueError(f"no weights called {name!r} ship with the book; there are: {', '.join(available())}.")
    return load(path, device=device, dtype=dtype)


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
    return json.loads(path.read_text(encoding="utf-8"))
