"""A pipeline is opened whole or refused in a sentence: no weight stays random, and no precision is forgotten."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from safetensors.torch import load_file, save_file

from ddpm_lib import pretrained_parts, stable_diffusion
from ddpm_lib.evaluate import text_to_image
from ddpm_lib.export_pipeline import export_pipeline, networks
from ddpm_lib.pretrained_parts import FLOORS, load_whole, without_bars
from ddpm_lib.words import train_tokenizer
from tests.pipeline_folder import write_pipeline

FILES = {
    "text_encoder": "text_encoder/model.safetensors",
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
}
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines") / "whole"
    write_pipeline(folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    monkeypatch.setattr(stable_diffusion, "device", lambda: torch.device("cpu"))


def rename(folder, part, how):
    tensors = load_file(folder / FILES[part])
    save_file({how(key): value for key, value in tensors.items()}, folder / FILES[part], metadata={"format": "pt"})


@pytest.mark.parametrize("part", FILES)
@pytest.mark.parametrize(
    "opened",
    [stable_diffusion.load_pipeline, lambda folder: stable_diffusion.find_pipeline(str(folder)), networks,
     export_pipeline],
    ids=["load", "find", "networks", "export"],
)  # fmt: skip
def test_weights_under_other_names_are_refused_by_every_way_in(opened, part, copy):
    """As transformers 5.0 to 5.5 read the book's text encoder: every name has a beginning that they do not know."""
    rename(copy, part, lambda key: f"elsewhere.{key}")
    library = "transformers" if part == "text_encoder" else "diffusers"
    with pytest.raises(RuntimeError, match=rf"{part} of .*copy was not opened: {library} [\d.]+ does not find"):
        opened(copy)
    assert not (copy / "page").exists() or not list((copy / "page").iterdir())


@pytest.mark.parametrize("part", FILES)
def test_one_missing_weight_is_enough(part, copy):
    tensors = load_file(copy / FILES[part])
    gone = sorted(tensors)[0]
    del tensors[gone]
    save_file(tensors, copy / FILES[part], metadata={"format": "pt"})
    with pytest.raises(RuntimeError, match=f"does not find 1 of its.*{gone}"):
        stable_diffusion.load_pipeline(copy)


def test_the_measuring_opens_it_in_the_same_way():
    assert text_to_image.load_pipeline is stable_diffusion.load_pipeline


@torch.no_grad()
def test_a_text_encoder_with_the_names_of_other_years_is_read_as_it_is(whole, copy):
    """Stable Diffusion's own files: every name begins with text_model., and a table of positions comes along."""
    rename(copy, "text_encoder", lambda key: f"text_model.{key}")
    tensors = load_file(copy / FILES["text_encoder"])
    tensors["text_model.embeddings.position_ids"] = torch.arange(24)[None]
    save_file(tensors, copy / FILES["text_encoder"], metadata={"format": "pt"})
    one, two = stable_diffusion.load_pipeline(whole), stable_diffusion.load_pipeline(copy)
    assert torch.equal(stable_diffusion.read(one, ["red apple"]), stable_diffusion.read(two, ["red apple"]))


@pytest.mark.parametrize(
    "name, found", [("transformers", "5.5.4"), ("transformers", "4.57.6"), ("diffusers", "0.39.0")]
)
def test_a_library_that_is_too_old_is_named_with_its_cure(name, found, monkeypatch, whole):
    real = pretrained_parts.version
    monkeypatch.setattr(pretrained_parts, "version", lambda asked: found if asked == name else real(asked))
    for way in (
        lambda: stable_diffusion.find_pipeline("emoji-diffusion"),
        lambda: stable_diffusion.load_pipeline(whole),
        lambda: networks(whole),
        lambda: train_tokenizer(["a red apple"]),
    ):
        with pytest.raises(RuntimeError, match=rf"{name} {found} cannot.*{FLOORS[name][0]} or newer.*pip install"):
            way()


def test_a_library_that_is_missing_is_named(monkeypatch, whole):
    def version(name):
        raise pretrained_parts.PackageNotFoundError(name)

    monkeypatch.setattr(pretrained_parts, "version", version)
    with pytest.raises(RuntimeError, match="needs transformers, which is not installed: pip install"):
        stable_diffusion.load_pipeline(whole)


def test_the_floors_are_those_of_the_package():
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for extra in ("notebooks", "bench"):
        for requirement in map(Requirement, lines[extra]):
            if requirement.name in FLOORS:
                assert str(requirement.specifier) == f">={FLOORS[requirement.name][0]}", extra


def test_half_precision_is_what_was_asked_for(whole, monkeypatch):
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

    pipe = load_whole(StableDiffusionPipeline, whole, torch.float16)
    assert {getattr(pipe, part).dtype for part in FILES} == {torch.float16}
    real = UNet2DConditionModel.from_pretrained

    def deaf(*args, dtype, **options):
        return real(*args, **options)

    monkeypatch.setattr(UNet2DConditionModel, "from_pretrained", deaf)
    with pytest.raises(RuntimeError, match="unet of .* in torch.float32, not in torch.float16 as asked"):
        load_whole(StableDiffusionPipeline, whole, torch.float16)


@pytest.mark.parametrize("on", [(True, True, True), (False, True, True), (True, False, False), (False, False, True),
                                (False, True, False)])  # fmt: skip
def test_bars_are_afterwards_as_they_were(on, whole):
    from diffusers.utils import logging as of_diffusers
    from huggingface_hub import utils as hub
    from transformers.utils import logging as of_transformers

    def state():
        return (of_diffusers.is_progress_bar_enabled(), of_transformers.is_progress_bar_enabled(),
                not hub.are_progress_bars_disabled())  # fmt: skip

    def bring(wanted):
        for library, switch in zip((of_diffusers, of_transformers), wanted):
            library.enable_progress_bar() if switch else library.disable_progress_bar()
        hub.enable_progress_bars() if wanted[2] else hub.disable_progress_bars()

    before = state()
    try:
        bring(on)
        with without_bars():
            assert state()[:2] == (False, False)
        assert state() == on
        with pytest.raises(ZeroDivisionError), without_bars():
            raise ZeroDivisionError
        assert state() == on
    finally:
        bring(before)


def test_what_the_libraries_have_to_say_is_heard_while_it_loads():
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    before = of_diffusers.get_verbosity(), of_transformers.get_verbosity()
    with without_bars():
        assert (of_diffusers.get_verbosity(), of_transformers.get_verbosity()) == before


def test_the_shipped_pipeline_opens_without_a_word():
    code = "from ddpm_lib.stable_diffusion import find_pipeline; find_pipeline('emoji-diffusion')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert (run.stdout, run.stderr) == ("", "")
