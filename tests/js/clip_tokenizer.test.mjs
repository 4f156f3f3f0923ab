// CLIP's tokenizer in the page against transformers': $CLIP_TRUTH holds {packed, texts, ids, pieces}.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { clipTokenizer, clipWords } from "../../ddpm_lib/widgets/clip_tokenizer.js";

const truths = JSON.parse(readFileSync(process.env.CLIP_TRUTH));

for (const [name, { packed, texts, ids, pieces }] of Object.entries(truths)) {
  const tokenizer = clipTokenizer(packed);
  test(`${name}: every text has the numbers that transformers gives it`, () => {
    assert.ok(texts.length > 150);
    texts.forEach((text, i) => {
      assert.deepEqual(tokenizer.encode(text), ids[i], JSON.stringify(text));
      assert.deepEqual(tokenizer.pieces(text), pieces[i], JSON.stringify(text));
    });
  });
  test(`${name}: what is spelled, put together, is the text`, () => {
    const said = tokenizer.pieces("a red apple").map(tokenizer.spell);
    if (name !== "letters") assert.equal(said.map((p) => p.text + (p.ends ? " " : "")).join(""), "a red apple ");
    assert.deepEqual(tokenizer.spell(packed.start), { text: "<|startoftext|>", ends: true });
  });
}

test("part of a letter is shown by its bytes", () => {
  const tokenizer = clipTokenizer(truths.learned.packed);
  const spelled = tokenizer.pieces("𓀀").map(tokenizer.spell);
  assert.deepEqual(spelled.map((p) => p.text), ["F0", "93", "80", "80"]);
  assert.deepEqual(spelled.map((p) => p.ends), [false, false, false, true]);
});

test("words: endings, letters, single digits, signs", () => {
  assert.deepEqual(clipWords("It's 42 °C!  RED\u00a0Apple，noto"), ["it", "'s", "4", "2", "°", "c", "!", "red", "apple",
    "，", "noto"]);
  assert.deepEqual(clipWords(" \n\t"), []);
  assert.deepEqual(clipWords("e\u0301"), ["\u00e9"]);
});
