// The schedules of the page against the schedules of the library (numbers written by test_widgets.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { betas, schedule } from "../../ddpm_lib/widgets/schedule_math.js";
import { crossingOf, factorOf, fromStep, held, inRange, pathOf, powerOf, PRESETS, toStep } from "../../ddpm_lib/widgets/schedule_explorer.js";

const file = process.env.SCHEDULES_JSON;
assert.ok(file, "SCHEDULES_JSON names no file: run this through `pytest tests/test_widgets.py`");
const cases = JSON.parse(readFileSync(file, "utf8"));

const near = (name, ours, theirs, within = 1e-10) => {
  assert.equal(ours.length, theirs.length);
  theirs.forEach((value, t) => {
    const error = Math.abs(ours[t] - value) / Math.max(Math.abs(value), 1e-300);
    assert.ok(error <= within || ours[t] === value, `${name} at t = ${t}: ${ours[t]}, library ${value}`);
  });
};

assert.ok(cases.length >= 8);
for (const { kind, T, start, end, tables, half, left } of cases) {
  test(`${kind}, T = ${T}, beta ${start}..${end}`, () => {
    const page = schedule(kind, T, start, end);
    near("beta", page.beta, tables.beta);
    near("alpha_bar", page.alphaBar, tables.alpha_bar);
    near("signal_rate", page.signalRate, tables.signal_rate);
    near("noise_rate", page.noiseRate, tables.noise_rate);
    near("snr", page.snr.slice(1), tables.snr.slice(1));
    assert.equal(page.snr[0], Infinity);
    page.logSnr.slice(1).forEach((value, i) => assert.ok(Math.abs(value - tables.log_snr[i + 1]) < 1e-9));
    assert.equal(page.tAtSnrOne, half);
    near("amplitude left", [page.amplitudeLeft], [left]);
  });
}

test("an unknown kind is named in the error", () => {
  assert.throws(() => betas("sigmoid", 10, 0.1, 0.2), /sigmoid.*linear, cosine, scaled-linear/);
});

test("logarithmic sliders keep the numbers that the book uses", () => {
  for (const value of [1e-4, 0.02, 0.00085, 0.012, 1e-5, 0.5])
    assert.ok(Math.abs(fromStep(toStep(value)) / value - 1) < 0.012, String(value));
  for (const [, preset] of PRESETS) assert.ok(preset.T >= 10 && preset.T <= 1000);
});

test("a path keeps to its chart and reaches both ends", () => {
  const d = pathOf(Float64Array.from({ length: 1001 }, (_, t) => (t ? 20 - t / 20 : Infinity)), 100, 50, -12, 12);
  const places = d.slice(1).split("L").map((place) => place.split(" ").map(Number));
  assert.deepEqual(places[0], [0, 0]);
  assert.deepEqual(places.at(-1), [100, 50]);
  assert.ok(places.every(([x, y]) => x >= 0 && x <= 100 && y >= 0 && y <= 50));
});

test("with 1000/T the end does not depend on T; without, it does", () => {
  const left = (T, perThousand) => {
    const factor = factorOf("linear", T, perThousand);
    return schedule("linear", T, held(1e-4 * factor), held(0.02 * factor)).amplitudeLeft;
  };
  assert.equal(factorOf("cosine", 50, true), 1);
  assert.equal(factorOf("linear", 50, true), 20);
  for (const T of [50, 200, 400]) assert.ok(left(T, true) < 0.01 && left(T, false) > 0.1, String(T));
  assert.equal(held(0.02 * factorOf("linear", 10, true)), 0.999);
});

test("a picture in [0, 1] has half the contrast and another mean", () => {
  const values = Float32Array.of(-1, -1, -1, 1);
  assert.deepEqual([...inRange(values, "0..1")], [0, 0, 0, 1]);
  assert.equal(inRange(values, "-1..1"), values);
  const [whole, unit] = [powerOf(values), powerOf(inRange(values, "0..1"))];
  assert.deepEqual(whole, { mean: -0.5, power: 1, std: Math.sqrt(0.75) });
  assert.deepEqual(unit, { mean: 0.25, power: 0.25, std: Math.sqrt(0.1875) });
});

test("with less power the signal drowns earlier", () => {
  const { snr, tAtSnrOne } = schedule("linear", 1000, 1e-4, 0.02);
  assert.equal(crossingOf(snr, 1), tAtSnrOne);
  assert.ok(crossingOf(snr, 0.11) < crossingOf(snr, 0.93) - 100);
  assert.equal(crossingOf(schedule("linear", 50, 1e-4, 0.02).snr, 9), null);
});
