"""What a network predicts, and what it said when it was asked.

A network is any callable, model(xt, t) or model(xt, t, label). It may say of itself what it predicts, as a string
`predicts`. What is silent is taken for a noise predictor, since that is what the losses then train it for.
"""

import functools
import types
from collections.abc import Callable, Iterator

from torch import Tensor, nn

# The library's words, and diffusers' (prediction_type) for the same.
WORDS = {"eps": "eps", "x0": "x0", "v": "v", "epsilon": "eps", "sample": "x0", "v_prediction": "v"}


def named(predicts: str) -> str:
    """ "eps", "x0" or "v" for any of the WORDS; ValueError for others."""
    if not isinstance(predicts, str) or predicts not in WORDS:
        raise ValueError(
            f'predicts must be "eps" (the noise), "x0" (the clean data) or "v", got {predicts!r};'
            ' diffusers\' words "epsilon", "sample" and "v_prediction" do as well.'
        )
    return WORDS[predicts]


def predicts_of(model: Callable) -> str:
    """What a network predicts: "eps", "x0" or "v", as it says itself in model.predicts; "eps" if it says nothing.

    It is heard through functools.partial, torch.compile, DistributedDataParallel (.module) and bound methods. What a
    function or a module of your own makes of the network inside cannot be known: if that one predicts anything but
    eps, and the wrapper does not say what comes out, this is a ValueError that asks for predicts=….
    """
    model = _bare(model)
    if (said := getattr(model, "predicts", None)) is not None:
        return named(said)
    hidden = sorted({named(word) for word in _said_inside(model)} - {"eps"})
    if hidden:
        raise ValueError(
            f'a network inside predicts "{hidden[0]}", but what wraps it does not say what comes out: give'
            f' predicts="{hidden[0]}" (Denoiser(model, schedule, predicts=…)), or set .predicts on the wrapper.'
        )
    return "eps"


def ask(model: Callable, xt: Tensor, times: Tensor, label: Tensor | None = None) -> Tensor:
    """The network's answer to xt, (batch, ...), times, (batch,), and a label: a tensor of xt's shape, or a clear error.

    An object with the answer in `.sample`, as diffusers' networks return, is opened.
    """
    output = model(xt, times) if label is None else model(xt, times, label)
    if not isinstance(output, Tensor):
        output, whole = getattr(output, "sample", None), output
        if not isinstance(output, Tensor):
            raise TypeError(
                f"the model must return a tensor, or an object with one in .sample, but returned a"
                f" {type(whole).__name__}; wrap it: lambda xt, t: model(xt, t)[0], for instance."
            )
    if output.shape != xt.shape:
        raise ValueError(
            f"the model must return the shape it was given, {tuple(xt.shape)}, but returned {tuple(output.shape)}."
        )
    return output


def _bare(model: Callable) -> Callable:
    """The network under wrappers that hand its output on as it is."""
    while getattr(model, "predicts", None) is None:
        if isinstance(model, functools.partial):
            model = model.func
        elif isinstance(model, types.MethodType) and model.__name__ in ("forward", "__call__"):
            model = model.__self__
        elif isinstance(model, nn.Module) and isinstance(getattr(model, "module", None), nn.Module):
            model = model.module
        else:
            break
    return model


def _said_inside(model: Callable, depth: int = 3) -> Iterator[str]:
    """Every `predicts` of a network that a silent callable holds: as a part, in its closure, or by a global name."""
    if isinstance(model, types.MethodType):
        held = [model.__self__, *vars(model.__self__).values()] if hasattr(model.__self__, "__dict__") else []
    elif isinstance(model, nn.Module):
        held = [part for part in model.modules() if part is not model]
    elif isinstance(model, types.FunctionType):
        cells = [cell.cell_contents for cell in model.__closure__ or () if _is_filled(cell)]
        names = [model.__globals__[name] for name in model.__code__.co_names if name in model.__globals__]
        held = [*cells, *names, *(model.__defaults__ or ()), *(model.__kwdefaults__ or {}).values()]
    else:
        held = [*vars(model).values()] if hasattr(model, "__dict__") else []
    for part in held:
        # A denoiser inside gives a Guess, whose views say themselves what they are; and a class is no network.
        denoises = hasattr(part, "schedule") and not isinstance(part, nn.Module)
        if not callable(part) or isinstance(part, type) or denoises:
            continue
        part = _bare(part)
        if isinstance(said := getattr(part, "predicts", None), str):
            yield said
        elif depth and not isinstance(model, nn.Module) and not _of_a_library(part):
            yield from _said_inside(part, depth - 1)


def _is_filled(cell: types.CellType) -> bool:
    return cell != types.CellType()


def _of_a_library(part: Callable) -> bool:
    """Functions of torch and of this package hold no network of yours."""
    return str(getattr(part, "__module__", "")).split(".")[0] in ("torch", __name__.split(".")[0])
