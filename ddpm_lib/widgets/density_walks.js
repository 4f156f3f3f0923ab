// Walkers on a line, there and back, and the small arithmetic of the controls. Nothing here draws.
import { seededNormal } from "./figure.js";
import { ddim, ddpm, evenTimes, walkLater } from "./samplers.js";
import { BINS, chainOf, drawFrom, lineDenoiser } from "./density_math.js";

export const WALKERS = 192;
const WALK_HUE = { ddpm: "noise", ddim: "plum" }; // each sampler its own, as everywhere (ddpm_lib/colours.py)
const SHOWN = 24; // of them, as lines; all of them make the bars
export const JUMP_STOPS = 60;

// The lengths of a jump under the slider: logarithmic, from 1 to T.
export const jumpAt = (stop, T) => Math.round(T ** (stop / JUMP_STOPS));
export const stopOf = (jump, T) => Math.round((JUMP_STOPS * Math.log(jump)) / Math.log(T));

// The numbers of steps that the reader may choose for the way back, T the last.
export const stepChoices = (T) => [...[5, 10, 20, 50, 100, 200, 500].filter((n) => n < T), T];

// Heights after a stroke from (place a, height a) to (place b, height b), both in bins; null if nothing would be left.
export function stroked(heights, [binA, heightA], [binB, heightB]) {
  const next = [...heights];
  const [low, high] = [Math.min(binA, binB), Math.max(binA, binB)];
  for (let i = Math.max(low, 0); i <= Math.min(high, BINS.count - 1); i++) {
    const share = binA === binB ? 1 : (i - binA) / (binB - binA);
    next[i] = Number(Math.min(Math.max(heightA + share * (heightB - heightA), 0), 1).toFixed(3));
  }
  return next.some((h) => h > 0) ? next : null;
}

// Walkers along the chain, or from pure noise back to data; found(walk) is told when they have arrived.
// The work is cut into pieces, so that the page stays quick; wanted() says whether anybody still waits for it.
export async function walkers(mixture, schedule, { process, steps, seed }, wanted, pause) {
  let draws = 0;
  const normal = (n) => seededNormal(n, seed + 101 + 7919 * draws++);
  const shown = Array.from({ length: SHOWN }, (_, i) => Math.floor(((i + 0.5) * WALKERS) / SHOWN));
  if (process === "chain") {
    const frames = chainOf(drawFrom(mixture, WALKERS, normal(WALKERS)), schedule, normal);
    return { times: frames.map((_, t) => t), frames, shown, colour: "ink" };
  }
  const start = Float64Array.from(normal(WALKERS));
  const times = evenTimes(schedule, Math.min(steps, schedule.T));
  const walk = process === "ddpm" ? ddpm(schedule, start, times, { normal }) : ddim(schedule, start, times, { normal });
  const denoise = lineDenoiser(mixture, schedule);
  const frames = [];
  let began = performance.now();
  await walkLater(walk, async (x, t) => {
    if (performance.now() - began > 12) { await pause(); began = performance.now(); }
    return denoise(x, t);
  }, ({ x }) => { frames.push(Float64Array.from(x)); return wanted(); });
  return { times: times.slice(0, frames.length), frames, shown, colour: WALK_HUE[process] };
}
