"""A run goes on as if never stopped, writes what it should, and is not mixed with another."""

import dataclasses
import json
import os
import signal

import pytest
import torch
from PIL import Image

from ddpm_lib import recipes, runs
from ddpm_lib.checkpoints import load, read_header
from ddpm_lib.models import UNet
from ddpm_lib.recipes import main
from ddpm_lib.run_state import load_state, states
from ddpm_lib.runs import run
from tests.tiny_runs import TINY, Trouble, average, ends, pictures, quick, send, with_trouble


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("decay", ["cosine", "none"])
def test_stopped_and_resumed_is_as_never_stopped(tmp_path, accumulate, decay):
    recipe = dataclasses.replace(TINY, decay=decay)
    quick(recipe, tmp_path / "straight", accumulate=accumulate)
    stopping = dataclasses.replace(recipe, model=Trouble(send(signal.SIGTERM), 4 * accumulate))
    torch.rand(7)  # what the rest of the program draws is no matter
    with pytest.raises(runs.Stopped, match="step 4"):
        quick(stopping, tmp_path / "halves", accumulate=accumulate)
    torch.rand(3)
    quick(recipe, tmp_path / "halves", accumulate=accumulate, resume=True)
    assert torch.equal(average(tmp_path / "straight"), average(tmp_path / "halves"))
    both = [load_state(tmp_path / name / "tiny.run") for name in ("straight", "halves")]
    assert both[0].notes["loss"] == both[1].notes["loss"] and both[0].step == both[1].step == 8
    assert all(torch.equal(value, both[1].tensors[name]) for name, value in both[0].tensors.items())


def test_weights_states_and_notes(tmp_path):
    path = quick(TINY, tmp_path)
    folder = tmp_path / "tiny.run"
    assert [file.name for file in states(folder)] == ["state-00000008.safetensors", "state-00000006.safetensors"]
    assert sorted(file.name for file in tmp_path.rglob("*.part")) == []
    model, schedule = load(path)
    expected = average(tmp_path)
    found = torch.cat([value.flatten() for _, value in sorted(model.state_dict().items())])
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-3)
    card = read_header(path)["card"]
    assert card["steps"] == 8 and card["recipe"]["model"] == "tiny_unet" and len(card["data"]["sha256"]) == 64
    assert json.loads((folder / "run.json").read_text())["recipe"] == card["recipe"]
    assert quick(TINY, tmp_path, resume=True) == path, "a finished run has nothing left to do"


def test_pictures_are_drawn_and_do_not_disturb_the_run(tmp_path):
    run(TINY, tmp_path / "with", precision="no", every=4)
    drawn = sorted((tmp_path / "with" / "tiny.run" / "pictures").iterdir())
    assert [file.name for file in drawn] == [f"{s:08d}-{what}.png" for s in (4, 8) for what in ("losses", "samples")]
    assert all(file.read_bytes()[:4] == b"\x89PNG" for file in drawn)
    quick(TINY, tmp_path / "without")
    assert torch.equal(average(tmp_path / "with"), average(tmp_path / "without"))


def test_a_run_is_not_mixed_with_another(tmp_path, capsys):
    ends(with_trouble(send(signal.SIGINT), 5), tmp_path)
    before = average(tmp_path)
    others = {
        "--resume": (TINY, {}),
        "lr = 0.01": (dataclasses.replace(TINY, lr=0.5), {"resume": True}),
        "has gone 5 steps": (dataclasses.replace(TINY, num_steps=4), {"resume": True}),
        "batch_size": (dataclasses.replace(TINY, num_steps=9, batch_size=5), {"resume": True}),
        "--precision no": (TINY, {"resume": True, "precision": "bf16"}),
        "sha256": (dataclasses.replace(TINY, data=lambda r, t: pictures(r, False)), {"resume": True}),
    }
    others["sha256"][0].data.__name__ = "pictures"
    for sentence, (recipe, more) in others.items():
        capsys.readouterr()
        assert ends(recipe, tmp_path, **more) == 1
        said = capsys.readouterr().err.strip()
        assert sentence in said and ("--out" in said or "5 or more" in said) and "\n" not in said
        assert torch.equal(average(tmp_path), before)


@pytest.mark.parametrize("decay", ["cosine", "none"])
def test_a_run_is_resumed_for_more_steps(tmp_path, capsys, decay):
    short = dataclasses.replace(TINY, num_steps=5, decay=decay)
    quick(short, tmp_path)
    assert quick(dataclasses.replace(short, num_steps=8), tmp_path, resume=True) == tmp_path / "tiny.safetensors"
    said = capsys.readouterr().out
    assert "from step 5 on this run has 8 steps instead of 5" in said and "learning rate" in said
    state, card = load_state(tmp_path / "tiny.run"), read_header(tmp_path / "tiny.safetensors")["card"]
    assert state.step == card["steps"] == card["recipe"]["num_steps"] == 8
    assert card["planned_before"] == [{"until_step": 5, "num_steps": 5, "warmup": 3}]
    # With "none" the curve is the same for every length, so that nothing tells the two ways apart.
    quick(dataclasses.replace(short, num_steps=8), tmp_path / "at once")
    same = torch.equal(average(tmp_path), average(tmp_path / "at once"))
    assert same == (decay == "none")
    quick(dataclasses.replace(short, num_steps=8), tmp_path, resume=True)
    assert "all of its 8 steps" in capsys.readouterr().out


def test_an_interrupted_run_gets_another_length_and_keeps_the_tale(tmp_path):
    assert ends(with_trouble(send(signal.SIGINT), 4), tmp_path) == 130
    quick(dataclasses.replace(TINY, num_steps=6, warmup=1), tmp_path, resume=True)
    quick(dataclasses.replace(TINY, num_steps=7), tmp_path, resume=True)
    card = read_header(tmp_path / "tiny.safetensors")["card"]
    assert [(part["until_step"], part["num_steps"], part["warmup"]) for part in card["planned_before"]] == [
        (4, 8, 3), (6, 6, 1)
    ]  # fmt: skip


def test_the_precision_is_known_and_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runs, "best_precision", lambda: "bf16")
    assert ends(with_trouble(send(signal.SIGINT), 4), tmp_path / "stopped") == 130
    path = quick(TINY, tmp_path / "stopped", resume=True, precision=None)
    assert "going on with --precision no" in capsys.readouterr().out
    quick(TINY, tmp_path / "straight")
    assert torch.equal(average(tmp_path / "stopped"), average(tmp_path / "straight"))
    assert read_header(path)["card"]["precision"] == "no"
    quick(TINY, tmp_path / "other", precision=None)
    notes = json.loads((tmp_path / "other" / "tiny.run" / "run.json").read_text())
    assert notes["training"] == {"precision": "bf16"}


def test_what_the_rest_of_the_program_draws_is_not_disturbed(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    quick(TINY, tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_images_of_bytes_train_as_floats_do(tmp_path):
    def as_bytes(root, train):
        return (torch.arange(40 * 64) % 256).to(torch.uint8).reshape(40, 1, 8, 8), None

    def as_floats(root, train):
        return as_bytes(root, train)[0] / 127.5 - 1, None

    as_bytes.__name__ = as_floats.__name__ = "bytes"
    run(dataclasses.replace(TINY, data=as_bytes), tmp_path / "a", precision="no", every=8)
    quick(dataclasses.replace(TINY, data=as_floats), tmp_path / "b")
    assert torch.equal(average(tmp_path / "a"), average(tmp_path / "b"))
    cards = [read_header(tmp_path / name / "tiny.safetensors")["card"] for name in "ab"]
    assert cards[0]["data"] == cards[1]["data"], "one fingerprint"


def test_nothing_of_the_state_is_held_or_mapped_while_the_run_goes_on(tmp_path):
    assert ends(with_trouble(send(signal.SIGINT), 4), tmp_path) == 130
    held = []

    def look(output):
        maps = open("/proc/self/maps").read() if os.path.exists("/proc/self/maps") else ""
        held.append((str(tmp_path) in maps, sum(len(t) for t in given)))

    given = []
    real = runs.begin

    def begin(*arguments):
        state = real(*arguments)
        given.append(state.tensors)
        return state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "begin", begin)
        assert ends(with_trouble(look, 2), tmp_path, resume=True) == 0
    assert held == [(False, 0)]


def test_resume_with_nothing_there_starts(tmp_path, capsys):
    assert ends(TINY, tmp_path, resume=True) == 0
    assert "starting at step 0" in capsys.readouterr().out


def test_precision_by_the_hardware(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for answer, expected in ((True, "bf16"), (False, "no")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda answer=answer: answer, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
        assert runs.best_precision() == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert runs.best_precision() == "no"


def test_refusals(tmp_path, capsys, monkeypatch):
    with pytest.raises(ValueError, match="decay"):
        quick(dataclasses.replace(TINY, decay="steep"), tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ends(TINY, tmp_path, tracker="tensorboard") == 1
    assert "pip install tensorboard" in capsys.readouterr().err
    for arguments in (["digits", "--steps", "0"], ["nothing"], ["digits", "--precision", "fp8"]):
        with pytest.raises(SystemExit):
            main(arguments)


def test_own_pictures(tmp_path, capsys, monkeypatch):
    small = {"dim": 8, "blocks": 1, "heads": 1}
    monkeypatch.setattr(recipes, "UNet", lambda **settings: UNet(**(settings | small)))
    folder, out = tmp_path / "mine", str(tmp_path / "out")
    folder.mkdir()
    for i in range(63):
        Image.new("RGB", (30 + i, 50), (4 * i, 0, 100)).save(folder / f"{i}.png")
    command = ["folder", "--data", str(folder), "--side", "32", "--steps", "1", "--out", out, "--no-pictures"]
    assert main(command) == 1
    assert "63 readable pictures" in capsys.readouterr().err
    Image.new("L", (40, 40), 9).save(folder / "one-more.jpg")
    (folder / "broken.jpg").write_bytes(b"nothing")
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "skipped 1 unreadable: broken.jpg" in said
    model, schedule = load(json.loads(said.splitlines()[-1])["weights"])
    assert model(torch.zeros(1, 3, 32, 32), torch.tensor([5])).shape == (1, 3, 32, 32)
    assert main([*command, "--side", "50"]) == 1
    assert "multiple of 32" in capsys.readouterr().err


def _work(folder):
    """Stop after a signal that only the second process gets, then go on to the end."""
    from accelerate import Accelerator

    me, written, kept = Accelerator(), [], []
    save_state, runs.save_state = runs.save_state, lambda *a: written.append(save_state(*a).name)
    recipe = TINY if me.process_index == 0 else with_trouble(send(signal.SIGTERM), 4)
    hook = recipe.model.hook
    recipe.model.hook = lambda module, inputs, output: (kept.append(module), hook(module, inputs, output))[1]
    with pytest.raises(runs.Stopped) as stopped:
        quick(recipe, folder / "both")
    quick(recipe, folder / "both", resume=True)
    state = load_state(folder / "both" / "tiny.run")
    weights = torch.cat([w.detach().flatten() for w in kept[-1].parameters()]).tolist()
    facts = [me.num_processes, str(stopped.value), written, state.step, weights]
    (folder / f"{me.process_index}.json").write_text(json.dumps(facts))


def test_two_processes_share_a_run(tmp_path):
    from accelerate import debug_launcher
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        debug_launcher(_work, args=(tmp_path,), num_processes=2)
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    first, second = (json.loads((tmp_path / f"{i}.json").read_text()) for i in (0, 1))
    assert first[0] == second[0] == 2
    assert "stopped at step 4" in first[1] and first[1] == second[1], "a signal to one stops both at the same step"
    assert first[2] == [f"state-{step:08d}.safetensors" for step in (3, 4, 6, 8)] and second[2] == [], "one writes"
    assert first[3] == second[3] == 8
    assert first[4] == second[4], "both hold the same weights"
