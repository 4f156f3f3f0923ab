"""The card of the text-to-image model, README.md of its folder, from what its files say of themselves."""

import json

from safetensors import safe_open

from tools.prompt_results import FOLDER, section

PARTS = {"text_encoder": "model.safetensors", "unet": "diffusion_pytorch_model.safetensors",
         "vae": "diffusion_pytorch_model.safetensors"}  # fmt: skip
ABOUT = """# emoji-diffusion

A latent text-to-image model of emoji in the format of diffusers, every part of it trained from zero for this book:

    from diffusers import StableDiffusionPipeline
    pipe = StableDiffusionPipeline.from_pretrained("ddpm_lib/weights/emoji-diffusion")
    pipe("red apple, noto style", num_inference_steps=20, guidance_scale=4).images[0]

It paints 64 × 64 pixels on white. Prompts are a thing, in English or Chinese as Unicode's CLDR names it, and a style:
noto, twemoji, 3d, flat, blob. It knows {parts}, {images} pictures of them, and nothing else.
"""
LIMITS = """## Limits

Made for teaching, on a CPU, in about two hours: many samples are blotched, small parts are lost in the autoencoder, and
a word that no caption held means nothing to it. It was trained on drawings of very few things: what it makes is close
to them, see *memory* above. Weights trained on all emoji by a GPU are one command away:
`python -m ddpm_lib.recipes emoji-diffusion --data FOLDER`.

## Whose drawings

Trained on Noto Emoji and its older blobs (Google; Apache 2.0), Twemoji (Twitter, Inc and other contributors; CC BY
4.0) and Fluent Emoji, 3D and flat (Microsoft; MIT), reduced to 64 × 64 pixels, on white. Captions and keywords: Unicode
CLDR by way of emojibase-data (Unicode License v3; MIT). Of the drawings this folder holds those that training never
saw, and them alone: kept_out.webp, seven in a row, in the order of kept_out.csv, which names the vendor of each. They
stay under the licences of their vendors.
"""


def card() -> str:
    """The text of the card."""
    facts = json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))
    rows = {f"parameters: {part}": f"{parameters(part):,}" for part in PARTS}
    rows |= {
        "made by": f"`python -m ddpm_lib.recipes {facts['plan']}`",
        "kept out": f"{facts['kept_out']} pairs, sha256 {facts['kept_out_sha256']}",
        "scaling factor": f"{facts['latents']['scaling_factor']:.4f}, measured",
        "latents before: mean of each channel": ", ".join(f"{v:.2f}" for v in facts["latents"]["mean"]),
        "latents before: deviation of each channel": ", ".join(f"{v:.2f}" for v in facts["latents"]["std"]),
        "PSNR of kept-out pictures": f"{facts['psnr_kept_out']} dB",
    }
    for stage in ("autoencoder", "denoiser"):
        made = facts[stage]
        made |= {**made.pop("recipe"), **{f"data {key}": value for key, value in made.pop("data").items()}}
        rows |= {f"{stage}: {key.replace('_', ' ')}": value for key, value in made.items()}
    lines = ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())]
    about = ABOUT.format(parts=", ".join(facts["parts"]), images=facts["images"])
    return "\n".join([about, *lines, "", section(), LIMITS])


def parameters(part: str) -> int:
    with safe_open(FOLDER / part / PARTS[part], framework="pt") as file:
        return sum(file.get_tensor(name).numel() for name in file.keys())


def write() -> None:
    (FOLDER / "README.md").write_text(card(), encoding="utf-8")
    print(FOLDER / "README.md")
