"""Saving and loading: what is written comes back, and what cannot be read says so."""

import json
import os
import stat

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ddpm_lib import cosine_schedule, simple_loss
from ddpm_lib.checkpoints import available, load, load_pretrained, read_header, save, write_atomically
from ddpm_lib.data import loader
from ddpm_lib.models import MLP, DigitClassifier, UNet
from ddpm_lib.training import train

MODEL = UNet(1, 8, (1, 2), 1, num_classes=3)


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "model.safetensors"
    save(path, MODEL, cosine_schedule(50), {"steps": 7}, dtype=torch.float32)
    model, schedule = load(path)
    for name, value in MODEL.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
    assert torch.equal(schedule.beta, cosine_schedule(50).beta) and schedule.name == "cosine"
    assert not model.training and read_header(path)["card"] == {"steps": 7}
    assert [f.name for f in path.parent.iterdir()] == ["model.safetensors"], "nothing is left aside"


def test_half_precision_on_disk_float32_in_memory(tmp_path):
    save(tmp_path / "m.safetensors", DigitClassifier(dim=4, features=8))
    model, schedule = load(tmp_path / "m.safetensors")
    assert schedule is None and next(model.parameters()).dtype == torch.float32


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    save(path, MODEL)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        save(path, DigitClassifier(dim=4))
    assert path.read_bytes() == before


def test_a_half_is_not_left_on_a_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file"
    write_atomically(path, b"old")
    flush, flushed = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append(os.fstat(number).st_mode) or flush(number))
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and list(map(stat.S_ISDIR, flushed)) == [False, True], "file, then folder"

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"newer")
    assert path.read_bytes() == b"new" and [file.name for file in path.parent.iterdir()] == ["file"]


def test_unreadable_files(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        load(path)
    save(path, MODEL)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="no complete safetensors"):
        load(path)
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="not written by save"):
        load(path)
    save_file({"w": torch.zeros(2)}, path, {"ddpm_lib": json.dumps({"model": "UNet", "config": MODEL.config})})
    with pytest.raises(ValueError, match="do not fit"):
        load(path)
    save_file({"w": torch.zeros(2)}, path, {"ddpm_lib": json.dumps({"model": "GAN", "config": {}})})
    with pytest.raises(ValueError, match="not of this library or not of this version.*UNet"):
        load(path)


class Own(nn.Module):
    """A network of a reader's own: a weight and a count in a buffer."""

    def __init__(self, width=3):
        super().__init__()
        self.layer = nn.Linear(2, width)
        self.register_buffer("seen", torch.tensor(123_457))

    def forward(self, xt, t):
        return self.layer(xt)


def header_file(path, **header):
    save_file({"w": torch.zeros(2)}, path, {"ddpm_lib": json.dumps(header)})


def test_foreign_files_are_told_in_a_sentence(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(ValueError, match="is a folder: name the file in it"):
        load(tmp_path)
    header_file(path, model="MLP", config={"width": 8, "shoes": 2})
    with pytest.raises(ValueError, match="settings that this version does not take.*shoes.*update ddpm_lib"):
        load(path)
    for header in ({"model": "MLP"}, {"config": {}}, {}):
        header_file(path, **header)
        with pytest.raises(ValueError, match="neither which model it holds nor how to build it"):
            load(path)
    save_file({"w": torch.zeros(2)}, path, {"ddpm_lib": "{"})
    with pytest.raises(ValueError, match="is no JSON"):
        load(path)


def test_a_loaded_model_can_be_trained_on(tmp_path):
    model, schedule = load_pretrained("blots")
    assert not model.training
    before = [weight.clone() for weight in model.state_dict().values()]
    points = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
    simple_loss(model, schedule, points).backward()
    *_, step = train(model, loader(points), schedule, 3)
    assert step.step == 3 and not any(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_a_network_of_ones_own_is_loaded_into_one_that_is_handed_over(tmp_path):
    path, own = tmp_path / "own.safetensors", Own()
    save(path, own, cosine_schedule(20), dtype=None)
    with pytest.raises(ValueError, match=r"holds a Own, .*load\(path, model=...\)"):
        load(path)
    model, schedule = load(path, Own())
    assert torch.equal(model.layer.weight, own.layer.weight) and schedule.T == 20 and not model.training
    with pytest.raises(ValueError, match="do not fit"):
        load(path, Own(width=4))


def test_a_class_that_borrows_a_name_of_ours_is_not_taken_for_it(tmp_path):
    class MLP(Own):
        config = {"width": 8}

    save(tmp_path / "m.safetensors", MLP())
    with pytest.raises(ValueError, match="model="):
        load(tmp_path / "m.safetensors")
    load(tmp_path / "m.safetensors", MLP())


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel, lambda model: torch.compile(nn.DataParallel(model))])
def test_a_wrapped_network_is_saved_as_it_is_inside(tmp_path, wrap):
    model = MLP(width=8)
    save(tmp_path / "m.safetensors", wrap(model), dtype=None)
    found, _ = load(tmp_path / "m.safetensors")
    assert type(found) is MLP and all(torch.equal(a, b) for a, b in zip(found.parameters(), model.parameters()))
    load(tmp_path / "m.safetensors", wrap(MLP(width=8)))


def test_nothing_is_lost_in_silence_by_half_precision(tmp_path):
    path, own = tmp_path / "m.safetensors", Own()
    own.layer.weight.data[0, 0], own.layer.bias.data[0] = 70_000.0, 1 / 3
    save(path, own)
    kept = load_file(path)
    assert kept["layer.weight"].dtype == torch.float32 and kept["layer.bias"].dtype == torch.float16
    model, _ = load(path, Own())
    assert model.layer.weight[0, 0] == 70_000 and model.seen == 123_457 and model.seen.dtype == torch.int64
    assert model.layer.bias[0].item() == pytest.approx(1 / 3, rel=2**-11)


def test_weights_that_share_memory_are_saved_each_for_itself(tmp_path):
    own = Own(width=2)
    own.again = own.layer.weight
    save(tmp_path / "m.safetensors", own, dtype=torch.float32)
    again = Own(width=2)
    again.again = again.layer.weight
    assert torch.equal(load(tmp_path / "m.safetensors", again)[0].again, own.again)


def test_a_weight_with_the_schedules_name_is_refused(tmp_path):
    own = Own()
    own.schedule = nn.Module()
    own.schedule.register_buffer("beta", torch.zeros(3))
    with pytest.raises(ValueError, match="save the model without its schedule"):
        save(tmp_path / "m.safetensors", own, cosine_schedule(5))
    save(tmp_path / "m.safetensors", own)
    again = Own()
    again.schedule = nn.Module()
    again.schedule.register_buffer("beta", torch.ones(3))
    assert load(tmp_path / "m.safetensors", again)[0].schedule.beta.sum() == 0


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_where_and_of_which_kind_the_weights_shall_be(tmp_path):
    path = tmp_path / "m.safetensors"
    save(path, MODEL, cosine_schedule(50))
    model, schedule = load(path, dtype=torch.float64, device="meta")
    assert {(w.dtype, w.device.type) for w in model.parameters()} == {(torch.float64, "meta")}
    assert schedule.beta.dtype == torch.float64 and schedule.beta.device.type == "cpu"
    assert next(load_pretrained("blots", dtype=torch.bfloat16)[0].parameters()).dtype == torch.bfloat16
    assert next(load(path, MODEL.__class__(**MODEL.config).double())[0].parameters()).dtype == torch.float64


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="only Linux says what is mapped")
def test_no_file_stays_mapped(tmp_path):
    """Windows can neither replace nor delete a file that is mapped: a run's own weights, loaded in a notebook."""
    path = tmp_path / "mapped.safetensors"
    save(path, MODEL, cosine_schedule(50))
    model, schedule = load(path)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        assert path.name not in maps.read()
    assert model is not None and schedule is not None


def test_what_ships():
    assert {"digits", "digits-classifier"} <= set(available())
    with pytest.raises(ValueError, match="digits"):
        load_pretrained("cats")
