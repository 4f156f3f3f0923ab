"""States on disk: the newest is read, a damaged one gives way to the one before."""

import signal

import torch
from safetensors.torch import save_file

from ddpm_lib.run_state import load_state, read_state, save_state, states
from tests.tiny_runs import TINY, average, ends, quick, send, with_trouble


def test_two_are_kept_and_come_back(tmp_path):
    assert load_state(tmp_path) is None
    for step in (5, 10, 15):
        save_state(tmp_path, {"step": torch.tensor(step), "ema.w": torch.full((2,), step)}, {"loss": step / 2})
    assert [file.name for file in tmp_path.iterdir() if file not in states(tmp_path)] == []
    assert [read_state(file).step for file in states(tmp_path)] == [15, 10]
    state = load_state(tmp_path)
    assert state.step == 15 and state.tensors["ema.w"].tolist() == [15, 15] and state.notes == {"loss": 7.5}


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path, capsys):
    ends(with_trouble(send(signal.SIGINT), 7), tmp_path)
    newest, older = states(tmp_path / "tiny.run")
    newest.write_bytes(newest.read_bytes()[:-100])
    assert ends(TINY, tmp_path, resume=True) == 0
    assert "00000007.safetensors is damaged" in capsys.readouterr().out
    quick(TINY, tmp_path / "straight")
    assert torch.equal(average(tmp_path), average(tmp_path / "straight"))


def put(folder, *steps):
    for step in steps:
        save_state(folder, {"step": torch.tensor(step)}, {})


def test_steps_are_numbers_and_not_text(tmp_path):
    put(tmp_path, 99_999_999, 100_000_000, 100_000_001)
    assert load_state(tmp_path).step == 100_000_001 and len(states(tmp_path)) == 2
    (tmp_path / "state-best.safetensors").write_bytes(b"not ours")
    put(tmp_path, 100_000_002)
    assert [read_state(file).step for file in states(tmp_path)] == [100_000_002, 100_000_001]
    assert (tmp_path / "state-best.safetensors").exists()


def test_two_good_states_are_kept_after_a_damaged_one(tmp_path):
    put(tmp_path, 800, 1000)
    states(tmp_path)[0].write_bytes(b"short")
    put(tmp_path, 900)  # as the run does that went on from 800
    assert [read_state(file).step for file in states(tmp_path)] == [900, 800]


def test_a_state_that_cannot_be_deleted_stays_and_is_tried_again(tmp_path, capsys, monkeypatch):
    def refuse(self, *arguments, **more):
        raise PermissionError(13, "Access is denied")

    with monkeypatch.context() as windows:
        windows.setattr("pathlib.Path.unlink", refuse)
        put(tmp_path, 1, 2, 3, 4)
    assert len(states(tmp_path)) == 4
    assert "state-00000001.safetensors cannot be deleted yet (Access is denied)" in capsys.readouterr().out
    put(tmp_path, 5)
    assert [read_state(file).step for file in states(tmp_path)] == [5, 4]


def test_a_state_read_back_is_not_mapped(tmp_path):
    save_state(tmp_path, {"step": torch.tensor(1), "ema.w": torch.ones(100_000)}, {})
    state = load_state(tmp_path)
    with open("/proc/self/maps") as maps:
        assert str(tmp_path) not in maps.read()
    assert state.tensors["ema.w"].sum() == 100_000


def test_when_no_state_can_be_read(tmp_path, capsys):
    ends(with_trouble(send(signal.SIGINT), 7), tmp_path)
    newest, older = states(tmp_path / "tiny.run")
    newest.write_bytes(b"short")
    save_file({"w": torch.zeros(3)}, older)
    assert ends(TINY, tmp_path, resume=True) == 1
    said = capsys.readouterr()
    assert "is damaged" in said.out and "is no state of a training run" in said.out
    assert "no state in" in said.err and "Traceback" not in said.err
