"""The tokenizer: a CLIP tokenizer in all but its vocabulary, for any text of any language."""

import os
import subprocess
import sys

import pytest
import torch

from ddpm_lib.words import token_ids, train_tokenizer

CAPTIONS = ["a red apple, noto style", "red heart, 3d style", "红苹果，noto 风格", "红心，3d 风格"] * 5


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(CAPTIONS, vocabulary=700, length=12)


def pieces(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids)


def test_common_words_are_one_token_each_and_marks_stand_at_both_ends(tokenizer):
    wanted = ["<|startoftext|>", "a</w>", "red</w>", "apple</w>", ",</w>", "noto</w>", "style</w>", "<|endoftext|>"]
    assert pieces(tokenizer, "A  red Apple, noto style") == wanted


def test_any_text_has_tokens_and_comes_back(tokenizer):
    for text in ["zebra crossing", "红苹果", "🦊 ñandú", "x1y2"]:
        ids = tokenizer(text).input_ids
        assert max(ids) < len(tokenizer)
        back = tokenizer.decode(ids, skip_special_tokens=True)
        assert back.replace(" ", "") == text.replace(" ", "")


def test_texts_are_filled_up_with_ends_and_cut_at_the_length(tokenizer):
    short, long = token_ids(tokenizer, ["red", "red " * 30], 12)
    end = tokenizer.eos_token_id
    assert short.tolist()[2:] == [end] * 10 and long[-1] == end and len(long) == 12
    assert (tokenizer.bos_token_id, end) == (len(tokenizer) - 2, len(tokenizer) - 1)
    assert token_ids(tokenizer, [""], 4).tolist() == [[end - 1, end, end, end]]


def test_the_same_captions_give_the_same_vocabulary_and_it_survives_a_folder(tokenizer, tmp_path):
    from transformers import CLIPTokenizer

    assert train_tokenizer(CAPTIONS, 700, 12).get_vocab() == tokenizer.get_vocab()
    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path, local_files_only=True)
    for text in [*CAPTIONS[:4], "blue 狐狸"]:
        assert torch.equal(token_ids(again, [text], 12), token_ids(tokenizer, [text], 12))


def test_it_is_learned_on_a_machine_whose_own_encoding_is_not_utf_8():
    """As on Windows: CLIP's alphabet has letters beyond any code page."""
    code = "from ddpm_lib.words import train_tokenizer; print(len(train_tokenizer(['a red apple'] * 3, 600)))"
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert run.returncode == 0 and int(run.stdout) > 500, run.stderr[-800:]


def test_nothing_is_trained_before_the_vocabulary_is_there(monkeypatch, tmp_path):
    from ddpm_lib import text_recipes
    from ddpm_lib.recipes import Recipe
    from tests.tiny_emoji import write_emoji

    def fails(captions):
        raise UnicodeEncodeError("charmap", "a", 0, 1, "no such letter")

    trained = []
    monkeypatch.setattr(text_recipes, "train_tokenizer", fails)
    monkeypatch.setattr(text_recipes, "run", lambda recipe, *_, **__: trained.append(recipe.name))
    with pytest.raises(UnicodeEncodeError):
        text_recipes.run_text_to_image(text_recipes.SMALL, Recipe, tmp_path, write_emoji(tmp_path))
    assert trained == []
