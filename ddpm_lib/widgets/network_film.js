// How a network of the page draws: the denoiser around it, the way it samples, and the film it leaves behind.
import { clipped, ddim, ddpm, dpmpp, evenTimes, guessFrom, guided, heun, karrasTimes, logsnrTimes,
  walkLater } from "./samplers.js";
import { seededNormal } from "./figure.js";
import { tablesOf } from "./schedule_math.js";

export const SIDE = 28, PIXELS = SIDE * SIDE, NO_LABEL = -1;

// Each sampler with the grid it is at home on and what a step costs.
export const WAYS = {
  dpmpp: { name: "DPM-Solver++(2M)", grid: logsnrTimes, calls: (n) => n },
  ddim: { name: "DDIM", grid: evenTimes, calls: (n) => n },
  heun: { name: "Heun", grid: karrasTimes, calls: (n) => 2 * n - 1 },
  ddpm: { name: "DDPM", grid: evenTimes, calls: (n) => n },
};

// A denoiser from run(x, t, labels) → promise of eps, float32. Guidance asks for both answers in one call.
// labels: one for each picture, NO_LABEL for none. x0 is held in [−1, 1], as in ddpm_lib's clip.
export function digitDenoiser(run, table, labels, scale) {
  const plain = scale === 1 || labels.every((label) => label === NO_LABEL);
  return async (x, t) => {
    const view = (eps) => guessFrom("eps", eps, table, x, t);
    if (plain) return clipped(view(await run(Float32Array.from(x), t, labels)), table, x, t);
    const twice = new Float32Array(2 * x.length);
    twice.set(x);
    twice.set(x, x.length);
    const eps = await run(twice, t, [...labels, ...labels.map(() => NO_LABEL)]);
    const both = guided(view(eps.subarray(0, x.length)), view(eps.subarray(x.length)), scale);
    return clipped(both, table, x, t);
  };
}

// The schedule's first t steps as a schedule of their own, whose end is t: what restoring from t walks over.
export const upTo = (table, t) => (t === table.T ? table : tablesOf(table.beta.slice(0, t + 1)));

// Where a run starts: noise alone, or a picture noised to t by the jump.
export function startOf(table, t, picture, count, seed) {
  const eps = seededNormal(count * PIXELS, seed);
  if (!picture) return Float64Array.from(eps);
  return Float64Array.from(eps, (v, i) => table.signalRate[t] * picture[i % PIXELS] + table.noiseRate[t] * v);
}

// Run a sampler over `steps` steps from x at the end of the table; onStep may end it by answering false.
export function film(run, table, x, { way, steps, labels, scale, seed }, onStep) {
  const times = WAYS[way].grid(table, Math.min(steps, table.T));
  let drawn = 0; // fresh noise that depends on the seed and the step alone
  const normal = (n) => seededNormal(n, seed + 7919 * ++drawn);
  const sampler = { ddpm, ddim, heun, dpmpp }[way](table, x, times, { normal });
  return walkLater(sampler, digitDenoiser(run, table, labels, scale), onStep);
}

// What to say when the network could not be made ready. error.again: whether trying again can help, if that is known.
export function advice({ message, again }) {
  if (again === false) return `${message} Trying again will not help.`;
  return again ? `${message} Nothing is lost: press the button to try again.`
    : `${message} Nothing is lost. Press the button to try again; if it says the same, more tries will not help.`;
}

// ---- the pad ---------------------------------------------------------------

// A soft round touch of the pen at (column, row), in pixels: paper is −1, ink is 1.
export function touch(picture, column, row, radius = 1.45) {
  for (let r = Math.max(0, Math.floor(row - 3)); r <= Math.min(SIDE - 1, row + 3); r++)
    for (let c = Math.max(0, Math.floor(column - 3)); c <= Math.min(SIDE - 1, column + 3); c++) {
      const far = Math.hypot(c + 0.5 - column, r + 0.5 - row);
      const ink = 2 * Math.min(Math.max(radius + 0.5 - far, 0), 1) - 1;
      picture[r * SIDE + c] = Math.max(picture[r * SIDE + c], ink);
    }
}

// From one touch to the next without gaps.
export function stroke(picture, from, to) {
  const pieces = Math.max(1, Math.ceil(2 * Math.hypot(to[0] - from[0], to[1] - from[1])));
  for (let i = 0; i <= pieces; i++)
    touch(picture, from[0] + ((to[0] - from[0]) * i) / pieces, from[1] + ((to[1] - from[1]) * i) / pieces);
}

// ---- what is loaded --------------------------------------------------------

// Bytes that may be gzip, as a server sent them: some unpack on the way, some do not.
export const isGzip = (bytes) => bytes[0] === 0x1f && bytes[1] === 0x8b;

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

// Why the network cannot be had here, in one sentence, or null. place: {protocol, root}, root as the page gives it.
export function obstacle({ protocol, root, wasm, worker }) {
  if (protocol === "file:")
    return "This page was opened as a file, and browsers let a file load no modules: serve the folder with"
      + " “python -m http.server” and open http://localhost:8000.";
  if (root === undefined)
    return "In a notebook this figure rests: the network runs in the pages of the built book. Here the cells of"
      + " this chapter do the same in Python.";
  if (!wasm || !worker)
    return "This browser has no WebAssembly, or it is switched off: the network cannot run in it. The picture above"
      + " shows what it draws.";
  return null;
}
