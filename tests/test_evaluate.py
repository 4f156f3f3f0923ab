"""Measuring: the parts of an evaluation on a tiny model, its file of results, and what it refuses."""

import json
import sys
import types

import pytest
import torch

from ddpm_lib import judges, linear_schedule
from ddpm_lib.checkpoints import load, read_header, save
from ddpm_lib.evaluate import Setting, agreements, sample_images, samplers, spread, study
from ddpm_lib.evaluate.__main__ import main, without_paths
from ddpm_lib.evaluate.parts import mean_and_std
from ddpm_lib.evaluate.views import inception, to_bytes
from ddpm_lib.judges import EMOJI, Judge, run_classifier
from ddpm_lib.models import Classifier, UNet

QUICK = ["--samples", "8", "--seeds", "0", "1", "--calls", "2", "3", "--off-calls", "3", "--scales", "1", "2"]
QUICK += ["--ode-samples", "2", "--bits-samples", "4", "--bits-times", "3", "--samplers", "DDIM", "Heun"]


def bars(root, train):
    """40 or 20 images of 8 × 8: label 0 is a bright left half, label 1 a bright right half."""
    generator = torch.Generator().manual_seed(int(train))
    labels = torch.arange(40 if train else 20) % 2
    images = torch.full((len(labels), 1, 8, 8), -0.8)
    images[labels == 0, :, :, :4] = 0.8
    images[labels == 1, :, :, 4:] = 0.8
    return images + 0.1 * torch.randn(images.shape, generator=generator), labels


def small_judge():
    return Classifier(1, 8, 2, (8, 16), (2, 2), features=16)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a model and its judge, under the names of the digits; the network keeps its random weights."""
    judge = Judge("digits", bars, small_judge, num_epochs=60, classes=(2,), shift=0)
    for table in (judges.JUDGES, judges.JUDGE_OF):
        monkeypatch.setitem(table, "digits", judge)
    monkeypatch.setattr(study, "REFERENCE", Setting("Heun", 7))
    torch.manual_seed(0)
    model = UNet(channels=1, dim=8, multipliers=(1, 2), blocks=1, attention_levels=(), num_classes=2)
    save(tmp_path / "digits.safetensors", model, linear_schedule(20, 5e-3, 0.9), {"seconds": 1})
    save(tmp_path / "digits-classifier.safetensors", judge.model(), card={"seconds": 1})
    return tmp_path


def results(folder, *arguments, name="digits"):
    main(["digits", "--weights", str(folder), *QUICK, *arguments])
    return json.loads((folder / f"{name}.json").read_text())


def test_every_part_is_measured_with_its_count_seeds_and_maker(folder):
    found = results(folder, "--raw", str(folder / "digits.safetensors"))
    settings = {(row["sampler"], row["calls"]) for row in found["by_calls"]}
    assert settings == {("DDIM", 2), ("DDIM", 3), ("Heun", 2), ("Heun", 3)}
    rows = found["by_calls"] + found["clip_off"] + found["ema_off"] + found["by_scale"] + found["floors"]
    assert {row["samples"] for row in rows} == {8}
    for row in rows + found["ode"] + found["bits"] + [found["loss_by_time"]]:
        assert row["command"].startswith("python -m ddpm_lib.evaluate digits --samples 8")
        assert row["seconds"] >= 0 and row["hardware"] and "commit" in row
    for row in found["by_calls"]:
        assert row["seeds"] == [0, 1] and {"kernel", "kernel_std", "frechet_std", "precision", "recall_std"} <= {*row}
    assert found["seconds_per_image_20_steps"] > 0
    assert found["classifier_agreement"]["samples"] == 16
    # Averaged and raw weights are the same file here, so they must score the same.
    same = next(row for row in found["by_calls"] if (row["sampler"], row["calls"]) == ("DDIM", 3))
    assert found["ema_off"][0]["kernel"] == same["kernel"]
    assert all(row["rms"] >= 0 for row in found["ode"]) and found["bits"][0]["variance"] == "beta"


def test_a_second_run_adds_and_measures_nothing_twice(folder, monkeypatch):
    first = results(folder, "--parts", "calls")
    monkeypatch.setattr(study.parts, "sample_images", lambda *_: pytest.fail("measured again"))
    assert results(folder, "--parts", "calls")["by_calls"] == first["by_calls"]
    monkeypatch.undo()


def test_an_interrupted_run_loses_nothing(folder, monkeypatch):
    whole, real = [], study.parts.quality

    def stop_at_third(*arguments):
        whole.append(1)
        if len(whole) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(study.parts, "quality", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        results(folder, "--parts", "calls")
    assert len(json.loads((folder / "digits.json").read_text())["by_calls"]) == 2
    assert len(results(folder, "--parts", "calls")["by_calls"]) == 4


def test_numbers_of_other_weights_are_forgotten(folder):
    assert results(folder, "--parts", "calls", "bits")["bits"]
    model, schedule = load(folder / "digits.safetensors")
    save(folder / "digits.safetensors", model, schedule, {"seconds": 2})
    again = results(folder, "--parts", "calls")
    assert "bits" not in again and again["by_calls"]


def test_again_measures_anew(folder):
    results(folder, "--parts", "floor")
    path = folder / "digits.json"
    path.write_text(path.read_text().replace('"draws": 10', '"draws": 99'))
    assert results(folder, "--parts", "floor")["floor"]["draws"] == 99
    assert results(folder, "--parts", "floor", "--again")["floor"]["draws"] == 10


def test_a_trained_judge_agrees_with_its_labels(folder):
    path = run_classifier("digits-classifier", folder / "judge")
    judge, _ = load(path)
    images, labels = bars(None, False)
    assert agreements(judges.JUDGE_OF["digits"], judge, images, labels) == {"agreement": 1.0}
    assert agreements(judges.JUDGE_OF["digits"], judge, images, 1 - labels) == {"agreement": 0.0}
    assert read_header(path)["card"]["test_accuracy"] == 1.0


def test_two_attributes_are_told_apart():
    labels = torch.tensor([[4, 8], [0, 3], [2, 0]])
    classes = EMOJI.join(labels)
    assert classes.tolist() == [44, 3, 18] and EMOJI.split(classes).equal(labels)

    def judge(images):  # right in the vendor, one off in the group of the second
        return torch.nn.functional.one_hot(EMOJI.join(torch.tensor([[4, 8], [0, 4], [2, 0]])), 45)

    found = agreements(EMOJI, judge, torch.zeros(3, 3, 32, 32), labels)
    assert found == pytest.approx({"agreement": 2 / 3, "agreement_vendor": 1, "agreement_group": 2 / 3})


def test_inception_features_with_a_stand_in(folder, monkeypatch):
    """The package's network, replaced by one that averages the bytes it is given."""

    class StandIn(torch.nn.Module):
        def __init__(self, name, features, feature_extractor_weights_path=None):
            super().__init__()
            if feature_extractor_weights_path != "weights.pth":
                raise OSError("no such file")

        def forward(self, x):
            assert x.dtype == torch.uint8 and x.shape[1] == 3
            return (torch.nn.functional.adaptive_avg_pool2d(x.float(), 2).mean(1, keepdim=True) / 255,)

    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = StandIn
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", module)
    more = ["--features", "inception", "--inception-weights", "weights.pth", "--parts", "floor"]
    assert results(folder, *more, name="digits-inception")["features"] == "inception"
    with pytest.raises(SystemExit, match="--inception-weights FILE"):
        results(folder, "--features", "inception", "--parts", "floor")


def test_without_the_package_inception_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(RuntimeError, match="pip install torch-fidelity"):
        inception(None, torch.device("cpu"))


def test_what_cannot_be_measured_is_said_in_one_sentence(folder):
    with pytest.raises(SystemExit, match="--raw FILE"):
        results(folder, "--parts", "ema")
    with pytest.raises(SystemExit, match="more than the 40 real images"):
        results(folder, "--samples", "41")
    (folder / "digits.safetensors").unlink()
    with pytest.raises(SystemExit, match="there is no checkpoint"):
        results(folder)


def test_samplers_call_the_network_as_often_as_they_say():
    schedule, calls = linear_schedule(), []

    def network(xt, t):
        calls.append(1)
        return torch.zeros_like(xt)

    network.parameters = lambda: iter([torch.zeros(1)])
    for name in samplers(schedule, 9):
        for clip in (True, False):
            calls.clear()
            images = sample_images(network, schedule, None, (2, 1, 4, 4), Setting(name, 9, clip=clip), seed=0)
            assert images.shape == (2, 1, 4, 4) and len(calls) == 9


def test_small_helpers():
    found = mean_and_std([{"a": 1.0}, {"a": 3.0}])
    assert found == {"a": 2.0, "a_std": pytest.approx(2**0.5, abs=1e-5)}
    assert mean_and_std([{"a": 1.0}]) == {"a": 1.0, "a_std": None}
    assert to_bytes(torch.tensor([-1.0, 0.0, 1.0, 2.0]).reshape(1, 1, 2, 2)).flatten(2)[0, 2].tolist() == [
        0,
        128,
        255,
        255,
    ]
    near, far = torch.tensor([[0.0], [1.0], [0.0], [3.0]])[:, None, None], torch.tensor([0, 0, 1, 1])
    assert spread(near, far) == 2
    kept = without_paths(["digits", "--data", "/a", "--samples", "5", "--raw=b", "--weights", "c", "--again"])
    assert kept == ["digits", "--samples", "5", "--again"]
