"""The page's samplers against the library's in float64: the same start, the same fresh noise, the same numbers."""

import pytest
import torch

from ddpm_lib import ExactDenoiser, GaussianMixture, clip, guide, samplers
from ddpm_lib.schedules import cosine_schedule, linear_schedule, scaled_linear_schedule
from tests.node import run_node_tests

SCHEDULES = {
    "linear 1000": linear_schedule(),
    "cosine 1000": cosine_schedule(),
    "scaled-linear 1000": scaled_linear_schedule(),
    "linear 100": linear_schedule(100, 1e-3, 0.2),
    "cosine 100": cosine_schedule(100),
}
GRIDS = ("even_times", "logsnr_times", "karras_times")
# Name in the page, sampler and its own options. Heun stays off even grids, where its first stride explodes.
VARIANTS = [
    ("ddpm", "even_times", dict(variance="posterior")),
    ("ddpm", "logsnr_times", dict(variance="beta")),
    ("ddim", "even_times", dict(eta=0.0)),
    ("ddim", "karras_times", dict(eta=0.5)),
    ("ddim", "even_times", dict(eta=1.0)),
    ("heun", "logsnr_times", {}),
    ("heun", "karras_times", {}),
    ("dpmpp", "logsnr_times", {}),
    ("dpmpp", "even_times", {}),
]


def normal(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


POOL = normal(7919, seed=1)  # fresh noise for both sides, handed out in order, from the beginning again for every case
POINTS = normal(9, 2, seed=2)
MEANS = normal(5, 2, seed=3)
MIXTURES = {
    "mixture": [[w, *m, s] for w, m, s in zip([1, 2, 1, 3, 2], MEANS.tolist(), [0.1, 0.3, 0.05, 0.2, 0.15])],
    "label": [[1.0, 0.4, -0.6, 0.2], [2.0, -0.5, 0.9, 0.1]],
}
START = normal(4, 2, seed=4)


def mixture(rows):
    rows = torch.tensor(rows, dtype=torch.float64)
    return GaussianMixture(rows[:, 1:3], rows[:, 3], rows[:, 0])


def denoiser(data, schedule):
    if data == "points":
        return ExactDenoiser(POINTS, schedule)
    return ExactDenoiser(mixture(MIXTURES[data]), schedule)


class Pool:
    """In place of noise_like: the pool's numbers, one after the other."""

    def __init__(self):
        self.place = 0

    def __call__(self, x, generator=None):
        index = (self.place + torch.arange(x.numel())) % len(POOL)
        self.place += x.numel()
        return POOL[index].reshape(x.shape)


def steps_of(monkeypatch, name, denoise, times, options):
    monkeypatch.setattr(samplers, "noise_like", Pool())
    schedule, sampler = denoise.schedule, getattr(samplers, f"sample_{name}")
    if name == "ddpm":
        return list(sampler(denoise, schedule, START, times=times, **options))
    return list(sampler(denoise, schedule, START, times, **options))


def case(monkeypatch, where, data, variant, num_steps, *, clipped=False, scale=1.0, first=None):
    name, grid, options = variant
    schedule = SCHEDULES[where]
    times = getattr(schedule, grid)(num_steps) if first is None else [*first, 0]
    denoise = denoiser(data, schedule)
    if scale != 1:
        denoise = guide(denoiser("label", schedule), denoise, scale)
    steps = steps_of(monkeypatch, name, clip(denoise) if clipped else denoise, times, options)
    kept = steps[:: max(len(steps) // 20, 1)] + steps[-1:]
    if first is not None:
        kept = steps[1:2]  # one step, and not what follows from it
    return {
        "schedule": where, "data": data, "sampler": name, "options": options, "times": times,
        "clipped": clipped, "scale": scale, "steps": len(steps), "one": first is not None,
        "kept": [[s.t, s.x.flatten().tolist(), None if s.x0_guess is None else s.x0_guess.flatten().tolist()]
                 for s in kept],
    }  # fmt: skip


@pytest.fixture
def numbers(monkeypatch):
    go = lambda *args, **options: case(monkeypatch, *args, **options)  # noqa: E731
    cases = [
        go(where, data, variant, n)
        for where in SCHEDULES
        for data in ("points", "mixture")
        for variant in VARIANTS
        for n in (1, 2, 5, 20)
        if not (variant[0] == "heun" and n == 1 and where.startswith("cosine"))
    ]
    for variant in VARIANTS:
        for where, pairs in [("linear 1000", [(1000, 999), (700, 400), (2, 1)]), ("cosine 100", [(60, 30), (9, 8)])]:
            cases += [go(where, data, variant, 0, first=pair) for data in ("points", "mixture") for pair in pairs]
        for more in (dict(clipped=True), dict(scale=3.0), dict(scale=0.5, clipped=True)):
            cases += [go(where, "mixture", variant, 10, **more) for where in ("linear 1000", "cosine 100")]
        if variant[0] != "heun":
            cases.append(go("cosine 100", "points", variant, 100))
    cases += [go("linear 1000", "mixture", variant, 1000) for variant in (VARIANTS[0], VARIANTS[3], VARIANTS[7])]
    grids = [
        [where, grid, n, getattr(schedule, grid)(n)]
        for where, schedule in SCHEDULES.items()
        for grid in GRIDS
        for n in (1, 2, 3, 5, 8, 10, 16, 20, 37, 48, 88, 99, 240, 480, 880, schedule.T)  # 8, 16 …: times half way
        if n <= schedule.T
    ]
    return {
        "schedules": {name: schedule.beta.tolist() for name, schedule in SCHEDULES.items()},
        "pool": POOL.tolist(),
        "points": POINTS.flatten().tolist(),
        "mixtures": MIXTURES,
        "start": START.flatten().tolist(),
        "grids": grids,
        "cases": cases,
    }


def test_the_page_samples_as_the_library_does(numbers, tmp_path):
    assert len(numbers["cases"]) > 450
    ran = {(c["sampler"], c["steps"]) for c in numbers["cases"]}
    assert ("ddpm", 1001) in ran and ("ddim", 101) in ran and ("heun", 21) in ran
    assert run_node_tests("samplers", SAMPLERS_JSON=(tmp_path / "samplers.json", numbers)) >= 9
