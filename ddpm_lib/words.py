"""From words to tokens: CLIP's tokenizer, with a vocabulary learned from the captions at hand."""

import json
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from .pretrained_parts import check_versions

START, END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(captions: Iterable[str], vocabulary: int = 2048, length: int = 24):
    """transformers' CLIPTokenizer with at most `vocabulary` tokens, learned from captions by byte-pair encoding.

    The bytes of UTF-8 to begin with, each also as the end of a word; then the commonest neighbours become one token,
    again and again (Sennrich et al. 2016), so that any text of any language has tokens, and the common words one each.
    length: tokens of a text, with start and end; what is longer is cut. Raises RuntimeError where transformers is
    too old.
    """
    check_versions()
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    like_clip = _clip(["a"], []).backend_tokenizer
    learner = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    learner.normalizer, learner.pre_tokenizer = like_clip.normalizer, like_clip.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - 2 - len(alphabet), initial_alphabet=alphabet, end_of_word_suffix="</w>",
        min_frequency=2, show_progress=False,
    )  # fmt: skip
    learner.train_from_iterator(captions, trainer)
    merges = [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]
    pieces = [*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(merge) for merge in merges)]
    pieces = list(dict.fromkeys(pieces))
    return _clip(pieces, merges, length)


def _clip(pieces: list[str], merges: list[tuple[str, str]], length: int = 24):
    from transformers import CLIPTokenizer

    with TemporaryDirectory() as folder:
        vocabulary, rules = Path(folder, "vocab.json"), Path(folder, "merges.txt")
        vocabulary.write_text(json.dumps({piece: i for i, piece in enumerate([*pieces, START, END])}), encoding="utf-8")
        rules.write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
        return CLIPTokenizer(str(vocabulary), str(rules), model_max_length=length)


def token_ids(tokenizer, texts: list[str], length: int) -> Tensor:
    """(len(texts), length) token numbers: start, the text, then ends to fill up."""
    found = tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return found.input_ids
