"""A text-to-image pipeline as graphs for the page that runs it: python -m ddpm_lib.export_pipeline FOLDER.

FOLDER is in diffusers' format. Three ONNX graphs compute in float32 what its networks compute; their weights are not
in them: they point to the tensors in the folder's own safetensors files (ONNX calls that external data), and cast
them. So the page loads the model's own files and graphs of a few kB, and no weight is stored twice.
"""

import argparse
import hashlib
import json
from collections.abc import Container
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .export import OPSET, forget_where_it_was_made
from .pretrained_parts import check_versions, load_part

TYPES = {"F16": "FLOAT16", "F32": "FLOAT"}  # safetensors' names of types, and ONNX's
NUMPY = {"F16": "<f2", "F32": "<f4"}
# The graphs, each with the file whose weights it takes, as the folder has it.
GRAPHS = {
    "text_encoder": "text_encoder/model.safetensors",
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "decoder": "vae/diffusion_pytorch_model.safetensors",
}


class _Words(nn.Module):
    def __init__(self, text_encoder: nn.Module):
        super().__init__()
        self.text_encoder = text_encoder

    def forward(self, tokens: Tensor) -> Tensor:
        return self.text_encoder(tokens).last_hidden_state


class _Denoiser(nn.Module):
    """t counts 1..T, as everywhere in this library; diffusers counts the same steps 0..T − 1."""

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.unet = unet

    def forward(self, latents: Tensor, t: Tensor, words: Tensor) -> Tensor:
        return self.unet(latents, t - 1, words).sample


class _Decoder(nn.Module):
    """Takes latents as the sampler leaves them: the scaling factor is divided out here."""

    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample


def networks(folder: str | Path) -> dict[str, tuple[nn.Module, dict[str, Tensor], str]]:
    """Of each graph: the network in float32 from the folder, inputs of the right form by name, and its output's name.

    tokens (batch, length) → words (batch, length, width); latents (batch, channels, side, side), t (batch,) in 1..T
    and words → v; latents → picture (batch, 3, side, side) in about [−1, 1]. Raises RuntimeError where a weight of the
    folder is not found: a graph of random numbers is worse than none.
    """
    check_versions()
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    def part(kind, name: str) -> nn.Module:
        return load_part(kind, str(folder), name)

    text, unet = part(CLIPTextModel, "text_encoder"), part(UNet2DConditionModel, "unet")
    vae = part(AutoencoderKL, "vae")
    length, side, width = text.config.max_position_embeddings, unet.config.sample_size, text.config.hidden_size
    tokens = torch.full((2, length), text.config.vocab_size - 1)
    latents, t = torch.zeros(2, unet.config.in_channels, side, side), torch.tensor([1, 1000])
    words = torch.zeros(2, length, width)
    return {
        "text_encoder": (_Words(text).eval(), {"tokens": tokens}, "words"),
        "unet": (_Denoiser(unet).eval(), {"latents": latents, "t": t, "words": words}, "v"),
        "decoder": (_Decoder(vae).eval(), {"latents": latents}, "picture"),
    }


def export_pipeline(folder: str | Path, out: str | Path | None = None) -> list[Path]:
    """Write the graphs text_encoder.onnx, unet.onnx and decoder.onnx of a diffusers folder; returns their paths.

    out: where to; FOLDER/page if not given. Each names in its metadata the sha256 of the file whose weights it takes.
    Raises FileNotFoundError where the folder lacks a file, ImportError without onnx and onnxscript, RuntimeError where
    the installed libraries do not find every weight.
    """
    folder = Path(folder)
    for file in GRAPHS.values():
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder} has no {file}: give it a pipeline's folder in diffusers' format.")
    try:
        import onnx
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise ImportError("the export needs onnx and onnxscript: pip install 'ddpm_lib[export]'.") from error
    out = Path(out or folder / "page")
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (network, inputs, output) in networks(folder).items():
        proto = _graph(network, inputs, output)
        point_to_weights(proto, dict(network.named_parameters()), folder, GRAPHS[name])
        del proto.metadata_props[:]
        proto.metadata_props.add(key="weights_sha256", value=fingerprint(folder / GRAPHS[name]))
        forget_where_it_was_made(proto.graph)
        paths.append(out / f"{name}.onnx")
        paths[-1].write_bytes(proto.SerializeToString(deterministic=True))
        onnx.load_external_data_for_model(proto, str(folder))
        onnx.checker.check_model(proto)
    return paths


def _graph(network: nn.Module, inputs: dict[str, Tensor], output: str):
    """The network as an ONNX model with a free batch, simplified, every weight as it is in the network."""
    from onnx import helper
    from onnxscript import optimizer

    batch = torch.export.Dim("batch", min=1, max=63)  # diffusers' U-Net does otherwise from 64 on
    proto = torch.onnx.export(
        network, tuple(inputs.values()), dynamo=True, opset_version=OPSET, optimize=False, verbose=False,
        input_names=list(inputs), output_names=[output], dynamic_shapes=tuple({0: batch} for _ in inputs),
    ).model_proto  # fmt: skip
    # While the graph is simplified its weights pose as inputs: nothing folds or turns what it cannot know.
    weights = {w.name: w for w in list(proto.graph.initializer) if w.name in dict(network.named_parameters())}
    others = [w for w in proto.graph.initializer if w.name not in weights]
    kept = [helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in weights.values()]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(others)
    proto.graph.input.extend(kept)
    proto = optimizer.optimize(proto)
    real = [i for i in proto.graph.input if i.name not in weights]
    del proto.graph.input[:]
    proto.graph.input.extend(real)
    used = {name for node in proto.graph.node for name in node.input}
    proto.graph.initializer.extend(w for name, w in weights.items() if name in used)
    return proto


def point_to_weights(proto, names: Container[str], folder: Path, file: str) -> None:
    """Let each initializer in `names` that is a tensor of folder/file point there, with a Cast to float32, in place.

    It is looked for by shape and value: transformers and diffusers do not save all tensors under the names that the
    networks have for them. What is not found stays inside. The runtime folds the casts when it loads the graph, so
    that no step pays for them.
    """
    from onnx import TensorProto, helper, numpy_helper

    stored = tensors_of(folder / file)
    casts = []
    for weight in proto.graph.initializer:
        values = numpy_helper.to_array(weight)
        place = stored.get((values.shape, values.tobytes()))
        if weight.name not in names or values.dtype != np.float32 or place is None:
            continue
        name, (kind, offset, length) = weight.name, place
        weight.Clear()
        weight.name, weight.data_type = f"{name}.stored", getattr(TensorProto, TYPES[kind])
        weight.dims.extend(values.shape)
        weight.data_location = TensorProto.EXTERNAL
        for key, value in {"location": file, "offset": offset, "length": length}.items():
            weight.external_data.add(key=key, value=str(value))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT, name=f"{name}.float"))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(casts + nodes)


def tensors_of(path: Path) -> dict[tuple[tuple[int, ...], bytes], tuple[str, int, int]]:
    """Where a safetensors file keeps what: shape and float32 bytes → type, offset in the file and length, in bytes."""
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    found = {}
    for name, entry in json.loads(whole[8:start]).items():
        if name == "__metadata__" or entry["dtype"] not in TYPES:
            continue
        begin, end = (start + place for place in entry["data_offsets"])
        values = np.frombuffer(whole[begin:end], NUMPY[entry["dtype"]]).astype("<f4")
        found[tuple(entry["shape"]), values.tobytes()] = (entry["dtype"], begin, end - begin)
    return found


def fingerprint(path: Path) -> str:
    """sha256 of a file of weights: the graphs know their tensors by place, so it must be this very file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m ddpm_lib.export_pipeline", description=__doc__)
    parser.add_argument("folder", type=Path, help="a text-to-image pipeline in diffusers' format")
    parser.add_argument("--out", type=Path, help="folder for the graphs (FOLDER/page)")
    options = parser.parse_args(arguments)
    try:
        paths = export_pipeline(options.folder, options.out)
    except (FileNotFoundError, ImportError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and type(error) is not RuntimeError:
            raise
        parser.exit(1, f"{error}\n")
    for path in paths:
        print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
