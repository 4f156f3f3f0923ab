// The pipeline of the page with a stand-in for its networks: styles in words, guidance, the film, what is asked of whom.
import assert from "node:assert/strict";
import test from "node:test";
import { drawPicture, latentDenoiser, pictureBytes, readWords, shownSteps, speaksChinese, styleOf,
  withStyle } from "../../ddpm_lib/widgets/pipeline_film.js";
import { schedule } from "../../ddpm_lib/widgets/schedule_math.js";

const table = schedule("cosine", 1000), STYLES = ["noto", "twemoji", "3d", "flat", "blob"];
const model = { predicts: "v", channels: 4, side: 2 };
const close = (a, b, within = 1e-5) => assert.ok(Math.abs(a - b) <= within, `${a} is not ${b}`);

// Networks that answer with what they were asked: v = share · x + the first number of the row's words; a picture that
// is the latent; words that are the token numbers.
function standIn(share = 0.5) {
  const calls = [];
  const run = async (graph, feeds) => {
    calls.push({ graph, ...Object.fromEntries(Object.entries(feeds).map(([k, f]) => [k, { ...f }])) });
    if (graph === "text_encoder") return { data: Float32Array.from(feeds.tokens.data), ms: 1 };
    if (graph === "decoder") return { data: Float32Array.from(feeds.latents.data), ms: 1 };
    const size = feeds.latents.data.length / feeds.t.data.length, row = feeds.words.dims[1] * feeds.words.dims[2];
    return { ms: 2, data: Float32Array.from(feeds.latents.data, (v, i) => share * v
      + feeds.words.data[Math.floor(i / size) * row]) };
  };
  return { run, calls };
}

test("a style is found at the end of a prompt, changed, taken away, and said in the prompt's language", () => {
  assert.equal(styleOf("red apple, Noto style", STYLES), "noto");
  assert.equal(styleOf("红苹果，3d 风格", STYLES), "3d");
  assert.equal(styleOf("flat cap", STYLES), "");
  assert.equal(withStyle("red apple", "flat", STYLES), "red apple, flat style");
  assert.equal(withStyle("red apple, noto style", "blob", STYLES), "red apple, blob style");
  assert.equal(withStyle("红苹果，noto 风格", "3d", STYLES), "红苹果，3d 风格");
  assert.equal(withStyle("红苹果，noto 风格", "", STYLES), "红苹果");
  assert.equal(withStyle("apple, ", "3d", STYLES), "apple, 3d style");
  assert.equal(withStyle("apple, pear", "", STYLES), "apple, pear");
  assert.ok(speaksChinese("熊猫") && !speaksChinese("panda 🐼"));
});

test("both prompts are read in one call", async () => {
  const { run, calls } = standIn();
  const tokenizer = { length: 3, encode: (text) => (text ? [1, 5, 2] : [1, 2, 2]) };
  const words = await readWords(run, tokenizer, "apple", "");
  assert.deepEqual(calls[0].tokens, { data: [1, 5, 2, 1, 2, 2], dims: [2, 3] });
  assert.deepEqual([[...words.wanted], [...words.against]], [[1, 5, 2], [1, 2, 2]]);
});

const words = { wanted: Float32Array.of(0.3, 1, 2, 3), against: Float32Array.of(-0.1, 1, 2, 3), dims: 2 };

test("guidance asks for both answers in one call and mixes them by the formula", async () => {
  const { run, calls } = standIn();
  const x = Float64Array.from({ length: 16 }, (_, i) => Math.sin(i));
  const guess = await latentDenoiser(run, table, model, words, 3)(x, 400);
  assert.equal(calls.length, 1);
  assert.deepEqual([calls[0].latents.dims, calls[0].t, calls[0].words.dims],
    [[2, 4, 2, 2], { data: [400, 400], dims: [2] }, [2, 2, 2]]);
  const v = 0.5 * x[5] + (-0.1 + 3 * 0.4), a = table.signalRate[400], b = table.noiseRate[400];
  close(guess.x0[5], a * x[5] - b * v);
  close(guess.eps[5], b * x[5] + a * v);
  const alone = await latentDenoiser(run, table, model, words, 1)(x, 400);
  assert.deepEqual(calls[1].latents.dims, [1, 4, 2, 2]);
  close(alone.x0[5], a * x[5] - b * (0.5 * x[5] + 0.3));
});

test("a film has its noise, its guesses and its picture; every step is asked once", async () => {
  const { run, calls } = standIn();
  const heard = [];
  const film = await drawPicture(run, table, model, words, { steps: 20, scale: 4, seed: 3, frames: 8 },
    (frame) => heard.push(frame.step) > 0, () => true);
  assert.deepEqual(heard, shownSteps(20, 8));
  assert.deepEqual(film.frames.map((f) => f.step), [0, 3, 6, 9, 11, 14, 17, 20]);
  assert.equal(film.calls, 20);
  assert.equal(film.ms, 40);
  assert.deepEqual(calls.filter((c) => c.graph === "unet").map((c) => c.t.data[0]),
    Array.from({ length: 20 }, (_, i) => 1000 - 50 * i));
  assert.equal(calls.filter((c) => c.graph === "decoder").length, 8);
  const [noise, first] = film.frames, last = film.frames.at(-1);
  assert.deepEqual([...noise.picture], [...Float32Array.from(noise.x)]);
  assert.deepEqual([...first.picture], [...Float32Array.from(first.x0)]);
  assert.deepEqual([...last.picture], [...Float32Array.from(last.x)]);
  assert.deepEqual([...(await drawPicture(run, table, model, words, { steps: 20, scale: 4, seed: 3, frames: 2 }))
    .frames[1].picture], [...last.picture]);
});

test("a film of few steps shows them all, and ends when it is told to", async () => {
  assert.deepEqual([shownSteps(1, 8), shownSteps(4, 8), shownSteps(7, 8)], [[0, 1], [0, 1, 2, 3, 4],
    [0, 1, 2, 3, 4, 5, 6, 7]]);
  const { run, calls } = standIn();
  await drawPicture(run, table, model, words, { steps: 20, scale: 4, seed: 3, frames: 8 }, null, (step) => step < 2);
  assert.equal(calls.filter((c) => c.graph === "unet").length, 2);
});

test("a picture becomes bytes, held within 0 … 255", () => {
  const bytes = pictureBytes(Float32Array.of(-1, -2, 0, 0, 1, 3, 0, 1, 0, 0, 0, 0));
  assert.deepEqual([...bytes.slice(0, 8)], [0, 255, 128, 255, 0, 255, 128, 255]);
});
