// The pure parts of the one-dimensional figure: panels, strokes of the pad, lengths of a jump, walkers.
import assert from "node:assert/strict";
import test from "node:test";
import { darkness, familyOf, histogram, minus, REACH, ticksOf } from "../../ddpm_lib/widgets/density_grid.js";
import { jumpAt, stepChoices, stopOf, stroked, walkers } from "../../ddpm_lib/widgets/density_walks.js";
import { BINS, densityAt, drawnMixture, heightsOf, marginal, mixtureOf, momentsOf } from "../../ddpm_lib/widgets/density_math.js";
import { betas, tablesOf } from "../../ddpm_lib/widgets/schedule_math.js";

const SCHEDULE = tablesOf(betas("linear", 1000, 1e-4, 0.02));
const TWO = mixtureOf([[0.4, -1, 0.2], [0.6, 1, 0.1]]);

test("the map is dark where the density is, its top row the largest x", () => {
  const [columns, rows] = [20, 64];
  const levels = familyOf(TWO, SCHEDULE, columns, rows);
  const column = (c) => Array.from({ length: rows }, (_, r) => levels[r * columns + c]);
  const peak = (c) => column(c).indexOf(Math.max(...column(c)));
  assert.ok(Math.abs(REACH * (1 - (2 * (peak(0) + 0.5)) / rows) - 1) < 0.1); // the sharper bump
  assert.ok(Math.abs(peak(columns - 1) - rows / 2) <= 1);
  assert.ok(levels.every((v) => v >= 0 && v < 1) && darkness(0) === 0 && darkness(2) > darkness(1));
});

test("the map, which takes a short cut, is the density", () => {
  const [columns, rows] = [7, 110];
  for (const mixture of [TWO, mixtureOf([[1, 0.6, 0.03]]), drawnMixture(heightsOf(TWO)), mixtureOf([[1, -2, 1.9]])]) {
    const levels = familyOf(mixture, SCHEDULE, columns, rows);
    for (let c = 0; c < columns; c++)
      for (let r = 0; r < rows; r++) {
        const now = marginal(mixture, SCHEDULE, Math.round((1000 * c) / (columns - 1)));
        const known = darkness(densityAt(now, REACH * (1 - (2 * (r + 0.5)) / rows)));
        assert.ok(Math.abs(levels[r * columns + c] - known) < 1e-5, `column ${c}, row ${r}`);
      }
  }
});

test("a histogram counts each walker once and forgets those outside", () => {
  const bars = histogram([0.01, 0.02, -3.19, 99], 64);
  assert.ok(Math.abs(bars.reduce((a, b) => a + b) * 0.1 - 0.75) < 1e-12);
  assert.ok(Math.abs(bars[32] * 0.1 - 0.5) < 1e-12 && bars[0] > 0);
});

test("an axis has a few round numbers", () => {
  assert.deepEqual(ticksOf(-0.9, 1.3), [-0.5, 0, 0.5, 1]);
  assert.deepEqual(ticksOf(0.31, 0.352), [0.31, 0.32, 0.33, 0.34, 0.35]);
  for (const [low, high] of [[-8, 8], [0.0121, 0.0139], [3, 3.3]]) {
    const count = ticksOf(low, high).length;
    assert.ok(count >= 2 && count <= 6, `${low}..${high}: ${count}`);
  }
  assert.equal(minus(-0.5), "−0.5");
});

test("a stroke fills every bin it passes, holds heights to 0..1, and never leaves nothing", () => {
  const blank = Array.from({ length: BINS.count }, () => 0);
  const up = stroked(blank, [10, 0.2], [14, 1.4]);
  assert.deepEqual(up.slice(9, 16), [0, 0.2, 0.5, 0.8, 1, 1, 0]);
  assert.deepEqual(stroked(blank, [14, 1.4], [10, 0.2]), up); // from either end
  assert.deepEqual(stroked(up, [-5, 0.3], [1, 0.3]).slice(0, 3), [0.3, 0.3, 0]);
  assert.equal(stroked(up, [0, -1], [63, -1]), null);
  assert.equal(blank.every((h) => h === 0), true);
});

test("jumps run from 1 to T and find their place on the slider again", () => {
  for (const T of [10, 100, 1000]) {
    assert.equal(jumpAt(0, T), 1);
    assert.equal(jumpAt(60, T), T);
    assert.equal(jumpAt(stopOf(Math.max(T / 5, 1), T), T) > T / 6, true);
  }
  assert.deepEqual(stepChoices(100), [5, 10, 20, 50, 100]);
  assert.deepEqual(stepChoices(50), [5, 10, 20, 50]);
});

for (const [process, within] of [["chain", 0.2], ["ddpm", 0.2], ["ddim", 0.2]]) {
  test(`walkers of ${process} keep to the density at every time`, async () => {
    let pauses = 0;
    const walk = await walkers(TWO, SCHEDULE, { process, steps: 200, seed: 3 }, () => true, async () => { pauses++; });
    assert.equal(walk.times.length, walk.frames.length);
    assert.deepEqual([walk.times[0], walk.times.at(-1)], process === "chain" ? [0, 1000] : [1000, 0]);
    for (const k of [0, Math.floor(walk.times.length / 4), walk.times.length - 1]) {
      const { mean, std } = momentsOf(marginal(TWO, SCHEDULE, walk.times[k]));
      const n = walk.frames[k].length;
      const own = momentsOf({ weight: new Float64Array(n).fill(1 / n), mean: walk.frames[k], std: new Float64Array(n) });
      assert.ok(Math.abs(own.mean - mean) < within && Math.abs(own.std - std) < within, `t = ${walk.times[k]}`);
    }
    if (process !== "chain") {
      const near = walk.frames.at(-1).filter((x) => Math.abs(Math.abs(x) - 1) < 0.65).length;
      assert.ok(near > 0.97 * walk.frames[0].length, `${near} ended near a bump`);
    }
  });
}

test("DDIM's walkers never cross, DDPM's do", async () => {
  const crossings = {};
  for (const process of ["ddpm", "ddim"]) {
    const { frames } = await walkers(TWO, SCHEDULE, { process, steps: 200, seed: 1 }, () => true, async () => {});
    const order = Array.from(frames[0].keys()).sort((a, b) => frames[0][a] - frames[0][b]);
    crossings[process] = frames.filter((x) => order.some((i, k) => k && x[i] < x[order[k - 1]] - 1e-9)).length;
  }
  assert.equal(crossings.ddim, 0);
  assert.ok(crossings.ddpm > 100);
});

test("walkers whom nobody waits for stop", async () => {
  let asked = 0;
  const walk = await walkers(TWO, SCHEDULE, { process: "ddim", steps: 200, seed: 1 }, () => ++asked < 5, async () => {});
  assert.ok(walk.frames.length <= 6);
});
