// What the figures share: decoding, noise, pixels and the stand-in for the model.
import assert from "node:assert/strict";
import test from "node:test";
import { decode, format, noisyPixels, seededNormal, standIn } from "../../ddpm_lib/widgets/figure.js";

test("decode gives back the numbers that were written", () => {
  const values = Float32Array.of(0, -1.5, 3.25, 1e-6);
  const base64 = Buffer.from(values.buffer).toString("base64");
  assert.deepEqual([...decode(base64, Float32Array)], [...values]);
});

test("seeded noise is the same each time, and standard normal", () => {
  const n = 200_000;
  const draws = seededNormal(n, 7);
  assert.deepEqual(draws, seededNormal(n, 7));
  assert.notDeepEqual(draws.slice(0, 10), seededNormal(10, 8));
  assert.deepEqual(seededNormal(11, 7), draws.slice(0, 11)); // an odd count too
  const moment = (k) => draws.reduce((sum, x) => sum + x ** k, 0) / n;
  assert.ok(Math.abs(moment(1)) < 0.01);
  assert.ok(Math.abs(moment(2) - 1) < 0.02);
  assert.ok(Math.abs(moment(4) - 3) < 0.1);
  const inside = draws.filter((x) => Math.abs(x) < 1).length / n;
  assert.ok(Math.abs(inside - 0.6827) < 0.005);
  let together = 0; // neighbours are independent
  for (let i = 1; i < n; i++) together += draws[i] * draws[i - 1];
  assert.ok(Math.abs(together / n) < 0.01);
});

test("noisy pixels are the jump, clipped to bytes, and opaque", () => {
  const clean = Float32Array.of(-1, 0, 1, 0.5, 0.5, 0.5);
  const eps = Float32Array.of(1, 1, 1, -8, 0, 8);
  const out = noisyPixels(clean, eps, 0.6, 0.8, new Uint8ClampedArray(8));
  const byte = (value) => Math.min(Math.max(Math.round(127.5 * (value + 1)), 0), 255);
  assert.deepEqual([...out], [byte(0.2), byte(0.8), 255, 255, 0, byte(0.3), 255, 255]);
});

test("the stand-in tells of changes, once each, and no more after off", () => {
  const model = standIn({ t: 3 });
  const heard = [];
  const tell = () => heard.push(model.get("t"));
  model.on("change:t", tell);
  model.set("t", 4);
  model.set("t", 4);
  model.set("other", 1);
  model.off("change:t", tell);
  model.set("t", 5);
  model.save_changes();
  assert.deepEqual(heard, [4]);
  assert.equal(model.get("t"), 5);
});

test("numbers are written for readers", () => {
  assert.equal(format.short(0), "0");
  assert.equal(format.short(Infinity), "∞");
  assert.equal(format.short(0.0001), "0.0001");
  assert.equal(format.short(4.04e-5), "4·10⁻⁵");
  assert.equal(format.short(99.4321), "99.4");
  assert.equal(format.short(123456), "1.2·10⁵");
  assert.equal(format.rate(0.7071), "0.707");
});
