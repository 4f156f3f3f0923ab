// The page's grids and samplers against the library's, whose float64 numbers tests/test_samplers_js.py wrote.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { mixtureDenoiser, planeMixture } from "../../ddpm_lib/widgets/race_math.js";
import * as samplers from "../../ddpm_lib/widgets/samplers.js";
import { tablesOf } from "../../ddpm_lib/widgets/schedule_math.js";

const known = JSON.parse(readFileSync(process.env.SAMPLERS_JSON, "utf8"));
const tables = Object.fromEntries(
  Object.entries(known.schedules).map(([name, beta]) => [name, tablesOf(Float64Array.from(beta))]));
const LIMIT = 1e-5; // what is promised; what is seen is printed below
const seen = {};

// The pool's numbers, one after the other, as Python handed them out.
function pool() {
  let place = 0;
  return (n) => Float64Array.from({ length: n }, () => known.pool[place++ % known.pool.length]);
}

// Largest difference between two rows of numbers, as a share of the largest number.
function error(mine, theirs) {
  const most = Math.max(...theirs.map(Math.abs), 1e-3);
  return Math.max(...theirs.map((v, i) => Math.abs(v - mine[i]))) / most;
}

function denoiserOf({ data, scale, clipped, schedule }) {
  const table = tables[schedule];
  const plain = (name) => (name === "points" ? samplers.exactDenoiser(Float64Array.from(known.points), 2, table)
    : mixtureDenoiser(planeMixture(known.mixtures[name]), table));
  const [own, label] = [plain(data), plain("label")];
  const steered = scale === 1 ? own : (x, t) => samplers.guided(label(x, t), own(x, t), scale);
  return clipped ? (x, t) => samplers.clipped(steered(x, t), table, x, t) : steered;
}

const begin = (one) => samplers[one.sampler](tables[one.schedule], Float64Array.from(known.start), one.times,
  { ...one.options, normal: pool() });

function compare(one, steps) {
  assert.equal(steps.length, one.steps);
  const places = new Map(steps.map((step) => [step.t, step]));
  for (const [t, x, x0] of one.kept) {
    const step = places.get(t);
    assert.ok(step, `no step at t = ${t}`);
    const off = Math.max(error(step.x, x), x0 ? error(step.x0, x0) : 0);
    if (!x0) assert.equal(step.x0, null);
    seen[one.sampler] = Math.max(seen[one.sampler] ?? 0, off);
    assert.ok(off <= LIMIT, `${JSON.stringify({ ...one, kept: 0, times: one.times.length })}: ${off} at t = ${t}`);
  }
}

test("grids are the library's, time for time", () => {
  const mine = { even_times: samplers.evenTimes, logsnr_times: samplers.logsnrTimes, karras_times: samplers.karrasTimes };
  assert.ok(known.grids.length > 100);
  for (const [schedule, grid, n, times] of known.grids)
    assert.deepEqual(mine[grid](tables[schedule], n), times, `${grid}(${n}) of ${schedule}`);
});

test("a number of steps that no schedule has is named", () => {
  const table = tables["linear 100"];
  for (const grid of [samplers.evenTimes, samplers.logsnrTimes, samplers.karrasTimes])
    for (const n of [0, 101, 2.5, NaN]) assert.throws(() => grid(table, n), /must lie in 1\.\.100/);
});

for (const name of ["ddpm", "ddim", "heun", "dpmpp"]) {
  test(`one step and whole chains of ${name}`, () => {
    const mine = known.cases.filter((one) => one.sampler === name);
    assert.ok(mine.some((one) => one.one) && mine.some((one) => one.clipped) && mine.some((one) => one.scale !== 1));
    for (const one of mine) compare(one, samplers.walk(begin(one), denoiserOf(one)));
  });
}

test("a denoiser that answers later gives the same steps, and a walk stops when it is told to", async () => {
  const one = known.cases.find(({ sampler, steps }) => sampler === "ddim" && steps === 21);
  const denoise = denoiserOf(one);
  const later = async (x, t) => denoise(x, t);
  compare(one, await samplers.walkLater(begin(one), later));
  const some = await samplers.walkLater(begin(one), later, ({ t }) => t > one.times[4]);
  assert.deepEqual(some.map(({ t }) => t), one.times.slice(0, 5));
});

test("every sampler asks for as many guesses as it costs, at the times of its grid", () => {
  const calls = { ddpm: 5, ddim: 5, heun: 9, dpmpp: 5 };
  for (const name of Object.keys(calls)) {
    const one = known.cases.find(({ sampler, steps, clipped }) => sampler === name && steps === 6 && !clipped);
    const [denoise, asked, told] = [denoiserOf(one), [], []];
    samplers.walk(begin(one), (x, t) => { asked.push(t); return denoise(x, t); }, ({ t }) => told.push(t));
    assert.equal(asked.length, calls[name]);
    assert.deepEqual(told, one.times);
    assert.ok(asked.every((t) => one.times.includes(t) && t > 0));
  }
});

test("a guess has two views of one x, whatever the network says", () => {
  const table = tables["linear 100"], t = 40, [s, n] = [table.signalRate[t], table.noiseRate[t]];
  const x0 = Float64Array.of(0.3, -2), eps = Float64Array.of(-1.1, 0.4);
  const x = x0.map((v, i) => s * v + n * eps[i]);
  const says = { x0, eps, v: x0.map((v, i) => s * eps[i] - n * v) };
  for (const [predicts, output] of Object.entries(says)) {
    const guess = samplers.guessFrom(predicts, output, table, x, t);
    assert.ok(error(guess.x0, [...x0]) < 1e-12 && error(guess.eps, [...eps]) < 1e-12, predicts);
  }
  assert.throws(() => samplers.guessFrom("noise", x0, table, x, t), /predicts must be/);
  const held = samplers.clipped({ x0, eps }, table, x, t);
  assert.deepEqual([...held.x0], [0.3, -1]);
  assert.ok(error(held.x0.map((v, i) => s * v + n * held.eps[i]), [...x]) < 1e-12);
});

test("the largest relative error of any step is far below the limit", (context) => {
  context.diagnostic(JSON.stringify(seen));
  assert.ok(Object.keys(seen).length === 4 && Math.max(...Object.values(seen)) <= 1e-10, JSON.stringify(seen));
});
