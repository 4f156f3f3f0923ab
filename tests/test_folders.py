"""Folders of pictures: sizes and modes of all kinds, broken files, and too few."""

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_lib.data import load_images

COLOUR = (200, 100, 50)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode(tmp_path, mode, channels):
    ending = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    Image.new("RGB", (40, 30), COLOUR).convert(mode).save(tmp_path / f"picture.{ending}")
    images = load_images(tmp_path, side=8, channels=channels)
    coloured = channels == 3 and mode in ("P", "RGB", "RGBA", "CMYK", "YCbCr")
    expected = torch.tensor(COLOUR if coloured else [124] * channels) / 127.5 - 1
    assert images.shape == (1, channels, 8, 8)
    torch.testing.assert_close(images.mean((0, 2, 3)), expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("value", [0, 32768, 65535])
def test_sixteen_bits_are_scaled_and_not_cut(tmp_path, value):
    Image.fromarray(np.full((9, 9), value, np.uint16)).save(tmp_path / "deep.png")
    assert load_images(tmp_path, side=4).mean().item() == pytest.approx(value / 32768 - 1, abs=0.01)


def test_broken_files_are_named_and_skipped(tmp_path, capsys):
    (tmp_path / "sub").mkdir()
    Image.effect_noise((60, 60), 50).save(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "sub" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.gif").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("no picture by its name")
    assert len(load_images(tmp_path, side=8)) == 1
    said = capsys.readouterr().out
    assert "skipped 3 unreadable" in said and all(name in said for name in ("sub/cut.png", "empty.gif", "text.jpg"))
    assert "notes.txt" not in said


def test_too_few_or_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        load_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no readable picture"):
        load_images(tmp_path)
    Image.new("RGB", (9, 9)).save(tmp_path / "one.png")
    with pytest.raises(ValueError, match="1 readable pictures .* at least 16"):
        load_images(tmp_path, side=8, at_least=16)
