// Ink and restorer, the pure part: the map of times, the exact denoiser by pieces and whole, the steps down.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { schedule } from "../../ddpm_lib/widgets/schedule_math.js";
import { blots, Inked, reachOf, restore, splashOf } from "../../ddpm_lib/widgets/ink_math.js";
import { cutOut } from "../../ddpm_lib/widgets/ink.js";

const file = process.env.INK_JSON;
assert.ok(file, "INK_JSON names no file: run this through `pytest tests/test_ink.py`");
const { side, clean, works, x, levels, whole, pieces, times } = JSON.parse(readFileSync(file, "utf8"));
const rates = schedule("linear", 1000, 1e-4, 0.02);
const museum = works.map((work) => Float32Array.from(work));
const close = (a, b, within = 1e-4) => assert.ok(Math.abs(a - b) <= within, `${a} is not ${b}`);
const inked = (seed = 5) => new Inked(Float32Array.from(clean), side, rates, seed);
const variance = (v) => v.reduce((sum, a) => sum + a * a, 0) / v.length;

times.forEach((t, j) => test(`whole works, one time ${t} everywhere: the library's ExactDenoiser`, () => {
  const level = new Uint16Array(side * side).fill(t);
  const answer = restore(Float32Array.from(x[j]), level, museum, side, rates, { whole: true });
  whole[j].x0.forEach((value, i) => close(answer.x0[i], value, 2e-4));
  whole[j].share.forEach((value, k) => close(answer.share[k], value));
  close(answer.share.reduce((a, b) => a + b), 1, 1e-9);
}));

test("piece by piece, a time of its own at every place: the sum over windows, written out in numpy", () => {
  const answer = restore(Float32Array.from(x.at(-1)), Uint16Array.from(levels), museum, side, rates);
  pieces.x0.forEach((value, i) => close(answer.x0[i], value, 2e-4));
  pieces.weight.forEach((row, k) => row.forEach((value, p) => close(answer.weight[k][p], value)));
  close(answer.open, pieces.open, 1e-3);
});

test("the picture is signal x0 + noise eps at each place's own time, with an eps that stays", () => {
  const canvas = inked();
  const eps = Float32Array.from(canvas.eps);
  canvas.ink((p) => 10 * p);
  canvas.ink((p) => (p < 50 ? 100 : 0));
  const seen = canvas.seen();
  for (let i = 0; i < seen.length; i++) {
    const p = Math.floor(i / 3), t = Math.min(1000, 10 * p + (p < 50 ? 100 : 0));
    assert.equal(canvas.level[p], t);
    close(seen[i], rates.signalRate[t] * clean[i] + rates.noiseRate[t] * eps[i], 1e-5);
  }
  assert.equal(canvas.deepest(), 1000);
  close(canvas.amplitude(), [...canvas.level].reduce((sum, t) => sum + rates.signalRate[t], 0) / canvas.level.length);
  canvas.reset();
  assert.deepEqual([...canvas.seen()], [...Float32Array.from(clean)]);
  assert.equal(canvas.difference(), 0);
});

test("with the true picture as guess, the steps down end at the true picture", () => {
  const canvas = inked();
  canvas.ink((p) => 100 + 10 * p);
  const halfway = Float32Array.from(canvas.eps);
  for (let to = 980; to > 0; to -= 20) canvas.stepDown(canvas.clean, to);
  for (let i = 0; i < halfway.length; i++) close(canvas.eps[i], halfway[i], 2e-2); // the same ink all the way down
  assert.ok(canvas.level.every((t) => t === 20));
  canvas.stepDown(canvas.clean, 0);
  close(canvas.difference(), 0, 1e-5);
});

test("the deepest ink goes first, thinner places wait untouched", () => {
  const canvas = inked();
  canvas.ink((p) => (p === 7 ? 900 : 200));
  const before = canvas.seen();
  canvas.stepDown(new Float32Array(before.length), 500);
  const after = canvas.seen();
  assert.equal(canvas.level[7], 500);
  assert.notEqual(after[21], before[21]);
  for (let i = 0; i < before.length; i++) if (Math.floor(i / 3) !== 7) assert.equal(after[i], before[i]);
});

test("new ink on half-restored places is the forward process: noise of unit variance, drawn afresh", () => {
  const canvas = inked();
  canvas.ink(() => 600);
  canvas.stepDown(Float32Array.from(clean), 300);
  const eps = Float32Array.from(canvas.eps);
  canvas.ink(() => 400);
  const share = (rates.signalRate[700] * rates.noiseRate[300]) / (rates.signalRate[300] * rates.noiseRate[700]);
  let together = 0;
  for (let i = 0; i < eps.length; i++) together += (canvas.eps[i] * eps[i]) / eps.length;
  close(variance(canvas.eps), 1, 0.15);
  close(together / variance(eps), share, 0.12);
});

test("drowned and restored he makes a work of his, never the lost one; once seen, the lost one comes back", () => {
  for (const [known, whole] of [[museum, true], [[...museum, Float32Array.from(clean)], true]]) {
    const canvas = inked(8);
    canvas.ink((p) => (known === museum || p % side > side / 2 ? 1000 : 0));
    for (let to = 980; to >= 0; to -= 20) canvas.stepDown(restore(canvas.seen(), canvas.level, known, side, rates, { whole }).x0, to);
    const away = known.map((work) => Math.sqrt(variance(canvas.seen().map((v, i) => v - work[i]))));
    const best = away.indexOf(Math.min(...away));
    assert.ok(away[best] < 0.1, `${away}`);
    if (known === museum) assert.ok(canvas.difference() > 0.2);
    else assert.equal(best, known.length - 1);
  }
});

test("drowned twice, he makes two pictures", () => {
  const canvas = inked();
  const made = [1, 2].map(() => {
    canvas.ink(() => 1000);
    const drowned = canvas.seen();
    for (let to = 980; to >= 0; to -= 20) canvas.stepDown(canvas.clean, to);
    return drowned;
  });
  assert.ok(variance(made[0].map((v, i) => v - made[1][i])) > 1.5); // two independent noises differ by variance 2
});

test("windows, blots and sheets", () => {
  assert.deepEqual([0, 500, 1000].map((t) => reachOf(t, 1000)), [1, 11, 21]);
  const list = blots(10, 12, 4, 3);
  assert.deepEqual(list, blots(10, 12, 4, 3));
  assert.notDeepEqual(list, blots(10, 12, 4, 4));
  assert.equal(list.length, 5);
  const amount = splashOf([[4.5, 4.5, 3]], 9, 300);
  assert.equal(amount(4 * 9 + 4), 300);
  assert.equal(amount(0), 0);
  const sheet = { width: 4, values: Float32Array.from({ length: 4 * 4 * 3 }, (_, i) => i) };
  assert.deepEqual([...cutOut(sheet, 3, 2, 1, 2)], [30, 31, 32]);
});
