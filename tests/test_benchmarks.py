"""The benchmarks run, compare networks of equal size, and say what they measured."""

import json
import math

import pytest
import torch

from benchmarks import overhead, to_loss, unet
from benchmarks.measure import Mode, ceiling, spread
from benchmarks.networks import NETWORKS, SIZES, forward_flops, parameters
from benchmarks.table import markdown, ratios


def build(network, size):
    needs = {"ours": "ddpm_lib", "diffusers": "diffusers", "lucidrains": "denoising_diffusion_pytorch"}
    pytest.importorskip(
        needs[network], reason=f"{network} is compared where it is installed: pip install -e '.[bench]'"
    )
    return NETWORKS[network](SIZES[size])


@pytest.mark.parametrize("size", ["1M", "9M", "35.7M"])
@pytest.mark.parametrize("network", ["diffusers", "lucidrains"])
def test_the_peers_have_as_many_parameters(size, network):
    with torch.device("meta"):
        ours, theirs = parameters(build("ours", size)), parameters(build(network, size))
    assert abs(theirs / ours - 1) < 0.03
    if network == "diffusers":
        assert theirs == ours


def test_one_convolution_and_one_attention_are_counted_by_hand():
    class Both(torch.nn.Conv2d):
        def forward(self, x, t):
            y = super().forward(x).flatten(2).transpose(1, 2)[:, None].contiguous()  # (1, 1, 64 pixels, 5 channels)
            return torch.nn.functional.scaled_dot_product_attention(y, y, y)

    assert forward_flops(Both(1, 5, 3, padding=1), SIZES["tiny"]) == 2 * 9 * 5 * 64 + 2 * 2 * 64 * 64 * 5


def test_diffusers_network_does_what_ours_does():
    assert forward_flops(build("diffusers", "1M"), SIZES["1M"]) == forward_flops(build("ours", "1M"), SIZES["1M"])


def test_speed_of_ours(tmp_path):
    result = unet.main(
        ["--sizes", "tiny", "--networks", "ours", "--modes", "fp32", "fp32+last", "--rounds", "2", "--cap", "5",
         "--device", "cpu", "--threads", "1", "--no-memory", "--out", str(tmp_path / "speed.json")]
    )  # fmt: skip
    assert json.loads((tmp_path / "speed.json").read_text()) == result
    assert [row["mode"] for row in result["rows"]] == ["fp32", "fp32+last"]
    for row in result["rows"]:
        speed = row["images_per_second"]
        assert 0 < speed["q1"] <= speed["median"] <= speed["q3"] and row["sample_ms"]["median"] > 0
        assert 0 < row["share_of_ceiling"] < 1.2 and row["readings"] == 2
        assert row["hardware"] and row["threads"] == 1 and row["torch"] == torch.__version__
    table = (tmp_path / "speed.md").read_text()
    assert table.count("| tiny | ours |") == 2


def test_a_mode_that_fails_is_named_and_the_others_go_on(monkeypatch, tmp_path):
    class Broken(torch.nn.Conv2d):
        def forward(self, x, t):
            if len(x) > 1:
                raise RuntimeError("out of luck")
            return super().forward(x)

    monkeypatch.setitem(unet.NETWORKS, "diffusers", lambda size: Broken(1, 1, 1))
    result = unet.main(
        ["--sizes", "tiny", "--networks", "diffusers", "ours", "--modes", "fp32", "--rounds", "1", "--device", "cpu",
         "--no-memory"]
    )  # fmt: skip
    broken, ours = result["rows"]
    assert broken["error"] == "RuntimeError: out of luck" and ours["readings"] == 1
    assert "out of luck" in markdown(result)


def test_ratios_compare_the_fastest_modes_raw_and_at_equal_flops():
    def row(network, mode, speed, gflops):
        return dict(network=network, mode=mode, images_per_second={"median": speed}, batch=1,
                    sample_ms={"median": 1000 / speed}, forward_gflops=gflops)  # fmt: skip

    rows = [
        row("ours", "fp32", 10, 3),
        row("ours", "bf16", 20, 3),
        row("peer", "fp32", 40, 1),
        row("peer", "bf16", 5, 1),
    ]
    training, sampling = ratios(rows)
    assert (training["our_mode"], training["their_mode"]) == ("bf16", "fp32")
    assert training["raw"] == 0.5 and training["per_flop"] == 1.5 and sampling["raw"] == 0.5


def test_modes():
    assert str(Mode.parse("bf16+last+compile")) == "bf16+last+compile"
    assert Mode.parse("fp32+compile").compiled and not Mode.parse("fp32+last").compiled
    with pytest.raises(ValueError, match="a mode is"):
        Mode.parse("fp16")


def test_spread_and_ceiling():
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == {"median": 3.0, "q1": 2.0, "q3": 4.0}
    top = ceiling("cpu", torch.float32, [(8, 8)], 1, budget=0.5)
    assert top["flops"] > 1e8 and top["what"]


def test_memory_holds_weights_gradients_moments_and_feature_maps():
    from benchmarks.memory import peak_bytes

    weights, maps = 4 * parameters(build("ours", "1M")), 8 * 10 * 28 * 28 * 32 * 4  # ten maps of the first level
    assert 4 * weights + maps < peak_bytes("1M", "ours", Mode.parse("fp32"), 8, "cpu", 1) < 1e9


def test_the_patched_network_has_as_many_parameters_and_half_the_operations():
    ours, patched = build("ours", "1M"), to_loss.LEARNERS["ours-patch2"](SIZES["1M"])
    assert abs(parameters(patched) / parameters(ours) - 1) < 0.03
    assert forward_flops(patched, SIZES["1M"]) < forward_flops(ours, SIZES["1M"]) / 2


def samples(side, sampler, steps=10):
    noise, eps = (torch.randn(overhead.SHAPE, generator=torch.Generator().manual_seed(i)) for i in range(2))
    return overhead.SIDES[side](sampler, overhead.grid(sampler, steps), noise, eps)()


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmpp"])
@pytest.mark.parametrize("side", ["bare", "diffusers"])
def test_what_the_samplers_are_timed_against_gives_their_samples(sampler, side):
    if side == "diffusers":
        pytest.importorskip("diffusers", reason="compared where it is installed: pip install diffusers")
    ours = samples("ours", sampler)
    torch.testing.assert_close(samples(side, sampler), ours, rtol=1e-5, atol=1e-5 * float(ours.abs().max()))


def test_overhead(tmp_path):
    result = overhead.main(
        ["--steps", "5", "--rounds", "2", "--sides", "ours", "bare", "--out", str(tmp_path / "o.json")]
    )
    assert [row["sampler"] for row in result["rows"]] == ["ddpm", "ddim", "dpmpp"]
    for row in result["rows"]:
        ours, bare = (row["microseconds_per_step"][side]["median"] for side in ("ours", "bare"))
        assert 0 < bare < math.inf and row["ours_over_bare"] == ours / bare
    assert json.loads((tmp_path / "o.json").read_text())["steps"] == 5


def test_seconds_to_a_loss():
    curve = [dict(seconds=s, loss=loss) for s, loss in [(1.0, 0.9), (2.0, 0.5), (3.0, 0.6), (4.0, 0.1)]]
    assert to_loss.seconds_to(curve, 0.9) == 1.0 and to_loss.seconds_to(curve, 0.7) == pytest.approx(1.5)
    assert to_loss.seconds_to(curve, 0.35) == pytest.approx(3.5) and to_loss.seconds_to(curve, 0.05) is None


def test_to_loss_learns(monkeypatch, tmp_path):
    images = torch.full((64, 1, 8, 8), -1.0)  # blank paper is learnt in seconds
    monkeypatch.setattr(to_loss, "SIZE", SIZES["tiny"])
    monkeypatch.setattr(to_loss, "digits", lambda source, root: (images, images[:16]))
    result = to_loss.main(
        ["--networks", "ours", "--minutes", "0.05", "--slices", "4", "--lrs", "1e-3", "4e-3", "--batch", "8",
         "--warmup", "3", "--validation", "16", "--device", "cpu", "--losses", "0.99", "0", "--out",
         str(tmp_path / "loss.json")]
    )  # fmt: skip
    (row,) = result["rows"]
    losses = [point["loss"] for point in row["curve"]]
    assert len(losses) == 4 and losses[-1] < 0.9 and all(map(math.isfinite, losses))
    assert row["lr"] == min(row["trials"], key=row["trials"].get)
    assert 0 < row["seconds_to"]["0.99"] < 3 and row["seconds_to"]["0.0"] is None


def test_validation_is_the_same_every_time():
    images = torch.randn(20, 1, 8, 8).clamp(-1, 1)
    validate = to_loss.Validation(images, 10, "cpu")
    model = NETWORKS["ours"](SIZES["tiny"])
    assert validate(model) == validate(model)
    assert validate(lambda xt, t: torch.zeros_like(xt)) == pytest.approx(1.0, abs=0.2)  # the variance of the noise
