"""The command line of the recipes as a beginner meets it: what does not apply is refused, and data stay data."""

import json

import pytest
from PIL import Image

from ddpm_lib import recipes
from ddpm_lib.models import UNet
from ddpm_lib.recipes import main


@pytest.fixture
def album(tmp_path, monkeypatch):
    """A folder with 64 pictures, the working directory; networks are small."""
    small = {"dim": 8, "blocks": 1, "heads": 1}
    monkeypatch.setattr(recipes, "UNet", lambda **settings: UNet(**(settings | small)))
    monkeypatch.delenv("DDPM_DATA", raising=False)
    folder = tmp_path / "album"
    folder.mkdir()
    for i in range(64):
        Image.new("RGB", (30 + i, 50), (3 * i, 0, 100)).save(folder / f"{i}.png")
    monkeypatch.chdir(folder)
    return folder


def images_of(out, name="folder"):
    return json.loads((out / f"{name}.run" / "run.json").read_text())["data"]["images"]


@pytest.mark.parametrize("out", ["runs", "."])
def test_a_run_within_its_own_data(album, out, capsys):
    command = ["folder", "--data", ".", "--side", "32", "--every", "1", "--out", out]
    assert main([*command, "--steps", "1"]) == 0
    assert main([*command, "--steps", "2", "--resume"]) == 0
    assert images_of(album / out) == 61
    assert "left out" in capsys.readouterr().out


def test_two_albums_in_one_place(album, capsys):
    command = ["folder", "--data", str(album), "--side", "32", "--steps", "1", "--no-pictures"]
    assert main(command) == 0
    assert main(command) == 1
    assert "another --name" in capsys.readouterr().err
    assert main([*command, "--name", "cats"]) == 0
    assert images_of(album / "runs", "cats") == 61 and (album / "runs" / "cats.safetensors").exists()
    for name in ("../cats", "digits", "", ".hidden", "a b"):
        assert main([*command, "--name", name]) == 1
        assert "the name of a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digits-classifier", "--steps", "5", "--resume", "--precision", "bf16"],
         "digits-classifier has no --precision, --resume, --steps; it takes --data and --out."),
        (["emoji-words-classifier", "--no-pictures"], "has no --no-pictures"),
        (["digits", "--side", "32"], "digits has no --side."),
        (["emoji-diffusion-small", "--name", "mine"], "emoji-diffusion-small has no --name."),
    ],
)  # fmt: skip
def test_options_that_do_not_apply_are_refused(arguments, said, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "need --data FOLDER"),
        (["--data", "nowhere"], "there is no folder nowhere"),
        (["--data", "0.png"], "0.png is a file"),
        (["--data", ".", "--side", "48"], "multiple of 32, got 48"),
    ],
)
def test_a_folder_that_is_none(album, arguments, said, capsys):
    assert main(["folder", *arguments]) == 1
    told = capsys.readouterr().err.strip()
    assert said in told and "Traceback" not in told and "--resume" not in told


def test_more_pictures_than_memory(album, monkeypatch, capsys):
    from ddpm_lib.data import room

    monkeypatch.setattr(room, "memory_left", lambda: 64 * 3 * 64 * 64 - 1)
    assert main(["folder", "--data", "."]) == 1
    told = capsys.readouterr().err
    assert "64 pictures at 64 × 64 need" in told and "a smaller side" in told and "--accumulate" not in told
