// A density on a line as a mixture of Gaussians, and all that the noise does to it, in closed form.
// A mixture is { weight, mean, std }: three arrays of K numbers, the weights adding up to 1 (ddpm_lib.GaussianMixture).

const ROOT_TWO_PI = Math.sqrt(2 * Math.PI);
const FAR = 9; // standard deviations beyond which a bell counts as nothing: e^(−40)

// The reader draws on these bins; 0.72 of their width lets equal neighbours add up to a flat line within 10⁻⁴.
export const BINS = { count: 64, low: -2, width: 0.0625, std: 0.045 };

export const binCentre = (i) => BINS.low + (i + 0.5) * BINS.width;

function ofWeights(weight, mean, std) {
  const sum = weight.reduce((a, b) => a + b, 0);
  return { weight: Float64Array.from(weight, (w) => w / sum), mean: Float64Array.from(mean), std: Float64Array.from(std) };
}

// From rows of [weight, mean, std].
export const mixtureOf = (rows) => ofWeights(rows.map((r) => r[0]), rows.map((r) => r[1]), rows.map((r) => r[2]));

// From the heights of the bins, of which at least one must be positive.
export function drawnMixture(heights) {
  const used = heights.map((h, i) => [h, binCentre(i), BINS.std]).filter(([h]) => h > 0);
  return mixtureOf(used);
}

// Heights between 0 and 1 that look like the mixture: where drawing begins.
export function heightsOf(mixture) {
  const heights = Array.from({ length: BINS.count }, (_, i) => densityAt(mixture, binCentre(i)));
  const top = Math.max(...heights);
  return heights.map((h) => (h > 0.004 * top ? Number(((0.9 * h) / top).toFixed(3)) : 0));
}

// The mixture of signal · x + Gaussian noise of that variance: with the rates of t it is the marginal q(x_t).
export function noised({ weight, mean, std }, signal, variance) {
  return { weight, mean: mean.map((m) => signal * m), std: std.map((s) => Math.sqrt((signal * s) ** 2 + variance)) };
}

export function marginal(mixture, schedule, t) {
  return noised(mixture, schedule.signalRate[t], schedule.noiseRate[t] ** 2);
}

export function densityAt({ weight, mean, std }, x) {
  let sum = 0;
  for (let k = 0; k < weight.length; k++) {
    const z = (x - mean[k]) / std[k];
    if (z < FAR && z > -FAR) sum += (weight[k] / std[k]) * Math.exp(-0.5 * z * z);
  }
  return sum / ROOT_TWO_PI;
}

// How likely each bell is to have given x; they add up to 1 however far out x lies.
export function responsibilities({ weight, mean, std }, x, out = new Float64Array(weight.length)) {
  let most = -Infinity, sum = 0;
  for (let k = 0; k < weight.length; k++) {
    const z = (x - mean[k]) / std[k];
    out[k] = Math.log(weight[k] / std[k]) - 0.5 * z * z;
    if (out[k] > most) most = out[k];
  }
  for (let k = 0; k < weight.length; k++) sum += out[k] = Math.exp(out[k] - most);
  for (let k = 0; k < weight.length; k++) out[k] /= sum;
  return out;
}

// The score, d/dx log p(x).
export function scoreAt(mixture, x) {
  const share = responsibilities(mixture, x);
  return share.reduce((sum, r, k) => sum + (r * (mixture.mean[k] - x)) / mixture.std[k] ** 2, 0);
}

// Bayes: what is known of u once x = ratio · u + noise (of that variance) was seen. Again a mixture.
export function conditional(mixture, ratio, variance, x) {
  const weight = responsibilities(noised(mixture, ratio, variance), x);
  const gain = mixture.std.map((s) => (ratio * s * s) / ((ratio * s) ** 2 + variance));
  return {
    weight,
    mean: mixture.mean.map((m, k) => m + gain[k] * (x - ratio * m)),
    std: mixture.std.map((s) => (s * Math.sqrt(variance)) / Math.sqrt((ratio * s) ** 2 + variance)),
  };
}

// The true step back, q(x_s | x_t), from any t to any s < t; s = 0 gives the posterior p(x_0 | x_t).
// The jump from s to t has the signal rate √(ᾱ_t / ᾱ_s), and its noise the variance that this leaves.
export function stepBack(mixture, schedule, x, t, s) {
  const kept = schedule.alphaBar[t] / schedule.alphaBar[s];
  return conditional(marginal(mixture, schedule, s), Math.sqrt(kept), jumpVariance(schedule, t, s), x);
}

// The variance that the jump from s to t adds; for neighbours it is β_t itself, without rounding.
export function jumpVariance(schedule, t, s) {
  return s === t - 1 ? schedule.beta[t] : 1 - schedule.alphaBar[t] / schedule.alphaBar[s];
}

// E[x_0 | x_t], and the noise that goes with it: the best answer that any network could give (t ≥ 1).
export function bestGuess(mixture, schedule, x, t) {
  const [a, b] = [schedule.signalRate[t], schedule.noiseRate[t]];
  const share = responsibilities(noised(mixture, a, b * b), x);
  let x0 = 0;
  for (let k = 0; k < share.length; k++) {
    const v = mixture.std[k] ** 2;
    x0 += share[k] * (mixture.mean[k] + ((a * v) / (a * a * v + b * b)) * (x - a * mixture.mean[k]));
  }
  return { x0, eps: (x - a * x0) / b };
}

// The same as a denoiser for the samplers: (x, t) → { x0, eps }, entry by entry.
export const lineDenoiser = (mixture, schedule) => (x, t) => {
  const [x0, eps] = [new Float64Array(x.length), new Float64Array(x.length)];
  for (let i = 0; i < x.length; i++) ({ x0: x0[i], eps: eps[i] } = bestGuess(mixture, schedule, x[i], t));
  return { x0, eps };
};

export function momentsOf({ weight, mean, std }) {
  const centre = weight.reduce((sum, w, k) => sum + w * mean[k], 0);
  const variance = weight.reduce((sum, w, k) => sum + w * (std[k] ** 2 + (mean[k] - centre) ** 2), 0);
  return { mean: centre, std: Math.sqrt(variance) };
}

export const bell = (x, mean, std) => Math.exp(-0.5 * ((x - mean) / std) ** 2) / (std * ROOT_TWO_PI);

// Two distances of a mixture from a Gaussian: total variation (half the area between the curves, 0..1), and
// KL(mixture ‖ Gaussian) in nats. By sums over 12 standard deviations of the wider of the two.
export function distances(mixture, mean = 0, std = 1, points = 1200) {
  const own = momentsOf(mixture);
  const reach = 6 * Math.max(std, own.std) + Math.abs(own.mean - mean) / 2;
  const middle = (mean + own.mean) / 2;
  const step = (2 * reach) / points;
  let tv = 0, kl = 0;
  for (let i = 0; i <= points; i++) {
    const x = middle - reach + i * step;
    const [p, g] = [densityAt(mixture, x), bell(x, mean, std)];
    tv += Math.abs(p - g);
    kl += g - p; // which adds up to nothing, and with it every term is at least 0
    if (p > 1e-300) kl += p * (Math.log(p) + 0.5 * ((x - mean) / std) ** 2 + Math.log(std * ROOT_TWO_PI));
  }
  return { tv: (tv * step) / 2, kl: Math.max(kl * step, 0) };
}

// n draws: every n-th part of the mass gives one, the place within its bell comes from z ~ N(0, 1).
export function drawFrom(mixture, n, z) {
  const x = new Float64Array(n);
  for (let i = 0, k = 0, below = mixture.weight[0]; i < n; i++) {
    while (k + 1 < mixture.weight.length && below < (i + 0.5) / n) below += mixture.weight[++k];
    x[i] = mixture.mean[k] + mixture.std[k] * z[i];
  }
  return x;
}

// The chain q(x_t | x_{t−1}) walked from x: T + 1 frames, fresh noise from normal(n) at each step (DDPM eq. 2).
export function chainOf(x, schedule, normal) {
  const frames = [x];
  for (let t = 1; t <= schedule.T; t++) {
    const z = normal(x.length);
    const [a, b] = [Math.sqrt(1 - schedule.beta[t]), Math.sqrt(schedule.beta[t])];
    frames.push(frames[t - 1].map((v, i) => a * v + b * z[i]));
  }
  return frames;
}

// Where a path stands at time t, between the two frames around it; times may rise or fall.
export function placeAt(times, frames, t, out) {
  const falling = times[0] > times[times.length - 1];
  let [low, high] = [0, times.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (falling ? times[middle] >= t : times[middle] <= t) low = middle;
    else high = middle;
  }
  const share = Math.min(Math.max((t - times[low]) / (times[high] - times[low]), 0), 1);
  for (let i = 0; i < out.length; i++) out[i] = frames[low][i] + share * (frames[high][i] - frames[low][i]);
  return out;
}
