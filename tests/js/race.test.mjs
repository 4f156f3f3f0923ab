// The race's own numbers: the exact denoiser of a mixture, the distance, a run and its film, the chart's axes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as race from "../../ddpm_lib/widgets/race_math.js";
import { tablesOf } from "../../ddpm_lib/widgets/schedule_math.js";

const known = JSON.parse(readFileSync(process.env.RACE_JSON, "utf8"));
const table = tablesOf(Float64Array.from(known.beta));
const moons = race.planeMixture(known.sets.moons);
const error = (mine, theirs) =>
  Math.max(...theirs.map((v, i) => Math.abs(v - mine[i]))) / Math.max(...theirs.map(Math.abs));
const finish = (run) => { let said; do said = run.next(); while (!said.done); return said.value; };

test("the mixture's denoiser is the library's", () => {
  assert.ok(known.guesses.length >= 15);
  let most = 0;
  for (const { set, t, x, x0, eps } of known.guesses) {
    const guess = race.mixtureDenoiser(race.planeMixture(known.sets[set]), table)(Float64Array.from(x), t);
    most = Math.max(most, error(guess.x0, x0), error(guess.eps, eps));
  }
  assert.ok(most < 1e-10, `largest relative error ${most}`);
});

test("the distance is the library's, direction for direction", () => {
  for (const { real, points, directions, distance } of known.distances) {
    const mine = race.apart(...[real, points].map((all) => race.shadows(Float64Array.from(all), directions)));
    assert.ok(Math.abs(mine / distance - 1) < 1e-10, `${mine} instead of ${distance}`);
  }
});

test("forty directions are enough: two hundred random ones say the same within a few percent", () => {
  for (const { real, points, random } of known.distances) {
    const mine = race.apart(race.shadows(Float64Array.from(real)), race.shadows(Float64Array.from(points)));
    assert.ok(Math.abs(mine / random - 1) < 0.06, `${mine} beside ${random}`);
  }
});

test("every sampler ends where the library's ends, on every grid", () => {
  assert.ok(known.runs.length >= 24);
  for (const { set, name, calls, grid, eta, end } of known.runs) {
    let place = 0;
    const normal = (n) => Float64Array.from({ length: n }, () => known.pool[place++ % known.pool.length]);
    const denoise = race.mixtureDenoiser(race.planeMixture(known.sets[set]), table);
    const run = finish(race.runOf(name, table, denoise, Float64Array.from(known.start), { calls, grid, eta, normal }));
    assert.ok(error(run.end, end) < 1e-8, `${name}, ${calls} calls, ${grid}: ${error(run.end, end)}`);
    assert.equal(run.calls, race.callsOf(name, race.stepsFor(name, calls)));
  }
});

test("nobody spends more calls than the others may, and Heun gets half the steps", () => {
  for (let calls = 1; calls <= 40; calls++)
    for (const name of race.RACERS) {
      const spent = race.callsOf(name, race.stepsFor(name, calls));
      assert.ok(spent <= calls && spent >= calls - 1 && (name === "heun" || spent === calls));
    }
  assert.deepEqual(race.callStops(1000).slice(-3), [500, 700, 1000]);
  assert.deepEqual(race.callStops(10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.ok(race.FILL.every((calls) => race.callStops(1000).includes(calls)));
});

test("a film keeps its ends and at most a few dozen frames, and plays between them", () => {
  const denoise = race.mixtureDenoiser(moons, table), start = Float64Array.of(1, 0, -0.5, 2);
  for (const calls of [1, 2, 40, 333]) {
    const run = finish(race.runOf("ddim", table, denoise, start, { calls, grid: "even", eta: 0 }));
    assert.ok(run.frames.length <= 43 && run.frames.length >= Math.min(calls, 30));
    assert.deepEqual([run.spent[0], run.spent.at(-1)], [0, calls]);
    const at = (n) => { const out = new Float32Array(4); race.placesAt(run, n, out); return [...out]; };
    assert.deepEqual(at(0), [1, 0, -0.5, 2]);
    assert.deepEqual(at(calls), [...run.frames.at(-1)]);
    assert.deepEqual([...run.frames.at(-1)], [...Float32Array.from(run.end)]);
    const [a, b, middle] = [run.frames[0], run.frames[1], at(run.spent[1] / 2)];
    for (let i = 0; i < 4; i++) assert.ok(Math.abs(middle[i] - (a[i] + b[i]) / 2) < 1e-6);
  }
});

test("points drawn from a mixture have its mean, its spread and its weights", () => {
  const mixture = race.planeMixture([[3, -1, 0.5, 0.1], [1, 1, 0.5, 0.2]]);
  const n = 20000, points = race.drawFrom(mixture, n, 5);
  const right = Array.from({ length: n }, (_, i) => points[2 * i]).filter((x) => x > 0);
  assert.ok(Math.abs(right.length / n - 0.25) < 0.01);
  const mean = right.reduce((a, b) => a + b) / right.length;
  const std = Math.sqrt(right.reduce((a, b) => a + (b - mean) ** 2, 0) / right.length);
  assert.ok(Math.abs(mean - 1) < 0.01 && Math.abs(std - 0.2) < 0.01);
  assert.deepEqual(race.drawFrom(mixture, 10, 5), race.drawFrom(mixture, 10, 5));
  assert.notDeepEqual(race.drawFrom(mixture, 10, 5), race.drawFrom(mixture, 10, 6));
});

test("the floor is what real points get: above zero, below any bad sample", () => {
  const real = race.shadows(race.drawFrom(moons, race.REAL, 1));
  const floor = race.floorOf(moons, real);
  assert.ok(0 < floor.low && floor.low < floor.mean && floor.mean < floor.high);
  assert.equal(race.apart(real, real), 0);
  const noise = race.freshNormal(3)(2 * race.SAMPLES);
  assert.ok(race.apart(race.shadows(noise), real) > 2 * floor.high);
});

test("fresh noise is fresh, the same for the same seed", () => {
  const [a, b, other] = [race.freshNormal(1), race.freshNormal(1), race.freshNormal(2)];
  const first = a(6);
  assert.deepEqual(first, b(6));
  assert.notDeepEqual(first, a(6));
  assert.notDeepEqual(first, other(6));
});

// Runs that yield `lengths` times; a clock on which every next() takes one millisecond.
function fakes(lengths) {
  const state = { time: 0, pauses: 0, longest: 0, last: 0 };
  const runs = lengths.map(function* (n, i) { for (let k = 0; k < n; k++) { state.time++; yield k; } return i; });
  const pause = async () => { state.longest = Math.max(state.longest, state.time - state.last); state.last = state.time; state.pauses++; };
  return { state, runs, options: { pause, now: () => state.time, bite: 12, wanted: () => true } };
}

test("work is done in bites, tells of itself, and is dropped when it is no longer wanted", async () => {
  const { state, runs, options } = fakes([100, 3, 50]);
  const [told, arrived] = [[], []];
  const results = await race.inBites(runs, { ...options, tell: (n) => told.push(n), arrived: (r) => arrived.push(r) });
  assert.deepEqual([results, arrived], [[0, 1, 2], [0, 1, 2]]);
  assert.equal(told.at(-1), 153);
  assert.ok(state.longest <= 14 && state.pauses >= 10, JSON.stringify(state));
  const second = fakes([100]);
  assert.equal(await race.inBites(second.runs, { ...second.options, wanted: () => second.state.time < 30 }), null);
  assert.ok(second.state.time < 60);
});

test("a curve is the mean over seeds; an axis has round numbers", () => {
  assert.deepEqual(race.curveOf([{ calls: 9, distance: 1 }, { calls: 2, distance: 4 }, { calls: 9, distance: 3 }]), [[2, 4], [9, 2]]);
  assert.deepEqual(race.curveOf([]), []);
  assert.deepEqual(race.logTicks(1, 1000), [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]);
  assert.deepEqual(race.logTicks(0.03, 0.6), [0.05, 0.1, 0.2, 0.5]);
});
