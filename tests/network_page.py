"""A page with the network's figure and the files it loads, as the built site has them: for the browser tests."""

import pytest
import torch

from ddpm_lib.checkpoints import load_pretrained
from ddpm_lib.denoisers import Denoiser, clip
from ddpm_lib.examples import guided_film
from ddpm_lib.guidance import guide
from ddpm_lib.samplers import last, sample_ddim, sample_dpmpp
from ddpm_lib.widgets import NetworkInPage
from tools import site

HEAD = (
    '<!doctype html><html data-content_root="./"><meta charset="utf-8"><title>network</title>'
    '<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">'
    '<body style="max-width: 46rem; margin: auto">'
)
# Every film that a figure of the page has ended is kept here, as the figure tells it.
LISTEN = """<script>window.films = [];
addEventListener("ddpm:film", ({ detail }) => films.push({ ...detail,
  steps: detail.steps.map((s) => ({ t: s.t, x: [...s.x], x0: s.x0 && [...s.x0] })) }));</script>"""

# One question to the network, without the figure.
ASK = """async ({ address, x, t, label }) => {
  const at = (name) => new URL(`_static/network/${name}`, address).href;
  const ort = await import(at("ort.wasm.bundle.min.js"));
  const load = async (name) => new Uint8Array(await new Response((await fetch(at(name))).body.pipeThrough(
    new DecompressionStream("gzip"))).arrayBuffer());
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await load("ort-wasm-simd-threaded.wasm.gz");
  const session = await ort.InferenceSession.create(await load("digits.onnx.gz"), { executionProviders: ["wasm"] });
  const whole = (v) => new ort.Tensor("int64", BigInt64Array.from(v, BigInt), [v.length]);
  const xt = new ort.Tensor("float32", Float32Array.from(x), [t.length, 1, 28, 28]);
  const { eps } = await session.run({ xt, t: whole(t), label: whole(label) });
  return [...eps.data];
}"""


def make_figure(**options):
    model, schedule = load_pretrained("digits")
    return NetworkInPage(guided_film(model, schedule, 3), caption="Press the button.", **options)


@pytest.fixture(scope="session")
def network_address(tmp_path_factory, site_url):
    """The page's address; site_url has built what it loads."""
    folder = tmp_path_factory.mktemp("network")
    (folder / "index.html").write_text(HEAD + LISTEN + make_figure().html(), encoding="utf-8")
    (folder / "bare.html").write_text(HEAD.replace("./", "nowhere/") + make_figure().html(), encoding="utf-8")
    (folder / "_static").mkdir()
    (folder / "_static" / "network").symlink_to(site.HTML / "_static" / "network")
    with site.serving(folder) as address:
        yield address


def redraw(film, sampler, scale):
    """What the library makes of the noise that a film of the page began with: (n, 1, 28, 28)."""
    model, schedule = load_pretrained("digits")
    labels = torch.tensor(film["labels"])
    noise = torch.tensor(film["steps"][0]["x"]).float().reshape(-1, 1, 28, 28)
    asked = clip(guide(Denoiser(model, schedule, label=labels), Denoiser(model, schedule), scale))
    times = [step["t"] for step in film["steps"]]
    return last({"ddim": sample_ddim, "dpmpp": sample_dpmpp}[sampler](asked, schedule, noise, times)).x


@torch.no_grad()
def answer(page, address, t, label):
    """The largest difference between the page's answer and torch's, on noise at the times t under the labels."""
    x = torch.randn(len(t), 1, 28, 28, generator=torch.Generator().manual_seed(0))
    said = page.evaluate(ASK, {"address": address, "x": x.flatten().tolist(), "t": t, "label": label})
    torchs = load_pretrained("digits")[0](x, torch.tensor(t), torch.tensor(label))
    return float((torch.tensor(said) - torchs.flatten()).abs().max())
