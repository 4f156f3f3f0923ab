"""One evaluation from its options to its file: which parts, in which order, and what makes a row of each."""

import argparse
import dataclasses
from pathlib import Path

import torch
from torch import nn

from ..checkpoints import WEIGHTS, load
from ..denoisers import predicts_of
from ..judges import JUDGE_OF
from ..run_state import load_state
from ..runtime import device, provenance
from . import parts
from .parts import Bench
from .record import Record
from .sampling import DETERMINISTIC, Setting
from .views import features, inception

REFERENCE = Setting("Heun", 999)  # 500 steps: as near to the exact solution of the ODE as whole times come
QUICK = Setting("DPM-Solver++(2M)", 20)


def evaluate(options: argparse.Namespace, command: str) -> Path:
    """Measure what the options ask for (see __main__), row by row; returns the file of results."""
    path = options.weights / f"{options.name}.safetensors"
    wanted = options.parts or [part for part in PARTS if part != "ema" or options.raw]
    if "ema" in wanted and not options.raw:
        raise ValueError("averaging is compared with the weights before it: name them with --raw FILE.")
    bench = prepare(options, path)
    suffix = "" if options.features == "classifier" else "-inception"
    about = {"features": options.features, "reference": {"set": "test", "images": len(bench.real)}}
    record = Record(options.weights / f"{options.name}{suffix}.json", path, command, about, options.again)
    record.set({"command": command, **provenance(), "samples": options.samples})
    for part in wanted:
        PARTS[part](bench, options, record)
    return record.path


def prepare(options: argparse.Namespace, path: Path) -> Bench:
    """The model, its judge and the real images, where they are to be measured."""
    where, kind = device(), JUDGE_OF[options.name]
    model, schedule = load(path)
    model = model.to(where, memory_format=torch.channels_last)
    beside = options.weights / f"{kind.name}-classifier.safetensors"
    judge, _ = load(beside if beside.exists() else WEIGHTS / beside.name)
    judge = judge.to(where)
    see = judge if options.features == "classifier" else inception(options.inception_weights, where)
    test, train = (parts.shuffled(*kind.data(options.data, train)) for train in (False, True))
    if options.samples > len(train[0]):
        raise ValueError(f"--samples {options.samples} is more than the {len(train[0])} real images to compare with.")
    real, labelled = features(see, test[0].to(where)), model.config["num_classes"] is not None
    return Bench(compiled(model, options), schedule, labelled, kind, judge, see, test, train, real)


def compiled(model: nn.Module, options: argparse.Namespace) -> nn.Module:
    """The network as it is to be run: compiled if asked, in the precision asked for."""
    model = torch.compile(model, dynamic=False) if options.compile else model
    return InBfloat16(model) if options.precision == "bf16" else model


class InBfloat16(nn.Module):
    """A network whose products are taken in bfloat16; what goes in and out, and all around it, stays float32."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.predicts = network, predicts_of(network)

    def forward(self, xt, t, *label):
        with torch.autocast(xt.device.type, torch.bfloat16):
            return self.network(xt, t, *label).float()


def measure_floor(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    row = record.row("floors", {"samples": options.samples}, lambda: parts.floor(bench, options.samples))
    record.set({"floor": row})


def measure_calls(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    for setting in settings(options, options.calls):
        measure(bench, options, record, "by_calls", setting)


def measure_clip(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    """The same settings with and without clipping; the first are rows of by_calls."""
    for setting in settings(options, options.off_calls):
        measure(bench, options, record, "by_calls", setting)
        measure(bench, options, record, "clip_off", dataclasses.replace(setting, clip=False))


def measure_ema(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    """The same settings with the averaged weights and with those before averaging."""
    raw = load_raw(options.raw, options.weights / f"{options.name}.safetensors")
    raw = compiled(raw.to(bench.device, memory_format=torch.channels_last), options)
    for setting in settings(options, options.off_calls):
        measure(bench, options, record, "by_calls", setting)
        measure(dataclasses.replace(bench, model=raw), options, record, "ema_off", setting)


def load_raw(source: str, like: Path) -> nn.Module:
    """The network without averaging: from a checkpoint, or from the newest state in the folder of a training run."""
    if not Path(source).is_dir():
        return load(source)[0]
    state, (model, _) = load_state(source), load(like)
    if state is None:
        raise ValueError(f"there is no state of a training run in {source}.")
    prefix = "model."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in state.tensors.items() if k.startswith(prefix)})
    return model


def measure_scales(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    if not bench.labelled:
        print("scales: a model without labels is not guided; nothing to measure.", flush=True)
        return
    for scale in options.scales:
        measure(bench, options, record, "by_scale", dataclasses.replace(QUICK, scale=scale))
    best = max(record.content["by_scale"], key=lambda row: (row["agreement"], row["samples"]))  # on a tie, the surer
    agreed = {name: value for name, value in best.items() if name.startswith("agreement")}
    count = best["samples"] * len(best["seeds"])
    record.set({"classifier_agreement": {"scale": best["scale"], "samples": count, **agreed}})


def measure_ode(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    exact, n = [], options.ode_samples

    def errors(setting: Setting) -> dict:
        if not exact:  # dear, and not wanted where every row is there already
            exact.append(parts.ode_images(bench, REFERENCE, n))
        return parts.ode_errors(bench, setting, n, exact[0])

    for setting in settings(options, [calls for calls in options.calls if calls < REFERENCE.calls]):
        if setting.sampler in DETERMINISTIC:
            same = {"sampler": setting.sampler, "calls": setting.calls, "samples": n, "reference": "Heun, 999 calls"}
            record.row("ode", same, lambda setting=setting: errors(setting))


def measure_bits(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    n, times, seeds = options.bits_samples, options.bits_times, options.seeds
    same = {"samples": n, "times": times, "seeds": seeds, "variance": "beta"}
    record.row("bits", same, lambda: parts.bits(bench, n, times, seeds))


def measure_loss(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    record.put("loss_by_time", lambda: parts.losses(bench))


def measure_speed(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    label = bench.test[1][:1] if bench.labelled else None
    shape = (1, *bench.test[0].shape[1:])
    seconds = parts.seconds_per_image(bench.model, bench.schedule, label, shape)
    record.set({"seconds_per_image_20_steps": round(seconds, 3)})


PARTS = {
    "floor": measure_floor,
    "calls": measure_calls,
    "clip": measure_clip,
    "ode": measure_ode,
    "scales": measure_scales,
    "bits": measure_bits,
    "loss": measure_loss,
    "speed": measure_speed,
    "ema": measure_ema,
}


def settings(options: argparse.Namespace, calls: list[int]) -> list[Setting]:
    return [Setting(sampler, n) for n in calls for sampler in options.samplers]


def measure(bench: Bench, options: argparse.Namespace, record: Record, part: str, setting: Setting) -> None:
    """One row: a setting, over the seeds."""
    same = {**dataclasses.asdict(setting), "samples": options.samples, "seeds": options.seeds}
    same["dtype"] = options.precision  # "precision" is one of the numbers
    record.row(part, same, lambda: parts.quality(bench, setting, options.samples, options.seeds))
