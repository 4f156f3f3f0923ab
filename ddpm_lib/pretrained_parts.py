"""The parts of a pretrained text-to-image pipeline: opened whole and in the precision asked for, or refused.

diffusers and transformers go on where a file's weights do not fit the network: what is missing stays random, and the
only sign is a report among the other things they log. Here a weight that is not found ends it, in a sentence.
"""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import nn

# The oldest versions that read the book's own pipeline, with why (pyproject.toml has the same floors).
FLOORS = {
    "transformers": ("5.6", "older ones leave the text encoder random, without a word, or fail at its tokenizer"),
    "diffusers": ("0.40", "older ones ignore the precision that they are asked for"),
}


def check_versions() -> None:
    """RuntimeError where diffusers or transformers is missing or too old, with what to install."""
    from packaging.version import Version

    cure = "pip install --upgrade " + " ".join(f"'{name}>={oldest}'" for name, (oldest, _) in FLOORS.items())
    for name, (oldest, why) in FLOORS.items():
        try:
            found = version(name)
        except PackageNotFoundError as error:
            raise RuntimeError(f"text-to-image needs {name}, which is not installed: {cure}.") from error
        if Version(found).release < Version(oldest).release:
            raise RuntimeError(
                f"{name} {found} cannot be used for text-to-image, {oldest} or newer can: {why}."
                f" {cure}, and start Python again."
            )


def load_whole(kind, source: str, dtype: torch.dtype = torch.float32, offline: bool = True):
    """A pipeline of diffusers' class `kind` with every weight of every part found, in `dtype`.

    source: a folder in diffusers' format, or an id; offline: look on the disk alone. Raises RuntimeError where a weight
    is missing, left over or of another shape, or a part has another precision; what diffusers raises where it finds
    nothing.
    """
    source = str(source)
    parts = {
        name: load_part(network, source, name, dtype, offline)
        for name, network in _networks(kind.load_config(source, local_files_only=offline)).items()
    }
    return kind.from_pretrained(source, **parts, dtype=dtype, local_files_only=offline)


def load_part(kind, source: str, name: str, dtype: torch.dtype = torch.float32, offline: bool = True) -> nn.Module:
    """One network of a pipeline, of diffusers' or transformers' class `kind`, from its folder `name`: as load_whole."""
    part, report = kind.from_pretrained(
        source, subfolder=name, dtype=dtype, local_files_only=offline, output_loading_info=True
    )
    # CLIP's older files hold a table of the numbers 0, 1, 2, …, which is no weight.
    extra = [key for key in report["unexpected_keys"] if not key.endswith("position_ids")]
    lost = [*report["missing_keys"], *report.get("mismatched_keys", [])]
    if lost or extra:
        library = kind.__module__.split(".")[0]
        raise RuntimeError(
            f"{name} of {source} was not opened: {library} {version(library)} does not find {len(lost)} of its"
            f" {len(part.state_dict())} weights in the file, and does not know {len(extra)} that the file holds, so"
            f" it would be random in part ({(lost + extra)[0]}). Was it written by another version of {library}?"
        )
    if part.dtype != dtype:
        library = kind.__module__.split(".")[0]
        raise RuntimeError(
            f"{name} of {source} was opened in {part.dtype}, not in {dtype} as asked: {library} {version(library)}"
            " did not hear the precision."
        )
    return part


def _networks(index: dict) -> dict[str, type]:
    """The classes of a pipeline's parts that are networks, by name, from its model_index.json."""
    import diffusers
    import transformers

    found = {}
    for name, entry in index.items():
        library, class_name = entry if isinstance(entry, (list, tuple)) and len(entry) == 2 else (None, None)
        if library in ("diffusers", "transformers"):
            home = {"diffusers": diffusers, "transformers": transformers}[library]
        elif library and hasattr(diffusers.pipelines, library):  # such as the safety checker, of stable_diffusion
            home = importlib.import_module(f"diffusers.pipelines.{library}")
        else:
            continue
        kind = getattr(home, class_name, None)
        if isinstance(kind, type) and issubclass(kind, nn.Module):
            found[name] = kind
    return found


@contextmanager
def without_bars() -> Iterator[None]:
    """While it lasts, diffusers and transformers draw no progress bars, which would stay in a notebook's outputs.

    Their warnings and reports are heard as ever, and afterwards the bars are as they were.
    """
    from diffusers.utils import logging as of_diffusers
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging as of_transformers

    were_on = [library for library in (of_diffusers, of_transformers) if library.is_progress_bar_enabled()]
    hub_was_off = are_progress_bars_disabled()
    for library in were_on:
        library.disable_progress_bar()
    try:
        yield
    finally:
        with warnings.catch_warnings(action="ignore"):  # the hub's word that its bars stay off, which is as wanted
            for library in were_on:
                library.enable_progress_bar()
            if hub_was_off:  # transformers' switch turns the hub's with it
                disable_progress_bars()
