"""The training loop: it learns, it can be left at any step, and two processes agree."""

import json
import math
from types import SimpleNamespace

import pytest
import torch

from ddpm_lib import linear_schedule
from ddpm_lib.data import loader, ring
from ddpm_lib.losses import simple_loss
from ddpm_lib.models import MLP, UNet
from ddpm_lib.seeding import own_randomness
from ddpm_lib.training import drop_some, train, update_ema, warmup_cosine, warmup_only

SCHEDULE = linear_schedule()
POINTS = ring(512, generator=torch.Generator().manual_seed(0))


def new_model():
    torch.manual_seed(0)
    return MLP(width=32)


def test_it_learns():
    losses = [s.loss for s in train(new_model(), loader(POINTS, batch_size=128), SCHEDULE, 300, lr=3e-3)]
    assert len(losses) == 300 and sum(losses[-50:]) / 50 < 0.75 * sum(losses[:10]) / 10


def test_break_leaves_a_usable_model():
    model = new_model()
    before = [w.clone() for w in model.parameters()]
    for step in train(model, loader(POINTS), SCHEDULE, 100):
        if step.step == 3:
            break
    assert not torch.equal(before[0], next(model.parameters()))
    assert torch.is_grad_enabled()
    x, t = torch.randn(4, 2), torch.full((4,), 10)
    assert model(x, t).isfinite().all() and step.ema(x, t).isfinite().all()
    assert not any(w.requires_grad for w in step.ema.parameters()) and not step.ema.training


def test_yield_comes_after_the_step():
    model = new_model()
    start = next(model.parameters()).clone()
    step = next(train(model, loader(POINTS), SCHEDULE, 5))
    assert step.step == 1 and not torch.equal(start, next(model.parameters()))


def test_same_seed_same_weights():
    runs = []
    for _ in range(2):
        model = new_model()
        *_, step = train(model, loader(POINTS, seed=3), SCHEDULE, 20, seed=5)
        runs.append(torch.cat([w.flatten() for w in step.ema.parameters()]))
    assert torch.equal(*runs)


def test_ramped_average_forgets_the_random_start():
    model = new_model()
    *_, step = train(model, loader(POINTS), SCHEDULE, 200, lr=3e-3, ema_decay=0.9999)
    gap = lambda net: simple_loss(net, SCHEDULE, POINTS, generator=torch.Generator().manual_seed(0)).item()  # noqa: E731
    assert gap(step.ema) < gap(new_model()) and gap(step.ema) < 1.3 * gap(model)


def test_update_ema_by_hand():
    ema, model = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(ema.weight, 2.0), torch.nn.init.constant_(model.weight, 6.0)
    update_ema(ema, model, 0.75)
    assert ema.weight.item() == pytest.approx(3.0)


def test_warmup_cosine():
    scale = warmup_cosine(100, warmup=10)
    assert scale(0) == pytest.approx(0.1) and scale(9) == 1 and scale(10) == 1
    assert scale(55) == pytest.approx(0.5) and scale(100) == pytest.approx(0)


def test_labels_are_dropped_to_none():
    seen = []

    class Spy(UNet):
        def forward(self, xt, t, label=None):
            seen.append(label.clone())
            return super().forward(xt, t, label)

    images, labels = torch.zeros(64, 1, 8, 8), torch.randint(10, (64,))
    list(
        train(
            Spy(1, 8, (1, 2), 1, num_classes=10), loader(images, labels, batch_size=32), SCHEDULE, 20, label_dropout=0.5
        )
    )
    dropped = (torch.cat(seen) == -1).float().mean().item()
    assert 0.4 < dropped < 0.6


def test_bf16_trains_and_leaves_float32_weights():
    model = UNet(1, 8, (1, 2), 1)
    *_, step = train(model, loader(torch.zeros(32, 1, 8, 8), batch_size=8), SCHEDULE, 5, precision="bf16")
    assert math.isfinite(step.loss) and all(w.dtype == torch.float32 for w in model.parameters())


def test_a_nan_stops_with_the_last_good_state():
    points = POINTS.clone()
    model = new_model()
    loop = train(model, [points[:64], points[:64] * float("nan")], SCHEDULE, 10)
    next(loop)
    good = [w.clone() for w in model.parameters()]
    with pytest.raises(FloatingPointError, match="step 2.*still holds step 1"):
        next(loop)
    assert all(torch.equal(a, b) for a, b in zip(good, model.parameters()))


def test_an_infinite_gradient_stops_with_the_last_good_state():
    model, calls = new_model(), []

    def loss(network, schedule, x0, label=None):
        calls.append(1)
        value = simple_loss(network, schedule, x0)
        return value if len(calls) < 3 else value + (value - value.detach()) * float("inf")

    loop = train(model, loader(POINTS), SCHEDULE, 10, loss=loss)
    next(loop), next(loop)
    good = [w.clone() for w in model.parameters()]
    with pytest.raises(FloatingPointError, match="at step 3"):
        next(loop)
    assert all(torch.equal(a, b) for a, b in zip(good, model.parameters()))


def test_a_batch_in_parts_gives_the_same_gradient():
    def loss(network, schedule, x0, label=None):
        return (network(x0, torch.full((len(x0),), 500)) - x0).square().mean()

    results = []
    for parts in (1, 3):  # three uneven parts of 64
        model = new_model()
        *_, step = train(model, loader(POINTS), SCHEDULE, 3, loss=loss, accumulate=parts, lr=1e-2, clip_norm=1e9)
        results.append((step.loss, torch.cat([w.detach().flatten() for w in model.parameters()])))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], atol=1e-5, rtol=1e-4)


def test_each_of_several_labels_is_dropped_by_itself():
    torch.manual_seed(0)
    dropped = drop_some(torch.ones(20_000, 2, dtype=torch.long), 0.3) == -1
    assert dropped.float().mean(0).tolist() == pytest.approx([0.3, 0.3], abs=0.02)
    assert dropped.all(1).float().mean().item() == pytest.approx(0.09, abs=0.01)


def test_what_is_drawn_outside_goes_on_undisturbed():
    torch.manual_seed(1)
    expected = torch.rand(3)
    model, batches = new_model(), loader(POINTS)
    torch.manual_seed(1)
    list(train(model, batches, SCHEDULE, 3))
    assert torch.equal(torch.rand(3), expected)


def test_each_step_draws_anew():
    seen = []

    def loss(network, schedule, x0, label=None):
        seen.append(torch.randn(5))
        return simple_loss(network, schedule, x0)

    list(train(new_model(), loader(POINTS), SCHEDULE, 3, loss=loss))
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])


def test_a_state_goes_on_from_its_step():
    settings = dict(lr=1e-2, lr_scale=warmup_cosine(10, 3), ema_decay=0.9)
    *_, straight = train(new_model(), loader(POINTS), SCHEDULE, 10, **settings)
    states = [step.state() for step in train(new_model(), loader(POINTS), SCHEDULE, 10, **settings)]
    batches = loader(POINTS)
    batches.start_at(4)
    steps = list(train(MLP(width=32), batches, SCHEDULE, 10, resume=states[3], **settings))
    assert [step.step for step in steps] == list(range(5, 11)) and steps[-1].loss == straight.loss
    for a, b in zip(straight.ema.parameters(), steps[-1].ema.parameters()):
        assert torch.equal(a, b)
    with pytest.raises(ValueError, match="not of this model"):
        next(train(MLP(width=16), loader(POINTS), SCHEDULE, 10, resume=states[3]))


def test_a_compiled_network_keeps_the_names_of_its_weights(monkeypatch):
    plain = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network: plain(network, backend="eager"))
    model = new_model()
    *_, step = train(model, loader(POINTS), SCHEDULE, 3, compile=True)
    *_, expected = train(new_model(), loader(POINTS), SCHEDULE, 3)
    assert list(step.ema.state_dict()) == list(expected.ema.state_dict()) == list(model.state_dict())
    assert step.state().keys() == expected.state().keys() and step.loss == pytest.approx(expected.loss)


def test_warmup_only():
    scale = warmup_only(4)
    assert [scale(step) for step in (0, 1, 3, 4, 1000)] == [0.25, 0.5, 1, 1, 1]


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


@pytest.mark.parametrize("kind, place", [("cuda", True), ("mps", False), ("xpu", True)])
def test_the_generators_of_every_kind_of_device_are_seeded_and_given_back(monkeypatch, kind, place):
    """No such device here: what torch.KIND is asked, in its own signatures (MPS has one generator and no places)."""
    log = []

    class Fake:
        def get_rng_state(self, *where):
            assert len(where) == place
            return "as it was"

        def manual_seed(self, number):
            log.append(number)

        def set_rng_state(self, state, *where):
            assert len(where) == place
            log.append(state)

    monkeypatch.setattr(torch, kind, Fake())
    state = SimpleNamespace(device=torch.device(kind), process_index=0)
    for step in (1, 2, 1):
        with own_randomness(5, step, state):
            log.append("drawn")
    assert log[0::3] == [log[0], log[3], log[0]] and log[0] != log[3]
    assert log[1::3] == ["drawn"] * 3 and log[2::3] == ["as it was"] * 3


def test_refusals():
    with pytest.raises(ValueError, match="at least as many samples"):
        loader(POINTS[:10], batch_size=64)
    with pytest.raises(ValueError, match="gave no batch"):
        next(train(new_model(), [], SCHEDULE, 1))
    with pytest.raises(ValueError, match="scaled"):
        next(train(UNet(1, 8, (1, 2), 1), [torch.full((2, 1, 8, 8), 255.0)], SCHEDULE, 1))


def _work(folder):
    from accelerate import PartialState

    model = new_model()
    losses = [step.loss for step in train(model, loader(POINTS, batch_size=32), SCHEDULE, 6)]
    weights = torch.cat([w.detach().flatten() for w in model.parameters()]).tolist()
    me = PartialState()
    (folder / f"{me.process_index}.json").write_text(json.dumps([me.num_processes, losses, weights]))


def test_two_processes_agree(tmp_path):
    from accelerate import debug_launcher
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        debug_launcher(_work, args=(tmp_path,), num_processes=2)
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    first, second = (json.loads((tmp_path / f"{i}.json").read_text()) for i in (0, 1))
    assert first[0] == second[0] == 2
    assert first[1] != second[1], "each process must draw its own noise"
    assert first[2] == second[2], "both must hold the same weights"
