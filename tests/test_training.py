"""The training loop: it learns, it can be left at any step, and two processes agree."""

import json
import math

import pytest
import torch

from ddpm_lib import linear_schedule
from ddpm_lib.data import loader, ring
from ddpm_lib.losses import simple_loss
from ddpm_lib.models import MLP, UNet
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
