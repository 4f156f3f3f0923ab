"""The text-to-image pipeline of the page from Python's side: graphs that are fresh and true, a tokenizer, a figure."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import json
import re
import shutil

import numpy as np
import onnx
import pytest
import torch

from ddpm_lib.export_pipeline import GRAPHS, export_pipeline, fingerprint, networks
from ddpm_lib.stable_diffusion import tiny_pipeline
from ddpm_lib.widgets import PipelineInPage
from ddpm_lib.widgets.pipeline_in_page import FOLDER
from ddpm_lib.widgets.tokenizer import pack_tokenizer
from tests.node import run_node_tests
from tests.pipeline_folder import texts
from tests.pipeline_page import make_figure, tiny_folder
from tools import site


def truth_of(tokenizer, folder):
    """What transformers' tokenizer makes of the texts, and the same tokenizer packed for the page."""
    tokenizer.save_pretrained(folder)
    packed, tried = pack_tokenizer(folder), texts()
    ids = tokenizer(tried, padding="max_length", max_length=packed["length"], truncation=True).input_ids
    bare = tokenizer(tried, add_special_tokens=False).input_ids
    return {"packed": packed, "texts": tried, "ids": ids, "pieces": bare}


def test_the_tokenizer_of_the_page_is_transformers(tiny_folder, tmp_path):
    from transformers import CLIPTokenizer

    learned = truth_of(CLIPTokenizer.from_pretrained(tiny_folder / "tokenizer"), tmp_path / "learned")
    letters = truth_of(tiny_pipeline().tokenizer, tmp_path / "letters")  # it lacks most bytes: they are unknown to it
    passed = run_node_tests("clip_tokenizer", CLIP_TRUTH=(tmp_path / "truth.json",
                            {"learned": learned, "letters": letters}))  # fmt: skip
    assert passed >= 6


def test_the_film_in_node():
    assert run_node_tests("pipeline_film") >= 6


def test_another_kind_of_tokenizer_is_refused(tiny_folder, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text((tiny_folder / "tokenizer" / name).read_text())
    assert pack_tokenizer(tmp_path)["length"] == 24
    text = (tmp_path / "tokenizer.json").read_text()
    (tmp_path / "tokenizer.json").write_text(text.replace("</w>", "</x>"))
    with pytest.raises(ValueError, match="CLIP's kind"):
        pack_tokenizer(tmp_path)


# ---- the graphs ----


def loaded(folder, name):
    """A graph with its weights, taken from the pipeline's own file."""
    proto = onnx.load_from_string((folder / "page" / f"{name}.onnx").read_bytes())
    onnx.load_external_data_for_model(proto, str(folder))
    return proto


def test_the_graphs_hold_no_weights_and_belong_to_the_files(tiny_folder):
    for name, file in GRAPHS.items():
        path = tiny_folder / "page" / f"{name}.onnx"
        proto = onnx.load_from_string(path.read_bytes())
        assert {entry.key: entry.value for entry in proto.metadata_props} == {
            "weights_sha256": fingerprint(tiny_folder / file)
        }
        inside = [w for w in proto.graph.initializer if w.data_location != onnx.TensorProto.EXTERNAL]
        pointed = [w for w in proto.graph.initializer if w.data_location == onnx.TensorProto.EXTERNAL]
        assert len(pointed) > 10 and sum(len(w.raw_data) for w in inside) < 8000
        assert {entry.value for w in pointed for entry in w.external_data if entry.key == "location"} == {file}
        assert path.stat().st_size < 300_000
        assert not any(word in path.read_bytes() for word in (b".py", b"/home", b"/work", b"/tmp"))


def test_any_number_of_pictures_may_be_asked_for(tiny_folder):
    def shapes(values):
        return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}

    graphs = {name: loaded(tiny_folder, name).graph for name in GRAPHS}
    assert {name: shapes(graph.input) for name, graph in graphs.items()} == {
        "text_encoder": {"tokens": ["batch", 24]},
        "unet": {"latents": ["batch", 4, 16, 16], "t": ["batch"], "words": ["batch", 24, 32]},
        "decoder": {"latents": ["batch", 4, 16, 16]},
    }
    assert shapes(graphs["decoder"].output) == {"picture": ["batch", 3, 32, 32]}


def test_every_weight_is_the_files_own_to_the_bit(tiny_folder):
    for name, (network, _, _) in networks(tiny_folder).items():
        parameters = dict(network.named_parameters())
        found = {w.name.removesuffix(".stored"): onnx.numpy_helper.to_array(w)
                 for w in loaded(tiny_folder, name).graph.initializer if w.name.endswith(".stored")}  # fmt: skip
        assert all(values.dtype == np.float16 for values in found.values())
        for key, values in found.items():
            assert np.array_equal(values.astype("float32"), parameters[key].detach().numpy()), key
        used = {key for key in parameters if ".encoder." not in key and ".quant_conv." not in key}
        assert name == "text_encoder" or set(found) == used


def test_a_folder_without_weights_is_refused(tiny_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="text_encoder/model.safetensors"):
        export_pipeline(tmp_path)
    with pytest.raises(FileNotFoundError, match="export_pipeline FOLDER"):
        make_figure(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not (FOLDER / "page").is_dir(), reason="no text-to-image model ships")
def test_the_shipped_graphs_were_made_from_the_shipped_weights():
    for name, file in GRAPHS.items():
        proto = onnx.load_from_string((FOLDER / "page" / f"{name}.onnx").read_bytes())
        said = {entry.key: entry.value for entry in proto.metadata_props}
        assert said == {"weights_sha256": fingerprint(FOLDER / file)}, "python -m ddpm_lib.export_pipeline FOLDER"


# ---- the figure ----


def test_the_figure_is_the_same_each_time_and_bakes_what_was_given(tiny_folder):
    options = dict(prompt="熊猫，noto 风格", negative="blue", scale=2.5, steps=7, seed=3, examples=["panda"])
    figure = make_figure(tiny_folder, **options)
    html = figure.html()
    assert html == make_figure(tiny_folder, **options).html()
    state = json.loads(re.search(r'^start\(".*?", (\{.*\}), render\);$', html, re.MULTILINE)[1])
    assert state["first"] == {"prompt": "熊猫，noto 风格", "negative": "blue", "scale": 2.5, "steps": 7, "seed": 3}
    assert state["settings"] == {"kind": "cosine", "T": 1000, "start": 1e-4, "end": 0.02, "predicts": "v",
                                 "channels": 4, "side": 16, "pictureSide": 32}  # fmt: skip
    assert len(html) < 110_000 and "<svg" in figure.still() and "熊猫" in figure.still()
    script = html[html.index('<script type="module">') : html.index("</script>")]
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_the_page_says_what_it_will_load(tiny_folder, tmp_path):
    figure = make_figure(tiny_folder)
    site.pack_pipeline(tiny_folder, tmp_path / "tiny")
    places = [place for graph in figure.files["graphs"].values() for place in (graph["graph"], graph["weights"])]
    packed = [tmp_path / place.removeprefix("_static/network/") for place in places]
    assert sorted(packed) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert abs(sum(path.stat().st_size for path in packed) - figure.sizes["weights"]) < 10_000
    assert not site.pack_pipeline(tmp_path, tmp_path / "nothing") and not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": 13.0}, "scale must lie in 0..12"),
        ({"steps": 0}, "steps in 1..50"),
        ({"film": torch.zeros(3, 64, 64)}, r"\(frames, 3, side, side\)"),
    ],
)
def test_bad_input_is_named(options, says, tiny_folder):
    with pytest.raises(ValueError, match=says):
        PipelineInPage(**{"film": torch.zeros(2, 3, 64, 64), "folder": tiny_folder, **options})


def test_a_scheduler_that_the_page_does_not_know_is_refused(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "other")
    path = tmp_path / "other" / "scheduler" / "scheduler_config.json"
    path.write_text(path.read_text().replace('"clip_sample": false', '"clip_sample": true'))
    with pytest.raises(ValueError, match="clip_sample"):
        make_figure(tmp_path / "other")
