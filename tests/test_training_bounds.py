"""The training loop at its edges: what it refuses and leaves as it was; models and machines out of the ordinary."""

import json

import pytest
import torch

from ddpm_lib import linear_schedule
from ddpm_lib.data import loader, ring
from ddpm_lib.losses import simple_loss
from ddpm_lib.models import MLP, UNet
from ddpm_lib.training import train

SCHEDULE = linear_schedule()
POINTS = ring(512, generator=torch.Generator().manual_seed(0))


def new_model():
    torch.manual_seed(0)
    return MLP(width=32)


def test_an_infinite_loss_stops_too_though_its_gradient_is_finite():
    model, calls = new_model(), []

    def loss(network, schedule, x0, label=None):
        calls.append(1)
        return simple_loss(network, schedule, x0) + (float("inf") if len(calls) == 2 else 0.0)

    loop = train(model, loader(POINTS), SCHEDULE, 10, loss=loss)
    next(loop)
    good = [w.clone() for w in model.parameters()]
    with pytest.raises(FloatingPointError, match="loss became inf .* at step 2"):
        next(loop)
    assert all(torch.equal(a, b) for a, b in zip(good, model.parameters()))


@pytest.mark.parametrize(
    "setting, sentence",
    [
        (dict(precision="fp16"), "float16 needs a scaled loss"),
        (dict(accumulate=0), "accumulate must be a whole number, 1 or more, got 0"),
        (dict(accumulate=1.5), "got 1.5"),
        (dict(clip_norm=0.0), "clip_norm must be more than 0, got 0"),
        (dict(lr=float("nan")), "lr must be more than 0, got nan"),
        (dict(ema_decay=1.1), "ema_decay must lie between 0 and 1, got 1.1"),
        (dict(label_dropout=-0.1), "label_dropout must lie"),
    ],
)
def test_arguments_are_looked_at_when_it_is_called(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        train(new_model(), loader(POINTS), SCHEDULE, 3, **setting)
    with pytest.raises(ValueError, match="num_steps must be a whole number, 0 or more, got -1"):
        train(new_model(), loader(POINTS), SCHEDULE, -1)
    with pytest.raises(ValueError, match="every weight of this model is frozen.*requires_grad_"):
        train(new_model().requires_grad_(False), loader(POINTS), SCHEDULE, 3)


def test_no_clipping_is_none():
    weights = []
    for clip_norm in (None, 1e9):
        model = new_model()
        list(train(model, loader(POINTS), SCHEDULE, 3, clip_norm=clip_norm))
        weights.append(torch.cat([w.detach().flatten() for w in model.parameters()]))
    assert torch.equal(*weights)


def test_a_loader_that_gives_its_batches_once_is_explained():
    with pytest.raises(ValueError, match="a generator gives its batches once"):
        list(train(new_model(), (batch for batch in [POINTS[:64]] * 3), SCHEDULE, 10))


class Embedded(torch.nn.Module):
    """A network of three labels, 0 to 2, and no more."""

    def __init__(self):
        super().__init__()
        self.inside, self.rows = MLP(width=8), torch.nn.Embedding(3, 2)

    def forward(self, xt, t, label):
        return self.inside(xt + self.rows(label), t)


def test_a_network_without_a_place_for_no_label_is_told_so():
    batches = loader(POINTS, torch.randint(3, (len(POINTS),)))
    with pytest.raises(ValueError, match="replaced some labels by −1.*label_dropout=0"):
        list(train(Embedded(), batches, SCHEDULE, 5))
    assert len(list(train(Embedded(), batches, SCHEDULE, 5, label_dropout=0))) == 5
    with pytest.raises(IndexError):  # of another cause, and so in torch's own words
        list(train(Embedded(), loader(POINTS, torch.full((len(POINTS),), 7)), SCHEDULE, 5, label_dropout=0))


def test_bf16_is_taken_where_it_is_computed_and_not_where_it_is_emulated(monkeypatch):
    from ddpm_lib import training

    seen = []
    monkeypatch.setattr(training, "best_precision", lambda: seen.append(1) or "bf16")
    next(train(new_model(), loader(POINTS), SCHEDULE, 1))
    assert not seen, "a CPU trains in float32, so that a seed gives the same everywhere"
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert training.best_precision() == "no"  # as on a T4


def test_the_callers_accelerate_is_left_as_it_was():
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    try:
        accelerator = Accelerator(mixed_precision="bf16")
        model = UNet(1, 8, (1, 2), 1)
        list(train(model, loader(torch.zeros(16, 1, 8, 8), batch_size=8), SCHEDULE, 2, precision="no"))
        assert accelerator.mixed_precision == "bf16" and AcceleratorState().mixed_precision == "bf16"
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    list(train(new_model(), loader(POINTS), SCHEDULE, 1, precision="bf16"))
    Accelerator(mixed_precision="no")  # nothing of it is decided yet
    AcceleratorState._reset_state(reset_partial_state=True)


def test_after_bf16_the_model_is_an_ordinary_one():
    model = UNet(1, 8, (1, 2), 1)
    list(train(model, loader(torch.zeros(16, 1, 8, 8), batch_size=8), SCHEDULE, 2, precision="bf16"))
    fresh = UNet(1, 8, (1, 2), 1)
    fresh.load_state_dict(model.state_dict())
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 700])
    assert "forward" not in vars(model) and torch.equal(model.eval()(x, t), fresh.eval()(x, t))


def test_in_bf16_the_loss_sees_float32_and_the_network_itself():
    seen = {}

    class Spy(UNet):
        def forward(self, *inputs):
            output = super().forward(*inputs)
            seen["inside"] = output.dtype
            return output

    def loss(network, schedule, x0, label=None):
        seen["output"] = network(x0, torch.ones(len(x0), dtype=torch.long)).dtype
        seen["module"], seen["predicts"] = network.module, network.predicts
        return simple_loss(network, schedule, x0)

    model = Spy(1, 8, (1, 2), 1, predicts="v")
    batches = loader(torch.zeros(16, 1, 8, 8), batch_size=8)
    *_, step = train(model, batches, SCHEDULE, 2, precision="bf16", loss=loss)
    assert seen["inside"] == torch.bfloat16 and seen["output"] == torch.float32
    assert seen["module"] is model and seen["predicts"] == "v" and step.state().keys()


@pytest.mark.parametrize("kind", ["frozen", "unused"])
def test_a_model_with_weights_that_do_not_move_goes_on_too(kind):
    def model():
        found = new_model()
        if kind == "frozen":
            next(found.parameters()).requires_grad_(False)
        else:
            found.never = torch.nn.Linear(2, 2)
        return found

    *_, straight = train(model(), loader(POINTS), SCHEDULE, 6, lr=1e-2)
    state = [step.state() for step in train(model(), loader(POINTS), SCHEDULE, 6, lr=1e-2)][2]
    again, batches = model(), loader(POINTS)
    batches.start_at(3)
    before = next(again.parameters()).clone()
    *_, step = train(again, batches, SCHEDULE, 6, lr=1e-2, resume=state)
    assert all(torch.equal(a, b) for a, b in zip(straight.ema.parameters(), step.ema.parameters(), strict=True))
    assert (kind == "frozen") == torch.equal(before, next(again.parameters()))
    assert not any(name.endswith("never.weight") and name.startswith("adam") for name in state)


def _halves(folder):
    from accelerate import PartialState

    rows, seen = torch.arange(16.0)[:, None].repeat(1, 2) / 16, []

    def loss(network, schedule, x0, label=None):
        seen.extend((16 * x0[:, 0]).long().tolist())
        return network(x0, torch.ones(len(x0), dtype=torch.long)).square().mean()

    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows), batch_size=4)
    model = new_model()
    list(train(model, batches, SCHEDULE, 2, loss=loss, precision="bf16"))
    found = [seen, next(model.parameters()).flatten().tolist()]
    (folder / f"{PartialState().process_index}.json").write_text(json.dumps(found), encoding="utf-8")


def test_two_processes_share_the_batches_of_a_data_loader(tmp_path):
    from accelerate import debug_launcher
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        debug_launcher(_halves, args=(tmp_path,), num_processes=2)
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    first, second = (json.loads((tmp_path / f"{i}.json").read_text(encoding="utf-8")) for i in (0, 1))
    assert sorted(first[0] + second[0]) == list(range(16)) and first[1] == second[1]
