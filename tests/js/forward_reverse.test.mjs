// The pure part of the forward-and-reverse figure: rates, frames, the clock and the motions.
import assert from "node:assert/strict";
import test from "node:test";
import { seededNormal } from "../../ddpm_lib/widgets/figure.js";
import { between, frameAt, huesOf, motions, moved, ratesOf } from "../../ddpm_lib/widgets/forward_reverse.js";

const base64 = (array) => Buffer.from(array.buffer).toString("base64");
const close = (a, b, within = 1e-5) => assert.ok(Math.abs(a - b) <= within, `${a} is not ${b}`);

test("rates come from sigma and keep the variance", () => {
  const sigma = Float32Array.of(0, 0.75, 1e4);
  assert.deepEqual(ratesOf(sigma, 0), [1, 0]);
  const [signal, noise] = ratesOf(sigma, 1);
  close(signal, 0.8);
  close(noise, 0.6);
  close(ratesOf(sigma, 2)[1], 1);
  close(ratesOf(sigma, 0.5)[1] / ratesOf(sigma, 0.5)[0], 0.375);
});

test("the frame shown is the last one reached on the way down", () => {
  const times = [10, 6, 3, 0];
  const shown = Array.from({ length: 11 }, (_, t) => frameAt(times, t));
  assert.deepEqual(shown, [3, 2, 2, 2, 1, 1, 1, 0, 0, 0, 0]);
});

test("between frames the share grows from 0 to 1", () => {
  const times = [10, 6, 0];
  assert.deepEqual(between(times, 10), [0, 0]);
  assert.deepEqual(between(times, 7), [0, 0.75]);
  assert.deepEqual(between(times, 3), [1, 0.5]);
  assert.deepEqual(between(times, 0), [1, 1]);
});

test("the clock moves either way and stops at the ends", () => {
  assert.ok(moved(10, 100, 0.5, "forward") > 10);
  assert.ok(moved(10, 100, 0.5, "reverse") < 10);
  assert.equal(moved(99, 100, 60, "forward"), 100);
  assert.equal(moved(1, 100, 60, "reverse"), 0);
});

test("hues go from left to right", () => {
  const hues = huesOf(Float32Array.of(5, 0, -5, 0, 0, 9));
  assert.ok(hues[1] < hues[2] && hues[2] < hues[0]);
});

test("points move by the jump forward and through their frames in reverse", () => {
  const points = {
    clean: base64(Int16Array.of(100, -200, 300, 400)), unit: 0.01, seed: 5,
    times: [4, 2, 0], frames: base64(Int16Array.of(0, 0, 100, 200, 300, 500)),
  };
  const rateAt = (t) => [1 - t / 4, t / 4];
  const motion = motions(points, rateAt);
  const eps = seededNormal(4, 5);
  const at = (t) => [...motion.forward(t, new Float32Array(4))];
  at(0).forEach((v, i) => close(v, [1, -2, 3, 4][i]));
  at(4).forEach((v, i) => close(v, eps[i]));
  at(1).forEach((v, i) => close(v, 0.75 * [1, -2, 3, 4][i] + 0.25 * eps[i]));
  const back = (t) => [...motion.reverse(t, new Float32Array(2))];
  back(4).forEach((v) => close(v, 0));
  back(2).forEach((v, i) => close(v, [1, 2][i]));
  back(1).forEach((v, i) => close(v, [2, 3.5][i]));
});

test("points without a sampler have no reverse motion", () => {
  const motion = motions({ clean: base64(Int16Array.of(1, 2)), unit: 1, seed: 0 }, () => [1, 0]);
  assert.equal(motion.reverse, undefined);
});
