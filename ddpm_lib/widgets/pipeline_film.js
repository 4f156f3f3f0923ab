// How the pipeline of the page draws: prompts and styles in words, guidance between two prompts, the film of guesses.
import { seededNormal } from "./figure.js";
import { ddim, evenTimes, guessFrom, guided, walkLater } from "./samplers.js";

// ---- words -----------------------------------------------------------------

const HAN = /\p{Script=Han}/u;
export const speaksChinese = (text) => HAN.test(text);

const endOf = (styles) => new RegExp(`\\s*[,，]\\s*(${styles.join("|")})\\s*(style|风格)?\\s*$`, "i");

// The style that a prompt ends with, or "" for none.
export const styleOf = (text, styles) => text.match(endOf(styles))?.[1].toLowerCase() ?? "";

// The prompt with another style at its end, in its own language; "" takes it away.
export function withStyle(text, style, styles) {
  const thing = text.replace(endOf(styles), "").replace(/[\s,，]+$/, "");
  if (!style) return thing;
  return thing + (speaksChinese(thing) ? `，${style} 风格` : `, ${style} style`);
}

// ---- drawing ---------------------------------------------------------------

// The words of a prompt and of what it is guided away from: {wanted, against}, float32, from one call.
export async function readWords(run, tokenizer, prompt, negative) {
  const tokens = [...tokenizer.encode(prompt), ...tokenizer.encode(negative)];
  const { data } = await run("text_encoder", { tokens: { data: tokens, dims: [2, tokenizer.length] } });
  return { wanted: data.slice(0, data.length / 2), against: data.slice(data.length / 2), dims: tokenizer.length };
}

// A denoiser of one latent from run(graph, feeds) → promise of {data}. Both answers come from one call, as a batch
// of two; scale 1 needs no guidance and asks once. model: {predicts, channels, side}. onTime hears each call's ms.
export function latentDenoiser(run, table, model, words, scale, onTime = () => {}) {
  const { channels, side, predicts } = model, size = channels * side * side;
  const n = scale === 1 ? 1 : 2, width = words.wanted.length / words.dims;
  const both = new Float32Array(n * words.wanted.length);
  both.set(words.wanted);
  if (n === 2) both.set(words.against, words.wanted.length);
  return async (x, t) => {
    const latents = new Float32Array(n * size);
    for (let i = 0; i < n; i++) latents.set(x, i * size);
    const { data, ms } = await run("unet", { latents: { data: latents, dims: [n, channels, side, side] },
      t: { data: Array(n).fill(t), dims: [n] }, words: { data: both, dims: [n, words.dims, width] } });
    onTime(ms);
    const view = (part) => guessFrom(predicts, data.subarray(part * size, (part + 1) * size), table, x, t);
    return n === 1 ? view(0) : guided(view(0), view(1), scale);
  };
}

// Which steps of a film of `steps` to show as `count` frames: the first and the last always, the rest even between.
export function shownSteps(steps, count) {
  const most = Math.min(count - 1, steps);
  return [...new Set(Array.from({ length: most + 1 }, (_, k) => Math.round((k * steps) / most)))];
}

// Draw one picture: DDIM from seeded noise. onFrame({step, t, x, x0, picture}) hears every frame: the noise as the
// decoder shows it, then what the network expected at each shown step, last the picture itself; onStep(step, t) hears
// every step and ends the film by answering false. Returns {frames, calls, ms} (ms: milliseconds of all calls).
export async function drawPicture(run, table, model, words, { steps, scale, seed, frames: count }, onFrame, onStep) {
  const size = model.channels * model.side ** 2, times = evenTimes(table, steps);
  const wanted = new Set(shownSteps(steps, count)), frames = [], spent = [];
  const denoise = latentDenoiser(run, table, model, words, scale, (ms) => spent.push(ms));
  let step = -1;
  await walkLater(ddim(table, Float64Array.from(seededNormal(size, seed)), times), denoise, async ({ t, x, x0 }) => {
    step += 1;
    if (onStep?.(step, t) === false) return false;
    if (!wanted.has(step)) return true;
    const shown = step === steps ? x : x0 ?? x;
    const { data } = await run("decoder", { latents: { data: Float32Array.from(shown),
      dims: [1, model.channels, model.side, model.side] } });
    frames.push({ step, t, x, x0, picture: data });
    return onFrame?.(frames.at(-1)) !== false;
  });
  return { frames, calls: spent.length, ms: spent.reduce((sum, ms) => sum + ms, 0) };
}

// (3, side, side) in [−1, 1] as the bytes of a canvas.
export function pictureBytes(picture) {
  const size = picture.length / 3, bytes = new Uint8ClampedArray(4 * size);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) bytes[4 * i + c] = 127.5 * (picture[c * size + i] + 1);
    bytes[4 * i + 3] = 255;
  }
  return bytes;
}
