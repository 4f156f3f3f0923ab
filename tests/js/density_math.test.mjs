// A density on a line, in the page, against ddpm_lib.GaussianMixture and ExactDenoiser (numbers from test_one_dimension.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { bell, bestGuess, BINS, binCentre, chainOf, densityAt, distances, drawFrom, drawnMixture, heightsOf, lineDenoiser,
  marginal, mixtureOf, momentsOf, placeAt, responsibilities, scoreAt, stepBack } from "../../ddpm_lib/widgets/density_math.js";
import { tablesOf } from "../../ddpm_lib/widgets/schedule_math.js";
import { seededNormal } from "../../ddpm_lib/widgets/figure.js";

const file = process.env.DENSITIES_JSON;
assert.ok(file, "DENSITIES_JSON names no file: run this through `pytest tests/test_one_dimension.py`");
const { cases, bins } = JSON.parse(readFileSync(file, "utf8"));
assert.ok(cases.length >= 20);

// Relative, but for numbers under `floor`, which are measured by it.
const close = (name, ours, theirs, within = 1e-9, floor = 1e-3) => {
  const error = Math.abs(ours - theirs) / Math.max(Math.abs(theirs), floor);
  assert.ok(error <= within, `${name}: ${ours}, library ${theirs}`);
};

for (const { name, rows, beta, t, x, density, score, x0, eps, mean, std, tv, kl, steps } of cases) {
  test(`${name}, T = ${beta.length - 1}, t = ${t}`, () => {
    const [mixture, schedule] = [mixtureOf(rows), tablesOf(Float64Array.from(beta))];
    const now = marginal(mixture, schedule, t);
    x.forEach((place, i) => {
      // Bells further than 9 standard deviations are left out: e^(−40) of a density does not show.
      if (density[i] > 1e-12) close("density", densityAt(now, place), density[i]);
      // Where a density is flat the score is a small difference of pulls, each at least 1 strong (no bell is wider than
      // 1), and holds the rounding of those, which differs from one processor's sums to another's.
      close("score", scoreAt(now, place), score[i], 1e-9, 1);
      const best = bestGuess(mixture, schedule, place, t);
      close("posterior mean", best.x0, x0[i]);
      close("optimal noise", best.eps, eps[i]);
      close("score by the noise", -best.eps / schedule.noiseRate[t], score[i], 1e-9, 1);
      close("posterior's own mean", momentsOf(stepBack(mixture, schedule, place, t, 0)).mean, x0[i]);
    });
    close("mean", momentsOf(now).mean, mean);
    close("std", momentsOf(now).std, std);
    const apart = distances(now);
    assert.ok(Math.abs(apart.tv - tv) < 2e-4 * tv + 1e-7, `TV ${apart.tv}, by brute force ${tv}`);
    assert.ok(Math.abs(apart.kl - kl) < 1e-5 * kl + 1e-9, `KL ${apart.kl}, by brute force ${kl}`);
    for (const { from, s, mean, std, at, value } of steps) {
      const step = stepBack(mixture, schedule, from, t, s);
      close("mean of a step back", momentsOf(step).mean, mean, 1e-6);
      close("std of a step back", momentsOf(step).std, std, 1e-6);
      at.forEach((place, i) => { if (value[i] > 1e-8) close("step back", densityAt(step, place), value[i], 1e-6); });
    }
  });
}

test("the bins of the page are those of the library", () => {
  assert.deepEqual([BINS.count, BINS.low, BINS.width, BINS.std], bins);
});

const SCHEDULE = tablesOf(Float64Array.from({ length: 101 }, (_, t) => (t ? 0.001 + 0.0012 * t : 0)));
const TWO = mixtureOf([[1, -1, 0.2], [3, 1, 0.1]]);

test("a drawn density is what was drawn", () => {
  const flat = drawnMixture(Array.from({ length: BINS.count }, () => 0.4));
  for (let x = -1.6; x < 1.6; x += 0.013) close("flat", densityAt(flat, x), 0.25, 3e-4);
  const heights = heightsOf(TWO);
  assert.equal(heights.length, BINS.count);
  assert.ok(Math.max(...heights) > 0.85 && heights[0] === 0);
  const drawn = drawnMixture(heights);
  assert.ok(Math.abs(momentsOf(drawn).mean - momentsOf(TWO).mean) < 0.01);
  for (let i = 0; i < BINS.count; i++)
    assert.ok(Math.abs(densityAt(drawn, binCentre(i)) - densityAt(TWO, binCentre(i))) < 0.35);
});

test("shares add up to 1, however far the place", () => {
  for (const x of [-30, -1, 0, 0.99, 40]) close("sum", responsibilities(TWO, x).reduce((a, b) => a + b), 1);
  assert.ok(Number.isFinite(scoreAt(TWO, 200)));
});

test("a short step back is nearly a Gaussian, a long one is not", () => {
  const gap = (s) => {
    const step = stepBack(TWO, SCHEDULE, 0.3, 60, s);
    const { mean, std } = momentsOf(step);
    return distances(step, mean, std).tv;
  };
  assert.ok(gap(59) < 0.03 && gap(0) > 0.2 && gap(59) < gap(40) && gap(40) < gap(10));
});

test("the distance of a Gaussian from itself is nothing, from a far one everything", () => {
  const one = mixtureOf([[1, 0.4, 0.3]]);
  const same = distances(one, 0.4, 0.3);
  assert.ok(same.tv < 1e-12 && same.kl < 1e-12);
  assert.ok(distances(one, 9, 0.3).tv > 0.999);
  close("KL of two Gaussians", distances(one, 0, 1).kl, -Math.log(0.3) + (0.09 + 0.16 - 1) / 2, 1e-8);
  close("bell", bell(0.4, 0.4, 0.3), densityAt(one, 0.4));
});

test("draws and the chain have the moments that the formula gives", () => {
  const n = 4000;
  let k = 0;
  const normal = (m) => seededNormal(m, 5 + 17 * k++);
  const frames = chainOf(drawFrom(TWO, n, normal(n)), SCHEDULE, normal);
  assert.equal(frames.length, 101);
  for (const t of [0, 20, 100]) {
    const { mean, std } = momentsOf(marginal(TWO, SCHEDULE, t));
    const [own, weight] = [frames[t], new Float64Array(n).fill(1 / n)];
    const found = momentsOf({ weight, mean: own, std: new Float64Array(n) });
    assert.ok(Math.abs(found.mean - mean) < 0.05 && Math.abs(found.std - std) < 0.05, `t = ${t}`);
  }
  assert.ok(frames[0].filter((x) => x > 0).length === 3000);
});

test("a denoiser answers entry by entry", () => {
  const { x0, eps } = lineDenoiser(TWO, SCHEDULE)(Float64Array.of(-0.5, 2), 30);
  close("second x0", x0[1], bestGuess(TWO, SCHEDULE, 2, 30).x0);
  close("first eps", eps[0], bestGuess(TWO, SCHEDULE, -0.5, 30).eps);
});

test("a path is read between its frames, whether time rises or falls", () => {
  const frames = [[0, 8], [2, 6], [10, 2]].map((row) => Float64Array.from(row));
  const out = new Float64Array(2);
  assert.deepEqual([...placeAt([0, 1, 5], frames, 3, out)], [6, 4]);
  assert.deepEqual([...placeAt([9, 5, 0], frames, 7, out)], [1, 7]);
  assert.deepEqual([...placeAt([9, 5, 0], frames, 0, out)], [10, 2]);
  assert.deepEqual([...placeAt([9, 5, 0], frames, 9, out)], [0, 8]);
});
