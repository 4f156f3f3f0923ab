// The loss by time and the map of guidance: axes, gaps, what an error implies, cells, keys (numbers by test_maps.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { agreedIn, cellAt, judgedAt, moveBy, spreads } from "../../ddpm_lib/widgets/guidance_map.js";
import { curvePath, errorOf, gapPath, gapTo, implied, lossAxis, magnified, meanOver, namesOf, nearestStop, placeOn,
  stopAt, stopsOf, ticksOn, timeAxis, valueAt } from "../../ddpm_lib/widgets/loss_math.js";
import { greyOf, inked, percent, rgbOf, signed } from "../../ddpm_lib/widgets/map_parts.js";

const file = process.env.MAPS_JSON;
assert.ok(file, "MAPS_JSON names no file: run this through `pytest tests/test_maps.py`");
const { examples, gaps } = JSON.parse(readFileSync(file, "utf8"));
const close = (a, b, within = 1e-9) => assert.ok(Math.abs(a - b) <= within, `${a} is not ${b}`);

assert.ok(examples.length >= 4 && gaps.length >= 3);
for (const { t, x0, eps, guess_eps, guess_x0, xt, loss, rates } of examples) {
  test(`at t = ${t} an error implies the guess of the library's denoiser`, () => {
    const found = implied(x0, eps, guess_eps.map((v, i) => v - eps[i]), rates);
    xt.forEach((v, i) => close(found.seen[i], v, 1e-5));
    guess_eps.forEach((v, i) => close(found.said[i], v, 1e-5));
    guess_x0.forEach((v, i) => close(found.guess[i], v, 1e-4 * found.ratio + 1e-5));
    close(found.squared, loss, 1e-5 * loss + 1e-8);
  });
}

for (const { curve, floor, at, here, mean, overall } of gaps) {
  test(`the gap to the floor at t = ${at}, and over all t`, () => {
    const gap = gapTo(curve, floor, at);
    close(gap.here, here, 1e-9);
    close(gap.mean, mean, 1e-9);
    close(gap.overall, overall, 1e-9);
  });
}

const LINE = { name: "a", t: [10, 20, 40], loss: [1, 0.5, 0.1] };
const FLOOR = { name: "floor", t: [10, 20, 40], loss: [0.6, 0.5, 0.2] };
const VIEW = { curves: [LINE], floor: FLOOR, examples: null };

test("a curve is straight between its times and rests at its ends", () => {
  assert.deepEqual([0, 10, 15, 30, 40, 99].map((t) => Number(valueAt(LINE, t).toFixed(6))), [1, 1, 0.75, 0.3, 0.1, 0.1]);
  close(meanOver(LINE, 10, 20), 0.75);
  close(meanOver(LINE, 15, 15 + 1e-6), 0.75, 1e-6);
});

test("axes hold all curves, and their ticks lie on them", () => {
  for (const log of [false, true]) {
    const [x, y] = [timeAxis(VIEW, log), lossAxis(VIEW, log)];
    assert.ok(x.high === 40 && y.high >= 1 && y.low <= 0.1 && (!log || y.low > 0));
    for (const axis of [x, y]) {
      const ticks = ticksOn(axis);
      assert.ok(ticks.length >= 1 && ticks.length <= 6, String(ticks));
      for (const tick of ticks) assert.ok(tick >= axis.low * 0.999 && tick <= axis.high * 1.001, `${tick} on ${JSON.stringify(axis)}`);
    }
  }
  assert.deepEqual(ticksOn({ low: 0, high: 1000, log: false }), [0, 250, 500, 750, 1000]);
  assert.deepEqual(ticksOn({ low: 1, high: 1000, log: true }), [1, 10, 100, 1000]);
  assert.equal(timeAxis({ curves: [{ t: [5, 995], loss: [1, 1] }] }, false).high, 1000);
  close(placeOn({ low: 1, high: 100, log: true }, 10), 0.5);
  close(placeOn({ low: 0, high: 4, log: false }, 9), 1);
});

test("a path that sinks below a logarithmic axis ends there", () => {
  const axis = { low: 1e-5, high: 1, log: true }, x = { low: 0, high: 4, log: false };
  const d = curvePath({ t: [0, 1, 2, 3, 4], loss: [1, 0, 0, 0.1, 1] }, x, axis, 40, 50);
  assert.equal(d, "M0.0 0.0L10.0 50.0M20.0 50.0L30.0 10.0L40.0 0.0");
});

test("the gap is shaded where the curve is above the floor, and nowhere else", () => {
  const x = timeAxis(VIEW, false), y = lossAxis(VIEW, false);
  const d = gapPath(LINE, FLOOR, x, y, 400, 100).slice(1, -1).split("L").map((spot) => spot.split(" ").map(Number));
  assert.equal(d.length, 6);
  assert.ok(d[0][1] < d[5][1]); // at t = 10 the curve is higher up than the floor
  assert.deepEqual(d[2], d[3]); // at t = 40 it is below: no area
});

test("a finger finds the stop that is nearest to the eye", () => {
  const stops = [1, 10, 100, 1000];
  assert.equal(nearestStop(stops, { low: 1, high: 1000, log: true }, 0.36), 1);
  assert.equal(nearestStop(stops, { low: 0, high: 1000, log: false }, 0.36), 2);
  assert.equal(stopAt(stops, 60), 2);
  assert.deepEqual(stopsOf(VIEW), [10, 20, 40]);
  assert.deepEqual(stopsOf({ ...VIEW, examples: { times: [3, 9] } }), [3, 9]);
  assert.deepEqual(namesOf(VIEW), ["a"]);
});

test("errors come back from their bytes, and 0 stays 0", () => {
  const bytes = [128, 255, 1, 128], sheet = bytes.map((b) => b / 127.5 - 1);
  assert.deepEqual([...errorOf(sheet, [0.5, 2], 1, 0, 1, 2)], [-2, 0]);
  assert.deepEqual([...errorOf(sheet, [0.5, 2], 0, 0, 1, 2)], [0, 0.5]);
  assert.deepEqual([3, 2.9, 0.4, 0.03, 0.0061, 0].map((x) => magnified([0, -x])), [1, 1, 5, 100, 200, 1]);
});

test("ink covers what is not paper, signs have their colours", () => {
  assert.deepEqual([...inked([-1, 1, 3], [1, 2, 3], new Uint8ClampedArray(12))], [1, 2, 3, 0, 1, 2, 3, 255, 1, 2, 3, 255]);
  assert.deepEqual([...signed([0, -2, 9], 4, [1, 1, 1], [2, 2, 2], new Uint8ClampedArray(12))],
    [2, 2, 2, 0, 1, 1, 1, 128, 2, 2, 2, 255]);
  assert.deepEqual(rgbOf("#2f6690"), [47, 102, 144]);
  assert.deepEqual([...greyOf(Float32Array.of(1, 1, 1, -1, -1, -1))], [1, -1]);
  assert.deepEqual([0.2899, 0.0123, -0.0123, -0.0001, 1].map(percent), ["29\u00a0%", "1.2\u00a0%", "−1.2\u00a0%", "0.0\u00a0%", "100\u00a0%"]);
});

const GRID = { labels: [4, 1], scales: [0, 1, 3], seeds: [7, 8], shared: true, classes: 5,
  spread: [[3, 2, 1], [4, 4, 1]] };

test("every cell has its own picture, but for a shared first row", () => {
  const all = [0, 1].flatMap((label) => [0, 1, 2].flatMap((row) => [0, 1].map((column) => cellAt(GRID, label, row, column))));
  assert.deepEqual(all, [0, 1, 2, 3, 4, 5, 0, 1, 6, 7, 8, 9]);
  const alone = { ...GRID, shared: false };
  assert.deepEqual([cellAt(alone, 0, 0, 0), cellAt(alone, 1, 0, 0), cellAt(alone, 1, 2, 1)], [0, 6, 11]);
});

test("the judge's answers find their cells, and agreement counts them", () => {
  const table = new Int16Array(2 * 3 * 2 * 5);
  table[((0 * 3 + 2) * 2 + 1) * 5 + 4] = 32767;
  table[((1 * 3 + 2) * 2 + 0) * 5 + 1] = 32767;
  table[((1 * 3 + 2) * 2 + 1) * 5 + 1] = 20000;
  assert.deepEqual(judgedAt(GRID, table, 0, 2, 1), [0, 0, 0, 0, 1]);
  assert.deepEqual([agreedIn(GRID, table, 0, 2), agreedIn(GRID, table, 1, 2), agreedIn(GRID, table, 0, 1)], [1, 2, 0]);
});

test("spread is told in units of scale 1, or of the widest row", () => {
  assert.deepEqual(spreads(GRID, 0), [1.5, 1, 0.5]);
  assert.deepEqual(spreads({ ...GRID, scales: [0, 2, 3] }, 1), [1, 1, 0.25]);
  assert.deepEqual(spreads({ scales: [1], spread: [[0]] }, 0), [0]);
});

test("arrows walk over the grid and stop at its edges", () => {
  const go = (key, ctrl, from) => moveBy(key, ctrl, from, 3, 4);
  assert.deepEqual(go("ArrowRight", false, [1, 1]), [1, 2]);
  assert.deepEqual(go("ArrowRight", false, [1, 3]), [1, 3]);
  assert.deepEqual(go("ArrowUp", false, [0, 3]), [0, 3]);
  assert.deepEqual(go("ArrowDown", false, [0, 3]), [1, 3]);
  assert.deepEqual([go("Home", false, [1, 2]), go("End", false, [1, 2])], [[1, 0], [1, 3]]);
  assert.deepEqual([go("Home", true, [1, 2]), go("End", true, [1, 2])], [[0, 0], [2, 3]]);
  assert.deepEqual([go("PageUp", false, [1, 2]), go("PageDown", false, [1, 2])], [[0, 2], [2, 2]]);
  assert.equal(go("a", false, [1, 1]), null);
});
