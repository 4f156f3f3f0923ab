// The film of prompts, the pure part: where pictures lie, what was measured, how a film runs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { fullBar, languageOf, laidOver, linesOf, meansOf, momentAfter, placeOf, readingsOf, scaleWords,
  timeWords }
  from "../../ddpm_lib/widgets/prompt_math.js";

const file = process.env.FILM_JSON;
assert.ok(file, "FILM_JSON names no file: run this through `pytest tests/test_prompt_film.py`");
const python = JSON.parse(readFileSync(file, "utf8")), { film } = python;
const near = (a, b) => assert.ok(Math.abs(a - b) <= 6e-4, `${a} is not ${b}`);

test("pictures lie side by side, none upon another, and fill their sheet", () => {
  const side = 24, seen = new Set();
  for (let p = 0; p < 2; p++) for (let g = 0; g < 3; g++) for (let s = 0; s < 2; s++) {
    const [left, top] = placeOf(film, side, p, g, s);
    assert.ok(left % side === 0 && top % side === 0 && left < 6 * side && top < 2 * side);
    seen.add(`${left} ${top}`);
  }
  assert.equal(seen.size, 12);
  assert.deepEqual(placeOf(film, 16, 1, 2, 0), [4 * 16, 16]);
});

test("a difference laid over the end is the picture again, as near as bytes allow", () => {
  const { ends, kept, pictures } = python.laid, laid = laidOver(Uint8ClampedArray.from(ends), Uint8ClampedArray.from(kept));
  pictures.forEach((byte, i) => assert.ok(Math.abs(laid[i] - byte) <= 2, `${laid[i]} is not ${byte}`));
  assert.deepEqual([...laidOver(Uint8ClampedArray.of(7, 8, 9, 255), Uint8ClampedArray.of(128, 128, 128, 255))], [7, 8, 9, 255]);
  assert.deepEqual([...laidOver(Uint8ClampedArray.of(7, 250, 9, 255), Uint8ClampedArray.of(0, 255, 128, 0))], [0, 255, 9, 255]);
});

test("the comparison holds the seeds of a prompt, or the prompts of a seed", () => {
  assert.deepEqual(linesOf(film, "seeds", 1, 0), [{ p: 1, s: 0 }, { p: 1, s: 1 }]);
  assert.deepEqual(linesOf(film, "prompts", 0, 1), [{ p: 0, s: 1 }, { p: 1, s: 1 }]);
});

test("readings and their means are the library's", () => {
  for (let f = 0; f < 3; f++) {
    for (let p = 0; p < 2; p++) readingsOf(film, "differ", p, f).forEach((v, g) => near(v, python.differ[p][g][f]));
    meansOf(film, "colour", f).forEach((v, g) => near(v, python.colour[g][f]));
  }
});

test("a full bar is the largest of all", () => {
  const all = python.differ.flat(2);
  near(fullBar(film, "differ"), Math.max(...all));
  assert.ok(fullBar({ differ: [[[0]]] }, "differ") > 0); // nothing differs: empty bars, not NaN
});

test("words for times and scales, and the language of a prompt", () => {
  assert.equal(timeWords(600, false), "t = 600");
  assert.equal(timeWords(0, true), "t = 0, the end");
  assert.equal(scaleWords(1), "1: none");
  assert.equal(scaleWords(0), "0: prompt not heard");
  assert.equal(scaleWords(7.5), "7.5");
  assert.equal(languageOf("苹果"), "zh");
  assert.equal(languageOf("a red apple, noto style"), null);
});

test("a film shows each moment for a while and rests at the last", () => {
  assert.equal(momentAfter(0, 0, 6, 0.5), 0);
  assert.equal(momentAfter(0.49, 2, 6, 0.5), 2);
  assert.equal(momentAfter(1.1, 2, 6, 0.5), 4);
  assert.equal(momentAfter(99, 0, 6, 0.5), 5);
});
