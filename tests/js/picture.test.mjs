// The picture figure, the pure part: draws of the ziggurat, the chain and its frames, the jump, the way back.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { seededNormal } from "../../ddpm_lib/widgets/figure.js";
import { schedule } from "../../ddpm_lib/widgets/schedule_math.js";
import { Chain, histogram, jump, middle, moments, noiseStep, promised, promisedWithout, rms, strokeBack }
  from "../../ddpm_lib/widgets/picture_math.js";

const file = process.env.PICTURE_JSON;
assert.ok(file, "PICTURE_JSON names no file: run this through `pytest tests/test_picture.py`");
const python = JSON.parse(readFileSync(file, "utf8"));
const tables = schedule("linear", 1000, 1e-4, 0.02);
const { beta, signalRate, noiseRate } = tables;
const close = (a, b, within = 1e-4) => assert.ok(Math.abs(a - b) <= within, `${a} is not ${b}`);
const clean = Float32Array.from({ length: 12_288 }, (_, i) => Math.sin(i / 500) * 0.7 - 0.2);
const draws = (n, seed, step) => { const z = new Float32Array(n); noiseStep(z, 0, 1, seed, step); return z; };

test("the ziggurat draws from the standard normal: moments, shares, tail", () => {
  const n = 1_000_000, z = draws(n, 3, 1);
  const moment = (k) => z.reduce((sum, x) => sum + x ** k, 0) / n;
  close(moment(1), 0, 0.004);
  close(moment(2), 1, 0.006);
  close(moment(3), 0, 0.012);
  close(moment(4), 3, 0.04);
  for (const [edge, share] of [[0.5, 0.382925], [1, 0.682689], [2, 0.9545], [3, 0.9973]])
    close(z.filter((x) => Math.abs(x) < edge).length / n, share, 0.0018);
  const far = z.filter((x) => Math.abs(x) > 3.442619855899); // Marsaglia's tail
  close(far.length / n, 5.76e-4, 1.1e-4);
  close(far.reduce((sum, x) => sum + Math.abs(x), 0) / far.length, 3.7099, 0.05); // density(edge) / share beyond it
  assert.ok(far.some((x) => x > 0) && far.some((x) => x < 0));
  const sorted = Float64Array.from(z).sort();
  let gap = 0; // Kolmogorov and Smirnov, against the normal distribution from Python
  for (const [x, below] of python.normal) {
    let low = 0, high = n;
    while (low < high) { const mid = (low + high) >> 1; if (sorted[mid] < x) low = mid + 1; else high = mid; }
    gap = Math.max(gap, Math.abs(low / n - below));
  }
  assert.ok(gap < 0.002, `gap ${gap}`);
});

test("each step has its own noise, the same each time", () => {
  const n = 50_000, all = [draws(n, 1, 1), draws(n, 1, 2), draws(n, 2, 1), draws(n, 1, 1000)];
  assert.deepEqual(all[0], draws(n, 1, 1));
  for (let a = 0; a < all.length; a++) for (let b = 0; b < a; b++) {
    let together = 0;
    for (let i = 0; i < n; i++) together += all[a][i] * all[b][i];
    close(together / n, 0, 0.02);
    assert.ok(!all[a].subarray(0, 40).some((v) => all[b].includes(v)), `steps ${a} and ${b} share draws`);
  }
});

test("one step is keep x + add z", () => {
  const x = Float32Array.of(1, -2, 3), z = draws(3, 9, 4);
  noiseStep(x, 0.5, 0.25, 9, 4);
  [1, -2, 3].forEach((v, i) => close(x[i], 0.5 * v + 0.25 * z[i], 1e-6));
});

test("the chain is eq. 2, step by step", () => {
  const chain = new Chain(clean, beta, 7);
  let x = clean;
  for (const t of [1, 2, 3]) {
    const z = draws(clean.length, 7, t);
    x = x.map((v, i) => Math.sqrt(1 - beta[t]) * v + Math.sqrt(beta[t]) * z[i]);
    assert.equal(chain.go(t), t);
    assert.ok(rms(chain.x, x) < 1e-6);
  }
});

test("forth and back again the chain is the same, whatever the way", () => {
  const straight = new Chain(clean, beta, 7), wanders = new Chain(clean, beta, 7);
  straight.go(137);
  for (const t of [60, 300, 20, 299, 0, 137]) assert.equal(wanders.go(t), t);
  assert.deepEqual(wanders.x, straight.x);
  wanders.go(0);
  assert.deepEqual(wanders.x, clean);
  assert.equal(wanders.kept.length, 13);
});

test("the chain stops when its time is up, and goes on from there", () => {
  const chain = new Chain(clean, beta, 7), whole = new Chain(clean, beta, 7);
  let calls = 0;
  assert.equal(chain.go(90, () => ++calls === 40), 40);
  assert.equal(chain.go(90), 90);
  whole.go(90);
  assert.deepEqual(chain.x, whole.x);
});

for (const t of [50, 250, 1000]) {
  test(`at t = ${t} chain and jump agree with the formula, in mean and deviation and bin by bin`, () => {
    const chain = new Chain(clean, beta, 1);
    chain.go(t);
    const jumped = jump(clean, seededNormal(clean.length, 5), signalRate[t], noiseRate[t]);
    const says = promised(moments(clean), signalRate[t], noiseRate[t]);
    for (const one of [moments(chain.x), moments(jumped)]) {
      close(one.mean, says.mean, 0.03);
      close(one.std, says.std, 0.02);
    }
    assert.ok(rms(chain.x, jumped) > noiseRate[t], "not the same grains");
    const [a, b] = [histogram(chain.x, 4, 40), histogram(jumped, 4, 40)];
    a.forEach((v, k) => close(v, b[k], 0.07));
    close(a.reduce((sum, v) => sum + v * 0.2, 0), 1, 1e-3);
  });
}

test("without the root the variance is that of the picture plus the sum of the betas", () => {
  const chain = new Chain(clean, beta, 1, { root: false });
  chain.go(1000);
  const says = promisedWithout(moments(clean), beta, 1000);
  close(says.std ** 2 - moments(clean).std ** 2, 10.05, 0.001);
  close(moments(chain.x).std, says.std, 0.06);
});

test("jump, stroke back and its growth of errors are the library's", () => {
  for (const { t, x0, eps, other, error, xt, back, sigma } of python.strokes) {
    const ours = jump(Float32Array.from(x0), eps, signalRate[t], noiseRate[t]);
    xt.forEach((v, i) => close(ours[i], v, 1e-5));
    close(noiseRate[t] / signalRate[t] / sigma, 1, 1e-9);
    const recovered = strokeBack(ours, eps, other, error, signalRate[t], noiseRate[t]);
    back.forEach((v, i) => close(recovered[i], v, 1e-4 * Math.max(1, sigma)));
    const exact = strokeBack(ours, eps, other, 0, signalRate[t], noiseRate[t]);
    assert.ok(rms(exact, x0) < 1e-6 * Math.max(1, sigma), "with the true eps x0 comes back");
    close(rms(recovered, x0) / (sigma * error * rms(other, other.map(() => 0))), 1, 1e-3);
  }
});

test("histograms are densities; the middle of a picture is its square", () => {
  assert.deepEqual([...histogram([-1, 0.1, 0.9, 5], 1, 4)], [0.5, 0, 0.5, 0.5]);
  assert.deepEqual(middle(300, 200), [50, 0, 200]);
  assert.deepEqual(middle(11, 30), [0, 9, 11]);
});
