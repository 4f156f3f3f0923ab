"""A page with the pipeline's figure, a tiny pipeline and the files it loads, as the built site has them."""

import fcntl
import gzip
import logging
import os
import sys
from pathlib import Path

import pytest
import torch

from ddpm_lib.export_pipeline import export_pipeline, networks
from ddpm_lib.widgets import PipelineInPage
from tests.pipeline_folder import write_pipeline
from tools import site, vendor

HEAD = (
    '<!doctype html><html lang="en" data-content_root="./"><meta charset="utf-8"><title>pipeline</title>'
    '<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">'
    '<body style="max-width: 46rem; margin: auto">'
)
# Every picture that a figure of the page has ended is kept here, as the figure tells it.
LISTEN = """<script>window.pictures = [];
addEventListener("ddpm:picture", ({ detail }) => pictures.push({ ...detail, frames: detail.frames.map((f) => ({
  ...f, x: [...f.x], x0: f.x0 && [...f.x0], picture: [...f.picture] })) }));</script>"""

# One question to each network, without the figure: name → {graph, weights, location, feeds}.
ASK = """async ({ address, graphs }) => {
  const at = (name) => new URL(`_static/network/${name}`, address).href;
  const load = async (name) => new Uint8Array(await new Response((await fetch(at(name))).body.pipeThrough(
    new DecompressionStream("gzip"))).arrayBuffer());
  const ort = await import(at("ort.wasm.bundle.min.js"));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await load("ort-wasm-simd-threaded.wasm.gz");
  const answers = {};
  for (const [name, { graph, weights, location, feeds }] of Object.entries(graphs)) {
    const session = await ort.InferenceSession.create(await load(graph), { executionProviders: ["wasm"],
      externalData: [{ path: location, data: await load(weights) }] });
    const given = Object.fromEntries(Object.entries(feeds).map(([key, { type, data, dims }]) => [key,
      new ort.Tensor(type, type === "int64" ? BigInt64Array.from(data, BigInt) : Float32Array.from(data), dims)]));
    answers[name] = [...Object.values(await session.run(given))[0].data];
  }
  return answers;
}"""


def some_film():
    """Eight frames from noise to a red disc, for the still."""
    line = torch.linspace(-1, 1, 64)
    disc = torch.where((line[:, None] ** 2 + line**2 < 0.6)[None], torch.tensor([0.8, -0.7, -0.6])[:, None, None], 1.0)
    noise = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    return torch.stack([disc * k / 7 + noise * (1 - k / 7) for k in range(8)]).clamp(-1, 1)


def make_figure(folder, **options):
    return PipelineInPage(some_film(), folder=folder, **{"caption": "Press the button.", **options})


def write_page(target: Path, pipeline: Path, **options) -> None:
    """The page, and beside it what the built site would have: the runtime, and the pipeline's files, packed."""
    vendor.fetch(Path(sys.executable).parent)
    (target / "index.html").write_text(HEAD + LISTEN + make_figure(pipeline, **options).html(), encoding="utf-8")
    network = target / "_static" / "network"
    network.mkdir(parents=True)
    for name in ("ort.wasm.bundle.min.js", "ort-wasm-simd-threaded.wasm"):
        whole = (vendor.STATIC / "network" / name).read_bytes()
        packed = name.endswith(".wasm")
        (network / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(whole, 6) if packed else whole)
    site.pack_pipeline(pipeline, network / pipeline.name)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A pipeline in diffusers' format with random weights and its graphs, made once for all files and workers."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "pipelines" / "tiny"
    with open(base / "pipelines.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (folder / "page" / "decoder.onnx").exists():
            logging.disable(logging.DEBUG)  # pytest would keep every line of torch's trace, and double the time
            write_pipeline(folder)
            export_pipeline(folder)
            logging.disable(logging.NOTSET)
    return folder


@pytest.fixture(scope="session")
def pipeline_address(tmp_path_factory, tiny_folder):
    """The page's address. Beside it: bare.html, in a place where the files are not; two.html with the figure twice;
    blank.html, and the module alone."""
    target = tmp_path_factory.mktemp("pipeline-page")
    write_page(target, tiny_folder, steps=4)
    figure = make_figure(tiny_folder, steps=2)
    (target / "bare.html").write_text(HEAD.replace("./", "nowhere/") + figure.html(), encoding="utf-8")
    (target / "two.html").write_text(HEAD + 2 * figure.html(), encoding="utf-8")
    (target / "blank.html").write_text(HEAD, encoding="utf-8")
    (target / "PipelineInPage.js").write_text(figure._esm, encoding="utf-8")
    with site.serving(target) as address:
        yield address


@torch.no_grad()
def furthest_answers(page, address, folder) -> dict[str, float]:
    """The largest difference between the page's answers and torch's, network by network, on random inputs."""
    generator = torch.Generator().manual_seed(0)
    asked, told = {}, {}
    files = make_figure(folder).files["graphs"]
    for name, (network, inputs, _) in networks(folder).items():
        for key, example in inputs.items():
            if key == "tokens":
                inputs[key] = torch.randint(0, int(example.max()), example.shape, generator=generator)
            elif key != "t":
                inputs[key] = torch.randn(example.shape, generator=generator)
        told[name] = network(*inputs.values()).flatten()
        feeds = {key: {"type": str(x.dtype).removeprefix("torch."), "data": x.flatten().tolist(), "dims": list(x.shape)}
                 for key, x in inputs.items()}  # fmt: skip
        asked[name] = {"location": files[name]["location"], "feeds": feeds}
        asked[name] |= {key: files[name][key].removeprefix("_static/network/") for key in ("graph", "weights")}
    said = page.evaluate(ASK, {"address": f"{address}/", "graphs": asked})
    return {name: float((torch.tensor(said[name]) - told[name]).abs().max()) for name in told}


@torch.no_grad()
def redraw(folder, drawn) -> torch.Tensor:
    """diffusers' picture (3, side, side) in [−1, 1] from the noise that a picture of the page began with."""
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    side = pipe.unet.config.sample_size
    latents = torch.tensor(drawn["frames"][0]["x"]).float().reshape(1, -1, side, side)
    found = pipe(drawn["prompt"], negative_prompt=drawn["negative"], guidance_scale=drawn["scale"],
                 num_inference_steps=drawn["steps"], latents=latents, output_type="pt")  # fmt: skip
    return found.images[0] * 2 - 1
