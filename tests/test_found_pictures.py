"""Which files of a folder become data, and what is said of the others."""

import io
import os
import sys

import pytest
import torch
from PIL import Image

from ddpm_lib.data import load_images, loader, room
from ddpm_lib.data.folders import load_image_bytes, set_aside


def picture(path, colour="red", **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 12), colour).save(path, **more)


def load(folder, **more):
    return load_images(folder, side=4, **more)


def test_what_pillow_reads_is_read_and_counted(tmp_path, capsys):
    for name in (
        "a.jpg",
        "b.jfif",
        "c.JPEG",
        "d.tif",
        "e.TIFF",
        "f.avif",
        "g.png",
        "h.webp",
        "i.jp2",
        "j.ppm",
        "k.tga",
    ):
        picture(tmp_path / name)
    images = load(tmp_path)
    assert len(images) == 11
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.tensor([1.0, -1.0, -1.0]), atol=0.02, rtol=0)
    said = capsys.readouterr().out
    assert f"pictures: 11 at 4 × 4, from {tmp_path} (" in said and "1 .avif" in said and "skipped" not in said


def test_what_is_skipped_is_counted_named_and_explained(tmp_path, capsys):
    picture(tmp_path / "a.png")
    for i in range(5):
        (tmp_path / f"IMG_{i}.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "film.mp4").write_bytes(b"film")
    (tmp_path / "more.zip").write_bytes(b"PK")
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "nothing").write_text("words")
    (tmp_path / "._a.png").write_bytes(b"of a Mac")
    picture(tmp_path / ".thumbnails" / "a.png")
    assert len(load(tmp_path)) == 1
    assert capsys.readouterr().out.splitlines() == [
        "skipped 5 .heic (IMG_0.HEIC, IMG_1.HEIC, IMG_2.HEIC, …): pip install pillow-heif, or convert them to .jpg.",
        "skipped 1 .mp4 (film.mp4): films: take single pictures out of them.",
        "skipped 1 .zip (more.zip): archives: unpack them.",
        "skipped 2 that are no pictures by their ending (.txt, no ending).",
        "skipped 2 hidden (a leading dot).",
        f"pictures: 1 at 4 × 4, from {tmp_path} (1 .png)",
    ]


def test_heic_is_read_where_its_package_is_installed(tmp_path, monkeypatch):
    """A stand-in for pillow-heif: its opener reads PNG under the name HEIF."""
    from PIL import PngImagePlugin

    def register_heif_opener():
        Image.register_open("HEIF", PngImagePlugin.PngImageFile, lambda start: start.startswith(b"\x89PNG"))
        Image.register_extension("HEIF", ".heic")

    monkeypatch.setitem(sys.modules, "pillow_heif", type(sys)("pillow_heif"))
    sys.modules["pillow_heif"].register_heif_opener = register_heif_opener
    for table in ("OPEN", "EXTENSION"):
        monkeypatch.setattr(Image, table, dict(getattr(Image, table)))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    inside = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(inside, "PNG")
    (tmp_path / "a.HEIC").write_bytes(inside.getvalue())
    assert len(load(tmp_path)) == 1


def test_a_reason_for_each_that_cannot_be_read(tmp_path, capsys, monkeypatch):
    picture(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_text("<html>")
    picture(tmp_path / "large.png")
    Image.new("F", (9, 9), 0.5).save(tmp_path / "real.tif")
    Image.new("RGB", (40, 20)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    assert len(load(tmp_path)) == 1
    said = capsys.readouterr().out
    assert "b.jpg (no picture inside)" in said and "large.png (more than 600 pixels" in said
    assert "real.tif (its pixels are fractions" in said


def test_links_are_followed_once(tmp_path):
    album, elsewhere = tmp_path / "album", tmp_path / "elsewhere"
    picture(album / "own" / "a.png", "red")
    picture(elsewhere / "b.png", "blue")
    (album / "link").symlink_to(elsewhere)
    (album / "again").symlink_to(elsewhere)
    (album / "back").symlink_to(album)
    (album / "own" / "up").symlink_to(tmp_path)
    (album / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (album / "file.png").symlink_to(elsewhere / "b.png")
    (album / "folder.png").mkdir()
    assert len(load(album)) == 3
    (tmp_path / "as-link").symlink_to(album)
    assert len(load(tmp_path / "as-link")) == 3


def test_what_a_run_wrote_is_no_data(tmp_path, capsys):
    picture(tmp_path / "a.png")
    picture(tmp_path / "runs" / "folder.run" / "pictures" / "00000020-samples.png")
    (tmp_path / "runs" / "folder.run" / "run.json").write_text("{}")
    picture(tmp_path / "runs" / "emoji-diffusion" / "kept_out.webp")
    (tmp_path / "runs" / "emoji-diffusion" / "model_index.json").write_text("{}")
    picture(tmp_path / "runs" / "drawn.png")
    assert len(load(tmp_path)) == 2
    assert "left out runs/folder.run: a training run wrote it." in capsys.readouterr().out
    assert len(load_image_bytes(tmp_path, 4, without=[tmp_path / "runs", tmp_path / "nowhere"])) == 1
    assert "left out runs: it is the folder for results." in capsys.readouterr().out
    assert len(load_image_bytes(tmp_path, 4, without=[tmp_path])) == 2, "the folder asked for is not left out"


def test_names_that_cannot_be_printed(tmp_path, capsys, monkeypatch):
    folder = os.fsencode(tmp_path)
    with open(folder + b"/stra\xdfe.png", "wb") as broken:
        broken.write(b"broken")
    picture(tmp_path / "日本.png")
    strict = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", strict)
    assert len(load(tmp_path)) == 1
    strict.seek(0)
    assert r"stra\udcdfe.png (no picture inside)" in strict.read()


def test_channels_and_sides_that_cannot_be(tmp_path):
    picture(tmp_path / "a.png")
    with pytest.raises(ValueError, match="channels must be 3, or 1"):
        load(tmp_path, channels=4)
    with pytest.raises(ValueError, match="side must be"):
        load_images(tmp_path, side=0)
    with pytest.raises(FileNotFoundError, match="is a file"):
        load(tmp_path / "a.png")


def test_more_than_fits_is_told_before_anything_is_read(tmp_path, monkeypatch):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(b"not even opened")
    monkeypatch.setattr(room, "memory_left", lambda: 3 * 3 * 4 * 4 * 5 - 1)
    with pytest.raises(MemoryError, match="3 pictures at 4 × 4 need 0.0 MB of memory, .* smaller side"):
        load(tmp_path)


def test_memory_left_is_known_here_and_bounded_by_every_limit(monkeypatch, tmp_path):
    left = room.memory_left()
    assert left is None or 0 < left < 1e15
    monkeypatch.setattr(room, "GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 500000\ninactive_file 300000\n")
    assert room.memory_left() == 400_000
    (tmp_path / "memory.max").write_text("max\n")
    assert room._of_container() is None


def test_setting_aside_takes_no_second_copy():
    images = torch.arange(4321).to(torch.int16).reshape(-1, 1)
    where, rows = images.data_ptr(), torch.arange(4321)
    kept, aside = set_aside(images)
    assert kept.data_ptr() == where
    assert torch.equal(kept[:, 0].long(), rows[rows % 20 != 19]) and torch.equal(aside[:, 0].long(), rows[19::20])


def test_batches_of_bytes_are_floats():
    x = torch.arange(256, dtype=torch.uint8).reshape(64, 1, 2, 2)
    (batch, label), *_ = loader(x, torch.arange(64), batch_size=64)
    assert torch.equal(batch, (x[label] / 127.5 - 1).float())
