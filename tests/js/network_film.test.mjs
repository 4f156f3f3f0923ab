// The film of the network in the page, with a stand-in for the network: guidance, starts, the pad, what may be in its way.
import assert from "node:assert/strict";
import test from "node:test";
import { advice, digitDenoiser, film, isGzip, megabytes, NO_LABEL, obstacle, PIXELS, startOf, stroke, touch, upTo,
  WAYS } from "../../ddpm_lib/widgets/network_film.js";
import { schedule } from "../../ddpm_lib/widgets/schedule_math.js";

const table = schedule("linear", 1000, 1e-4, 0.02);
const close = (a, b, within = 1e-9) => assert.ok(Math.abs(a - b) <= within, `${a} is not ${b}`);

// A "network" that says eps = share · x + label / 1000, and remembers how it was called.
function standIn(share = 0.3) {
  const calls = [];
  const run = async (x, t, labels) => {
    calls.push({ t, labels: [...labels], size: x.length });
    return Float32Array.from(x, (v, i) => share * v + labels[Math.floor(i / PIXELS)] / 1000);
  };
  return { run, calls };
}

test("guidance asks for both answers in one call and mixes them by the formula", async () => {
  const { run, calls } = standIn();
  const x = Float64Array.from({ length: PIXELS }, (_, i) => Math.sin(i) / 4);
  const guess = await digitDenoiser(run, table, [7], 3)(x, 20);
  assert.deepEqual(calls, [{ t: 20, labels: [7, NO_LABEL], size: 2 * PIXELS }]);
  const signal = table.signalRate[20], noise = table.noiseRate[20];
  const [c, u] = [0.007, -0.001], eps = 0.3 * x[5] + u + 3 * (c - u);
  close(guess.x0[5], (x[5] - noise * eps) / signal, 1e-6);
  close(signal * guess.x0[5] + noise * guess.eps[5], x[5], 1e-12);
});

test("scale 1, or no label, costs one answer; x0 stays within [−1, 1] and eps is told again", async () => {
  for (const [labels, scale] of [[[7], 1], [[NO_LABEL], 5]]) {
    const { run, calls } = standIn();
    const guess = await digitDenoiser(run, table, labels, scale)(new Float64Array(PIXELS).fill(3), 900);
    assert.equal(calls[0].size, PIXELS);
    assert.ok(guess.x0.every((v) => v === 1));
    close(guess.eps[0], (3 - table.signalRate[900]) / table.noiseRate[900]);
  }
});

for (const way of Object.keys(WAYS)) {
  test(`a film by ${way}: its times, its calls, its end, and the same again from the same seed`, async () => {
    const options = { way, steps: 6, labels: [4], scale: 1, seed: 5 };
    const films = [];
    for (let i = 0; i < 2; i++) {
      const { run, calls } = standIn(0.9);
      films.push(await film(run, table, startOf(table, 1000, null, 1, 5), options));
      assert.equal(calls.length, WAYS[way].calls(6));
    }
    assert.deepEqual(films[0].map((s) => s.t), WAYS[way].grid(table, 6));
    assert.deepEqual(films[0].at(-1).x, films[1].at(-1).x);
    assert.ok(films[0].at(-1).x.every(Number.isFinite));
  });
}

test("a film ends early when it is told to", async () => {
  const steps = await film(standIn().run, table, startOf(table, 1000, null, 1, 0),
    { way: "ddim", steps: 50, labels: [1], scale: 1, seed: 0 }, (step) => step.t > 900);
  assert.ok(steps.length < 10);
});

test("restoring from t walks the first t steps of the schedule, and starts by the jump", async () => {
  const part = upTo(table, 300);
  assert.equal(part.T, 300);
  close(part.alphaBar[300], table.alphaBar[300], 0);
  assert.equal(upTo(table, 1000), table);
  const picture = new Float32Array(PIXELS).fill(0.5);
  const x = startOf(table, 300, picture, 1, 9), eps = startOf(table, 1000, null, 1, 9);
  close(x[17], table.signalRate[300] * 0.5 + table.noiseRate[300] * eps[17]);
  const steps = await film(standIn().run, part, x, { way: "dpmpp", steps: 400, labels: [NO_LABEL], scale: 1, seed: 0 });
  assert.deepEqual([steps[0].t, steps.at(-1).t, steps.length], [300, 0, 301]); // no more steps than times
});

test("the pen leaves ink where it touches and along its way, and none elsewhere", () => {
  const picture = new Float32Array(PIXELS).fill(-1);
  touch(picture, 14, 14);
  assert.equal(picture[14 * 28 + 14], 1);
  assert.equal(picture[0], -1);
  stroke(picture, [4, 20], [24, 20]);
  for (let c = 4; c < 24; c++) assert.equal(picture[20 * 28 + c], 1);
  touch(picture, 0, 0); // at the edge nothing wraps round
  assert.equal(picture[27], -1);
  assert.ok(picture.every((v) => v >= -1 && v <= 1));
});

test("what is in the way is said in a sentence", () => {
  const fine = { protocol: "https:", root: "../", wasm: true, worker: true };
  assert.equal(obstacle(fine), null);
  assert.match(obstacle({ ...fine, protocol: "file:" }), /opened as a file.*http\.server/);
  assert.match(obstacle({ ...fine, root: undefined }), /In a notebook/);
  assert.match(obstacle({ ...fine, wasm: false }), /WebAssembly/);
  assert.match(obstacle({ ...fine, worker: false }), /WebAssembly/);
});

test("what went wrong is told with whether trying again can help", () => {
  assert.equal(advice({ message: "x.", again: true }), "x. Nothing is lost: press the button to try again.");
  assert.equal(advice({ message: "x.", again: false }), "x. Trying again will not help.");
  assert.match(advice(new Error("x.")), /^x\. Nothing is lost\. Press the button to try again; if it says the same/);
});

test("sizes and packed bytes", () => {
  assert.equal(megabytes(2_870_000), "2.9 MB");
  assert.ok(isGzip(Uint8Array.of(0x1f, 0x8b, 8)) && !isGzip(Uint8Array.of(8, 0x1f)));
});
