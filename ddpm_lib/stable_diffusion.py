"""Stable Diffusion: the real pipeline where one can be had, and a tiny untrained one with the same parts.

The whole of it in diffusers alone, for a machine with a GPU. The weights, some 5 GB, are fetched at the first call:

    import torch
    from diffusers import StableDiffusionPipeline

    model = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    pipe = StableDiffusionPipeline.from_pretrained(model, dtype=torch.float16)
    pipe = pipe.to("cuda")

    image = pipe(
        "a photograph of an astronaut riding a horse",
        negative_prompt="blurry, cropped",
        num_inference_steps=50,
        guidance_scale=7.5,
        generator=torch.Generator().manual_seed(0),
    ).images[0]
    image.save("astronaut.png")

dtype= is heard from diffusers 0.40 on (older ones call it torch_dtype); float16 takes half the memory, and runs on a
CPU as well, slowly. The noise is drawn where the generator is; from one on the CPU, in one precision and by one torch,
it is the same on every machine. Without height and width the model's own size is drawn, 512 × 512. Guidance is on above
scale 1 only: 1, 0 and −1 give one and the same picture, that of the prompt alone, and a negative prompt is ignored
there without a word. With the weights comes a safety checker, which paints black what it takes for indecent, and a PNDM
scheduler, which calls the U-Net 51 times in 50 steps.

To draw with DDIM, as this library does: pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config). With
"trailing" times its number of steps should divide 1,000, as 50 does (see prompt_films.check_steps).
"""

import json
import os
import string
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from .denoisers import Denoiser
from .models.latent import check_groups
from .pretrained_parts import check_versions, load_whole, without_bars
from .runtime import device, is_full_run
from .schedules import Schedule

SHIPPED = Path(__file__).parent / "weights" / "emoji-diffusion"


def find_pipeline(model: str):
    """diffusers' pipeline called `model` on this machine's GPU, or None.

    model: "emoji-diffusion", the book's own, which is always here; or an id, or a folder that holds a pipeline.

    None comes with one printed message: what is missing, what would happen, how to get it. Half precision on
    CUDA, float32 elsewhere; a CPU takes minutes a picture and is used for a folder only. Only a full run
    (runtime.is_full_run) may fetch weights, about 5 GB, and not under HF_HUB_OFFLINE=1.

    Raises RuntimeError where the libraries are too old, or the weights found do not fit the networks.
    """
    if model == SHIPPED.name:
        return load_pipeline(SHIPPED)
    where = device()
    if where.type == "cpu" and not Path(model).is_dir():
        print(
            f"{model} is not loaded: there is no GPU here, and one picture would take minutes.\n"
            "With a GPU it draws 512 × 512 pictures in seconds. On Colab: Runtime, Change runtime type.\n"
            "The weights are fetched once, about 5 GB; a folder that holds them may stand in place of the name."
        )
        return None
    check_versions()
    from diffusers import StableDiffusionPipeline

    offline = not is_full_run() or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    dtype = torch.float16 if where.type == "cuda" else torch.float32
    try:
        pipe = load_whole(StableDiffusionPipeline, model, dtype, offline)
    except RuntimeError:  # all was found, and it does not fit together
        raise
    except Exception as error:  # huggingface_hub, its HTTP library and diffusers each raise kinds of their own
        why = (str(error).strip() or "no reason given").splitlines()[0][:120]
        cure = "Is there a network, and does the name still exist? Any Stable Diffusion 1.x will do, or a folder."
        if offline:
            cure = "This run may not fetch it: set DDPM_RUN=full, unset HF_HUB_OFFLINE, and start again with a network."
        print(f"{model} could not be loaded ({type(error).__name__}: {why}).\n{cure}")
        return None
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(where)


def tiny_pipeline(seed: int = 0):
    """diffusers' pipeline with every part of the real one and random weights: it runs anywhere, and knows nothing.

    64 × 64 pictures from (4, 8, 8) latents; 77 tokens, a letter each, of width 32; DDIM on Stable Diffusion's betas.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = _letters()
    words = dict(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2)
    ends = dict(bos_token_id=len(tokenizer) - 2, eos_token_id=len(tokenizer) - 1)
    painter = dict(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), block_out_channels=(32, 64), norm_num_groups=8
    )
    mirror = dict(up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=32, layers_per_block=1)
    coder = dict(down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
    check_groups(painter["block_out_channels"], painter["norm_num_groups"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text_encoder = CLIPTextModel(CLIPTextConfig(**words, **ends, num_attention_heads=4))
        unet = UNet2DConditionModel(**painter, **mirror, sample_size=8, attention_head_dim=4)
        vae = AutoencoderKL(**coder, block_out_channels=(16, 16, 32, 32), norm_num_groups=8, sample_size=64)
    betas = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    scheduler = DDIMScheduler(**betas, clip_sample=False, steps_offset=1, timestep_spacing="trailing")
    parts = (vae, text_encoder, tokenizer, unet, scheduler)
    pipe = StableDiffusionPipeline(*parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def assemble(folder: str | Path, coder, tokenizer, text_encoder, unet, schedule: Schedule) -> None:
    """Write the parts of a trained model as a pipeline's folder in diffusers' format, weights in half precision.

    coder: AutoencoderKL with its scaling factor; schedule: a cosine schedule, by which unet predicts v.
    """
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    if schedule.name != "cosine":
        raise ValueError(f"diffusers' scheduler is written for cosine betas alone here, got {schedule.name}.")
    scheduler = DDIMScheduler(
        num_train_timesteps=schedule.T, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
        clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing", steps_offset=1,
    )  # fmt: skip
    coder, text_encoder, unet = (deepcopy(part).half() for part in (coder, text_encoder, unet))  # the caller's stay
    parts = (coder, text_encoder, tokenizer, unet, scheduler)
    pipe = StableDiffusionPipeline(*parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.save_pretrained(folder, safe_serialization=True)
    # transformers would open the text encoder in the precision it was stored in, diffusers opens the rest in float32.
    config = Path(folder, "text_encoder", "config.json")
    found = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**found, "dtype": "float32"}, indent=2) + "\n", encoding="utf-8")


def load_pipeline(folder: str | Path):
    """A pipeline from a folder in diffusers' format, in float32, on this machine's accelerator; no network is asked.

    Raises FileNotFoundError where the folder holds none, RuntimeError where the installed diffusers and transformers
    do not find every weight of it.
    """
    if not Path(folder, "model_index.json").exists():
        raise FileNotFoundError(
            f"{folder} holds no pipeline (no model_index.json): python -m ddpm_lib.recipes emoji-diffusion-small"
            " --data FOLDER trains one."
        )
    check_versions()
    from diffusers import StableDiffusionPipeline

    with without_bars():
        pipe = load_whole(StableDiffusionPipeline, folder)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device())


def read(pipe, prompts: list[str]) -> Tensor:
    """(len(prompts), tokens, width): what the pipeline's text encoder makes of prompts, padded or cut to its length."""
    tokens = pipe.tokenizer(prompts, padding="max_length", max_length=pipe.tokenizer.model_max_length,
                            truncation=True, return_tensors="pt")  # fmt: skip
    return pipe.text_encoder(tokens.input_ids.to(pipe.device))[0]


def schedule_of(pipe) -> Schedule:
    """The schedule that a pipeline's scheduler holds, on this library's index: time 0, clean data, comes before it.

    One with rescale_betas_zero_snr leaves no signal at T (Lin et al. 2024), and its name says so.
    """
    name = {"squaredcos_cap_v2": "cosine", "scaled_linear": "scaled-linear"}
    betas = pipe.scheduler.betas.double()
    kind = pipe.scheduler.config.beta_schedule
    ends = ", without signal at T" if pipe.scheduler.config.get("rescale_betas_zero_snr") else ""
    return Schedule(torch.cat([betas.new_zeros(1), betas]), name.get(kind, kind) + ends)


def prompt_denoiser(pipe, prompts: list[str]) -> Denoiser:
    """A pipeline's U-Net listening to prompts, one for each latent of a batch, as a Denoiser of this library.

    So that guide and every sampler here can drive it; latents (batch, channels, h, w) as the U-Net takes them.
    """
    words, kind = read(pipe, prompts), pipe.scheduler.config.prediction_type
    predicts = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}[kind]

    def network(xt: Tensor, t: Tensor) -> Tensor:
        # diffusers counts the steps 0..T − 1, this library 1..T: the same step, one less.
        return pipe.unet(xt, t - 1, words).sample

    return Denoiser(network, schedule_of(pipe), predicts)


def _letters():
    """CLIP's tokenizer with the letters for a vocabulary: those inside a word, and those that end one."""
    from transformers import CLIPTokenizer

    symbols = string.ascii_lowercase + string.digits
    pieces = [*symbols, *(symbol + "</w>" for symbol in symbols), "<|startoftext|>", "<|endoftext|>"]
    with TemporaryDirectory() as folder:
        vocabulary, merges = Path(folder, "vocab.json"), Path(folder, "merges.txt")
        vocabulary.write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}), encoding="utf-8")
        merges.write_text("#version: 0.2\n", encoding="utf-8")
        return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)
