"""A CLIP tokenizer packed for the page: what clip_tokenizer.js needs to know of tokenizer.json, in numbers."""

import base64
import json
from pathlib import Path

import numpy as np

# The rules that clip_tokenizer.js follows; a tokenizer with others would get other tokens there than here.
SPLIT = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"  # of words
WORD_END = "</w>"


def pack_tokenizer(folder: str | Path) -> dict:
    """The folder's tokenizer.json as {base, merges, special, start, end, pad, length}, ready for JSON.

    base: base64 of 512 uint16: the token of each byte inside a word, then of each byte that ends one; a byte without
    a token has that of the unknown. merges: base64 of uint16 triples in order of rank: left, right and what they
    become. special: text → token of those that a text may name. Raises ValueError where it is not CLIP's kind.
    """
    folder = Path(folder)
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    model, vocabulary = whole["model"], whole["model"].get("vocab", {})
    words = json.dumps(whole["pre_tokenizer"])
    if model["type"] != "BPE" or model["end_of_word_suffix"] != WORD_END or json.dumps(SPLIT)[1:-1] not in words:
        raise ValueError(f"{folder} holds no tokenizer of CLIP's kind: the page knows no other.")
    special = {token["content"]: token["id"] for token in whole["added_tokens"]}
    if max([*vocabulary.values(), *special.values()]) >= 2**16:
        raise ValueError(f"the page counts tokens in 16 bits, and {folder} has {len(vocabulary)} of them.")
    numbers = special | vocabulary
    unknown = numbers[model["unk_token"]]
    letters = byte_letters()
    base = [vocabulary.get(letters[byte] + end, unknown) for end in ("", WORD_END) for byte in range(256)]
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    merges = [vocabulary[piece] for left, right in pairs for piece in (left, right, left + right)]
    return {
        "base": _packed(base), "merges": _packed(merges), "special": special,
        "start": numbers[settings["bos_token"]], "end": numbers[settings["eos_token"]],
        "pad": numbers[settings["pad_token"]], "length": settings["model_max_length"],
    }  # fmt: skip


def byte_letters() -> list[str]:
    """The letter by which byte-level BPE writes each byte: itself where it can be printed, else one from 256 on."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printed else next(others)) for byte in range(256)]


def _packed(numbers: list[int]) -> str:
    return base64.b64encode(np.array(numbers, "<u2").tobytes()).decode()
