"""A shipped network as an ONNX file, for the page that runs it: python -m ddpm_lib.export digits.

The graph computes in float32; its weights are stored in float16, as they are in the safetensors file, so that the
reader loads half as much. The file says which weights it was made from.
"""

import argparse
import hashlib
import inspect
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from .checkpoints import WEIGHTS, load_pretrained, read_header
from .models import UNet

SMALL = 64  # numbers; a tensor of fewer stays as it is: nothing is saved by halving it
OPSET = 18


class _ForThePage(nn.Module):
    """The network with the three inputs of the page; a label of −1 asks for none."""

    def __init__(self, model: UNet):
        super().__init__()
        self.model = model

    def forward(self, xt: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return self.model(xt, t, label)


def export(name: str, folder: Path = WEIGHTS) -> Path:
    """Write NAME.onnx into folder from the weights that ship: inputs xt (batch, 1, 28, 28), t and label (batch,).

    Raises ValueError where NAME has no labels or does not ship, ImportError without onnx and onnxscript, or with a
    torch older than the exporter that this needs.
    """
    model, schedule = load_pretrained(name)
    if not isinstance(model, UNet) or model.label is None or len(model.num_classes) != 1:
        raise ValueError(f"the page runs a U-Net with one label an image; {name} is none.")
    try:
        import onnx
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise ImportError("the export needs onnx and onnxscript: pip install 'ddpm_lib[export]'.") from error
    if "dynamic_shapes" not in inspect.signature(torch.onnx.export).parameters:
        raise ImportError(f"the export needs a newer torch than {torch.__version__}: pip install --upgrade torch.")
    side = 7 * model.side_multiple
    example = torch.zeros(2, model.channels, side, side), torch.tensor([1, schedule.T]), torch.tensor([0, -1])
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.onnx.export(
        _ForThePage(model).eval(),
        example,
        dynamo=True,
        opset_version=OPSET,
        input_names=["xt", "t", "label"],
        output_names=["eps"],
        dynamic_shapes={"xt": {0: batch}, "t": {0: batch}, "label": {0: batch}},
        verbose=False,
    )
    proto = program.model_proto
    halve(proto)
    del proto.metadata_props[:]
    for key, value in {"weights_sha256": fingerprint(name), "predicts": model.predicts}.items():
        proto.metadata_props.add(key=key, value=value)
    forget_where_it_was_made(proto.graph)
    onnx.checker.check_model(proto)
    path = Path(folder) / f"{name}.onnx"
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return path


def halve(proto) -> None:
    """Store each large float32 weight of an ONNX model as float16, with a Cast to float32 beside it, in place.

    The runtime folds the casts when it loads the file, so that no step pays for them.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in proto.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or numpy_helper.to_array(weight).size < SMALL:
            continue
        name, values = weight.name, numpy_helper.to_array(weight)
        weight.CopyFrom(numpy_helper.from_array(values.astype("float16"), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT, name=f"{name}.float"))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(casts + nodes)


def fingerprint(name: str) -> str:
    """sha256 of the tensors that ship under this name: equal weights, equal fingerprint, whatever the card says."""
    from safetensors.torch import load_file

    digest = hashlib.sha256(json.dumps(read_header(WEIGHTS / f"{name}.safetensors")["config"]).encode())
    for key, tensor in sorted(load_file(WEIGHTS / f"{name}.safetensors").items()):
        digest.update(key.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def forget_where_it_was_made(graph) -> None:
    """The exporter notes the lines of code behind each node: bytes for the reader, and paths of this machine."""
    for part in [*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]
    del graph.metadata_props[:]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m ddpm_lib.export", description=__doc__)
    parser.add_argument("name", help="of the weights that ship, such as digits")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for NAME.onnx")
    options = parser.parse_args(arguments)
    try:
        path = export(options.name, options.out)
    except (ValueError, ImportError) as error:
        parser.exit(1, f"{error}\n")
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
