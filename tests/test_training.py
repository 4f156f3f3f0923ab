"""The training loop: it learns, it can be left at any step, and two processes agree."""

import json
import math

import pytest
import torch

from ddpm_lib import linear_schedule
from ddpm_lib.data import loader, ring
from ddpm_lib.losses import simple_loss
from ddpm_lib.models import MLP, UNet
from ddpm_lib.training import train, update_ema, warmup_cosine

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
