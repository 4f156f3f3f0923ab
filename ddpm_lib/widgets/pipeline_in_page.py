"""PipelineInPage: the shipped text-to-image model, words to picture, in the reader's browser."""

import gzip
import json
from functools import cache
from html import escape
from pathlib import Path

import torch
import traitlets

from . import encode
from .figure import Figure
from .network_in_page import FILES, RUNTIME_BYTES
from .tokenizer import pack_tokenizer

FOLDER = Path(__file__).parent.parent / "weights" / "emoji-diffusion"
SITE = "_static/network"  # of the built site; tools/site.py packs the folder's files there, each as FILE.gz
# What the page loads for each graph, from the folder: the graph, and the weights that it points to.
GRAPHS = {
    "text_encoder": ("page/text_encoder.onnx", "text_encoder/model.safetensors"),
    "unet": ("page/unet.onnx", "unet/diffusion_pytorch_model.safetensors"),
    "decoder": ("page/decoder.onnx", "vae/diffusion_pytorch_model.safetensors"),
}
KINDS = {"squaredcos_cap_v2": "cosine", "linear": "linear", "scaled_linear": "scaled-linear"}
PREDICTS = {"v_prediction": "v", "epsilon": "eps", "sample": "x0"}
STYLES = ["noto", "twemoji", "3d", "flat", "blob"]
EXAMPLES = ["red apple, noto style", "panda, flat style", "cherry blossom, 3d style",
            "红苹果，noto 风格", "熊猫，blob 风格"]  # fmt: skip


@cache
def packed_bytes(folder: Path) -> int:
    """Bytes of graphs and weights as they travel, packed by gzip."""
    missing = [file for files in GRAPHS.values() for file in files if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder.name} has no {missing[0]}: python -m ddpm_lib.export_pipeline FOLDER writes the graphs of a"
            " pipeline's folder in diffusers' format."
        )
    return sum(len(gzip.compress((folder / file).read_bytes(), 9)) for files in GRAPHS.values() for file in files)


def read_settings(folder: Path) -> dict:
    """What the page must know of the folder's configurations: the schedule, what the U-Net predicts, sizes.

    Raises ValueError where the model samples in a way that the page does not know.
    """
    unet, vae, scheduler = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("unet/config.json", "vae/config.json", "scheduler/scheduler_config.json")
    )
    kind, predicts = scheduler["beta_schedule"], scheduler["prediction_type"]
    odd = [key for key in ("clip_sample", "thresholding", "rescale_betas_zero_snr", "trained_betas")
           if scheduler.get(key)]  # fmt: skip
    if kind not in KINDS or predicts not in PREDICTS or odd:
        raise ValueError(f"the page cannot sample as this scheduler asks: {', '.join([kind, predicts, *odd])}.")
    return {
        "kind": KINDS[kind], "T": scheduler["num_train_timesteps"], "start": scheduler["beta_start"],
        "end": scheduler["beta_end"], "predicts": PREDICTS[predicts], "channels": unet["in_channels"],
        "side": unet["sample_size"], "pictureSide": vae["sample_size"],
    }  # fmt: skip


class PipelineInPage(Figure):
    """The book's text-to-image model through onnxruntime-web: prompt, style, guidance, steps, seed; tokens and a film.

    The tokens of the prompt are shown at once; nothing is loaded before the reader presses the button, which says how
    much it is. Tokenizer, sampler and guidance are this library's in JavaScript: DDIM on even times, no clipping.

    film: the still and the first thing seen, (frames, 3, side, side) in [−1, 1], out of noise, as
    prompt_frames(pipe, …)[0, 0, 0] draws it. prompt, negative: the texts to begin with; scale: of the guidance, 0..12
    (1 is none); steps: 1..50; seed: of the noise. examples: prompts on buttons; styles: words that end a prompt.
    folder: the model in diffusers' format with its graphs in page/; the page finds it at SITE under its own name.
    caption: what stands under the figure; None for the figure's own words, "" for none.
    """

    modules = ("figure.js", "schedule_math.js", "samplers.js", "network_film.js", "clip_tokenizer.js",
               "pipeline_film.js", "pipeline_worker.js", "pipeline_parts.js", "pipeline_in_page.js")  # fmt: skip
    styles = ("figure.css", "network_in_page.css", "pipeline_in_page.css")
    settings = traitlets.Dict().tag(sync=True, baked=True)
    tokenizer = traitlets.Dict().tag(sync=True, baked=True)
    files = traitlets.Dict().tag(sync=True, baked=True)
    sizes = traitlets.Dict().tag(sync=True, baked=True)
    offers = traitlets.Dict().tag(sync=True, baked=True)
    first = traitlets.Dict().tag(sync=True, baked=True)

    def __init__(self, film, *, prompt="red apple, noto style", negative="", scale=4.0, steps=20, seed=0,
                 examples=EXAMPLES, words=STYLES, folder=FOLDER, caption=None):  # fmt: skip
        folder, film = Path(folder), torch.as_tensor(film).detach().cpu().float()
        if film.ndim != 4 or film.shape[1] != 3 or film.shape[2] != film.shape[3]:
            raise ValueError(f"film must have shape (frames, 3, side, side), got {tuple(film.shape)}.")
        if not 0 <= scale <= 12 or not 1 <= steps <= 50:
            raise ValueError(f"scale must lie in 0..12 and steps in 1..50, got {scale} and {steps}.")
        self._film = torch.stack(encode.thin(list(film), 8))
        self._prompt = prompt
        sizes = {"weights": round(packed_bytes(folder), -4), "runtime": RUNTIME_BYTES}
        where = f"{SITE}/{folder.name}"
        super().__init__(
            settings=read_settings(folder),
            tokenizer=pack_tokenizer(folder / "tokenizer"),
            files={
                "runtime": FILES["runtime"],
                "wasm": FILES["wasm"],
                "graphs": {name: {"graph": f"{where}/{graph}.gz", "weights": f"{where}/{weights}.gz",
                                  "location": weights} for name, (graph, weights) in GRAPHS.items()},
            },
            sizes=sizes,
            offers={"examples": list(examples), "styles": list(words)},
            first={"prompt": prompt, "negative": negative, "scale": float(scale), "steps": int(steps),
                   "seed": int(seed)},
            caption=caption,
        )  # fmt: skip

    def still(self) -> str:
        """The film as one picture, frame beside frame."""
        count, _, side, _ = self._film.shape
        step = encode.pitch(side)
        width = step * (count - 1) + side
        address = encode.sheet_address(list(self._film), count)
        sheet = f'<image href="{address}" width="{step * count}" height="{step}"/>'
        rules = "".join(f"M{step * k - (step - side) / 2:g} 0v{side}" for k in range(1, count))
        rules = f'<path d="{rules}" stroke="#ffffff" stroke-width="{step - side + 2}"/>'
        what = escape(f"a picture on its way out of noise, under the prompt “{self._prompt}”", quote=True)
        return encode.drawing(f"0 0 {width} {side}", what, sheet + rules)
