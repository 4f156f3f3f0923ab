"""The network of the page from Python's side: the ONNX file is fresh and true, the figure says what it loads."""

import gzip
import json
import re

import numpy as np
import onnx
import pytest
import torch

from ddpm_lib.checkpoints import WEIGHTS, load_pretrained
from ddpm_lib.export import SMALL, export, fingerprint, halve
from ddpm_lib.widgets.network_in_page import RUNTIME_BYTES, NetworkInPage, weights_bytes
from tests.network_page import make_figure
from tests.node import run_node_tests
from tools import site


@pytest.fixture(scope="module")
def shipped():
    return onnx.load(WEIGHTS / "digits.onnx")


def test_the_shipped_file_was_made_from_the_shipped_weights(shipped):
    said = {entry.key: entry.value for entry in shipped.metadata_props}
    assert said == {"weights_sha256": fingerprint("digits"), "predicts": "eps"}, "python -m ddpm_lib.export digits"


def test_it_is_small_and_takes_any_number_of_pictures(shipped):
    assert (WEIGHTS / "digits.onnx").stat().st_size < 4_000_000
    shapes = {i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in shipped.graph.input}
    assert shapes == {"xt": ["batch", 1, 28, 28], "t": ["batch"], "label": ["batch"]}


def test_a_torch_without_the_exporter_is_told_so(monkeypatch, tmp_path):
    def older(model, arguments, f=None, dynamo=False):
        raise AssertionError("not to be called")

    monkeypatch.setattr(torch.onnx, "export", older)
    with pytest.raises(ImportError, match="newer torch than"):
        export("digits", tmp_path)


def test_its_weights_are_those_of_the_model_to_the_bit(shipped):
    model, _ = load_pretrained("digits")
    theirs = {w.name.removesuffix(".half").removeprefix("model."): onnx.numpy_helper.to_array(w)
              for w in shipped.graph.initializer}  # fmt: skip
    found = 0
    for name, weight in model.named_parameters():
        if name in theirs and theirs[name].shape == tuple(weight.shape):
            assert np.array_equal(theirs[name].astype("float32"), weight.detach().numpy()), name
            found += weight.numel()
    assert found > 0.9 * sum(w.numel() for w in model.parameters())


def test_no_path_of_the_machine_that_made_it_travels_along(shipped):
    text = (WEIGHTS / "digits.onnx").read_bytes()
    assert b".py" not in text and b"/home" not in text and b"/work" not in text


def test_halving_keeps_the_answer_and_spares_the_small():
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(0)
    big, small = rng.normal(size=(SMALL, 3)).astype("float32"), rng.normal(size=3).astype("float32")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "big"], ["y"]), helper.make_node("Add", ["y", "small"], ["z"])],
        "two", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SMALL])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(big, "big"), numpy_helper.from_array(small, "small")],
    )  # fmt: skip
    proto, x = helper.make_model(graph), rng.normal(size=(1, SMALL)).astype("float32")
    before = ReferenceEvaluator(proto).run(None, {"x": x})[0]
    halve(proto)
    kinds = {w.name: w.data_type for w in proto.graph.initializer}
    assert kinds == {"big.half": TensorProto.FLOAT16, "small": TensorProto.FLOAT}
    after = ReferenceEvaluator(proto).run(None, {"x": x})[0]
    assert np.allclose(before, after, atol=0.02) and not np.array_equal(before, after)


@pytest.mark.parametrize("name", ["digits-classifier", "emoji-small", "nobody"])
def test_what_is_no_network_for_the_page_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="one label an image|no weights called"):
        export(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_page_says_what_it_will_load(site_url):
    folder = site.HTML / "_static" / "network"
    assert abs(weights_bytes() - (folder / "digits.onnx.gz").stat().st_size) < 2000
    runtime = (folder / "ort-wasm-simd-threaded.wasm.gz").stat().st_size
    runtime += len(gzip.compress((folder / "ort.wasm.bundle.min.js").read_bytes()))
    assert abs(runtime - RUNTIME_BYTES) < 0.01 * RUNTIME_BYTES
    assert {path.name for path in folder.iterdir()} >= {p.split("/")[-1] for p in make_figure().files.values()}


def test_the_figure_is_the_same_each_time_and_bakes_what_was_given():
    figure = make_figure(label=None, scale=1.5, steps=7, sampler="heun", seed=3)
    html = figure.html()
    assert html == make_figure(label=None, scale=1.5, steps=7, sampler="heun", seed=3).html()
    state = json.loads(re.search(r'^start\(".*?", (\{.*\}), render\);$', html, re.MULTILINE)[1])
    assert state["first"] == {"label": "none", "scale": 1.5, "steps": 7, "way": "heun", "seed": 3}
    assert len(html) < 90_000 and "<svg" in figure.still()
    script = html[html.index('<script type="module">') : html.index("</script>")]
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"label": 10}, "0..9"),
        ({"scale": 9.0}, "scale must lie in 0..8"),
        ({"steps": 0}, "steps in 1..100"),
        ({"sampler": "euler"}, "one of dpmpp"),
        ({"film": torch.zeros(2, 28, 28)}, r"\(rows, columns, 28, 28\)"),
    ],
)
def test_bad_input_is_named(options, says):
    with pytest.raises(ValueError, match=says):
        NetworkInPage(**{"film": torch.zeros(2, 3, 28, 28), **options})


def test_the_film_in_node():
    assert run_node_tests("network_film") >= 10
