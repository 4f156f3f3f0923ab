// The numbers behind the race of samplers: mixtures in the plane and their exact denoiser, a run in small bites,
// and the distance to the data. Pure; checked against ddpm_lib by the tests.
import { seededNormal } from "./figure.js";
import { ddim, ddpm, dpmpp, evenTimes, guessFrom, heun, karrasTimes, logsnrTimes } from "./samplers.js";

export const SAMPLES = 250;
export const REAL = 1000; // the fixed draw of the data that every sampler is measured against
export const RACERS = ["ddpm", "ddim", "heun", "dpmpp"];
export const FILL = [2, 3, 5, 10, 20, 50, 100]; // calls of "fill in the curve"
const STOPS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500, 700, 1000];
const KEPT = 40; // frames of a run that are kept for its film
const QUANTILES = 1000; // so that the distance is exact: what is compared here are 250 and 1000 points
const DIRECTIONS = 40;

// ---- the data --------------------------------------------------------------

// Rows of weight, x, y, std as a mixture with weights that sum to 1.
export function planeMixture(rows) {
  const total = rows.reduce((sum, row) => sum + row[0], 0);
  return {
    weight: Float64Array.from(rows, (row) => row[0] / total),
    means: Float64Array.from(rows.flatMap((row) => [row[1], row[2]])),
    std: Float64Array.from(rows, (row) => row[3]),
  };
}

// E[x_0 | x_t] of a mixture in the plane, and the noise with it: ddpm_lib.ExactDenoiser over a GaussianMixture.
export function mixtureDenoiser({ weight, means, std }, table) {
  const K = weight.length;
  const [share, level, spread, gain] = Array.from({ length: 4 }, () => new Float64Array(K));
  return (x, t) => {
    const signal = table.signalRate[t], noise = table.noiseRate[t];
    for (let k = 0; k < K; k++) {
      const variance = (signal * std[k]) ** 2 + noise ** 2; // of component k at time t
      level[k] = Math.log(weight[k] / variance);
      spread[k] = 0.5 / variance;
      gain[k] = (signal * std[k] ** 2) / variance;
    }
    const x0 = new Float64Array(x.length);
    for (let i = 0; i < x.length; i += 2) {
      let most = -Infinity, total = 0, a = 0, b = 0;
      for (let k = 0; k < K; k++) {
        const dx = x[i] - signal * means[2 * k], dy = x[i + 1] - signal * means[2 * k + 1];
        share[k] = level[k] - spread[k] * (dx * dx + dy * dy);
        if (share[k] > most) most = share[k];
      }
      for (let k = 0; k < K; k++) {
        if (share[k] - most < -50) continue; // less than 1e-21 of the largest
        const part = Math.exp(share[k] - most);
        total += part;
        a += part * (means[2 * k] + gain[k] * (x[i] - signal * means[2 * k]));
        b += part * (means[2 * k + 1] + gain[k] * (x[i + 1] - signal * means[2 * k + 1]));
      }
      x0[i] = a / total;
      x0[i + 1] = b / total;
    }
    return guessFrom("x0", x0, table, x, t);
  };
}

// n independent points of the mixture, the same for the same seed: x, y, x, y, …
export function drawFrom({ weight, means, std }, n, seed) {
  const z = seededNormal(4 * n, seed);
  const points = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    // Half the squared length of a normal pair is exponential, so this is uniform in (0, 1).
    let left = Math.exp(-(z[4 * i + 2] ** 2 + z[4 * i + 3] ** 2) / 2), k = 0;
    while (k + 1 < weight.length && left > weight[k]) left -= weight[k++];
    points[2 * i] = means[2 * k] + std[k] * z[4 * i];
    points[2 * i + 1] = means[2 * k + 1] + std[k] * z[4 * i + 1];
  }
  return points;
}

// ---- the distance ----------------------------------------------------------

// Quantiles of the points' shadows on a fan of directions, one row of QUANTILES after the other.
export function shadows(points, directions = DIRECTIONS) {
  const n = points.length / 2;
  const shadow = new Float64Array(n), out = new Float64Array(directions * QUANTILES);
  for (let d = 0; d < directions; d++) {
    const angle = (Math.PI * (d + 0.5)) / directions;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    for (let i = 0; i < n; i++) shadow[i] = c * points[2 * i] + s * points[2 * i + 1];
    shadow.sort();
    for (let q = 0; q < QUANTILES; q++) out[d * QUANTILES + q] = shadow[Math.floor(((q + 0.5) / QUANTILES) * n)];
  }
  return out;
}

// Sliced Wasserstein distance of two such tables: ddpm_lib.metrics.sliced_wasserstein with a fan for its directions.
export function apart(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

// What real data gets: fresh draws, each as many as there are samples, against the fixed draw.
export function floorOf(mixture, real, draws = 12) {
  const each = Array.from({ length: draws }, (_, i) => apart(shadows(drawFrom(mixture, SAMPLES, 900 + i)), real));
  return { mean: each.reduce((a, b) => a + b) / draws, low: Math.min(...each), high: Math.max(...each) };
}

// ---- a run -----------------------------------------------------------------

export const callStops = (T) => STOPS.filter((n) => n < T).concat(Math.min(T, 1000));

// Steps that `calls` network calls pay for: Heun's cost two each, but one at the end.
export const stepsFor = (name, calls) => (name === "heun" ? Math.floor((calls + 1) / 2) : calls);
export const callsOf = (name, steps) => (name === "heun" ? 2 * steps - 1 : steps);

export function gridOf(kind, table, steps) {
  return { even: evenTimes, logsnr: logsnrTimes, karras: karrasTimes }[kind](table, steps);
}

// normal(n): fresh noise, another at every call, the same sequence for the same seed.
export function freshNormal(seed) {
  let count = 0;
  return (n) => seededNormal(n, (seed + Math.imul(++count, 0x9e3779b1)) >>> 0);
}

// One sampler from its start to its end. Yields after every network call; returns the film:
// frames (KEPT or fewer, the first and the last among them), and at how many calls each was reached.
export function* runOf(name, table, denoise, start, { calls, grid, eta, normal }) {
  const steps = stepsFor(name, calls), times = gridOf(grid, table, steps);
  const sampler = {
    ddpm: () => ddpm(table, start, times, { normal }),
    ddim: () => ddim(table, start, times, { eta, normal }),
    heun: () => heun(table, start, times),
    dpmpp: () => dpmpp(table, start, times),
  }[name]();
  const stride = Math.ceil(steps / KEPT), frames = [], spent = [];
  let count = 0, done = 0, end = start;
  for (let said = sampler.next(); !said.done; ) {
    const { ask, step } = said.value;
    if (ask) {
      said = sampler.next(denoise(ask.x, ask.t));
      yield ++count;
      continue;
    }
    if (done % stride === 0 || done === steps) { frames.push(Float32Array.from(step.x)); spent.push(count); }
    end = step.x;
    done++;
    said = sampler.next();
  }
  return { name, frames, spent, end, calls: count };
}

// Generators one after the other, in bites of `bite` ms with a pause between them. tell(count) after every network
// call, arrived(result) after every run. Returns the results, or null if they are no longer wanted.
export async function inBites(runs, { wanted, tell, arrived, pause, now, bite = 8 }) {
  const results = [];
  let count = 0, began = now();
  for (const run of runs) {
    let said = run.next();
    while (!said.done) {
      tell?.(++count);
      if (now() - began > bite) {
        await pause();
        if (!wanted()) return null;
        began = now();
      }
      said = run.next();
    }
    results.push(said.value);
    arrived?.(said.value);
  }
  return results;
}

// Where the points are when `calls` of the race's calls are spent; between two frames, between both.
export function placesAt({ frames, spent }, calls, out) {
  let k = 0;
  while (k + 2 < spent.length && spent[k + 1] <= calls) k++;
  const share = Math.min(Math.max((calls - spent[k]) / (spent[k + 1] - spent[k]), 0), 1);
  for (let i = 0; i < out.length; i++) out[i] = frames[k][i] + share * (frames[k + 1][i] - frames[k][i]);
  return k;
}

// ---- the chart's axes ------------------------------------------------------

// Dots of one sampler as its curve: for each number of calls the mean over the seeds, calls rising.
export function curveOf(dots) {
  const groups = new Map();
  for (const { calls, distance } of dots) groups.set(calls, [...(groups.get(calls) ?? []), distance]);
  return [...groups].sort((a, b) => a[0] - b[0]).map(([calls, all]) => [calls, all.reduce((a, b) => a + b) / all.length]);
}

// Round numbers 1, 2, 5 × a power of ten inside low..high.
export function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const digit of [1, 2, 5]) {
      const tick = Number(`${digit}e${power}`);
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  return ticks;
}
