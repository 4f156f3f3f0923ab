// Ink and restorer, the pure part: a picture whose every place has a noise level of its own, and an exact
// denoiser that knows a small collection piece by piece. Pictures are (side, side, 3), one after the other, in [-1, 1].
import { seededNormal } from "./figure.js";

// A canvas that ink falls on: `level` is the time t of each place, and what is seen is always
// signal(t) base + noise(t) eps. `base` is at first the clean picture, later the restorer's guess; `eps` is the ink.
export class Inked {
  constructor(clean, side, rates, seed) {
    this.clean = clean;
    this.side = side;
    this.rates = rates; // { T, signalRate, noiseRate }: tables of T + 1 numbers
    this.seed = seed;
    this.reset();
  }

  reset() {
    const places = this.side * this.side;
    this.draws = 0;
    this.level = new Uint16Array(places);
    this.touched = new Uint8Array(places); // 1 where base is the restorer's
    this.base = Float32Array.from(this.clean);
    this.eps = this.fresh();
  }

  fresh() { return seededNormal(3 * this.side * this.side, this.seed + 1000 * this.draws++); }

  // What is seen, into out (3 numbers a place).
  seen(out = new Float32Array(this.base.length)) {
    const { signalRate, noiseRate } = this.rates;
    for (let p = 0, i = 0; p < this.level.length; p++) {
      const signal = signalRate[this.level[p]], noise = noiseRate[this.level[p]];
      for (let c = 0; c < 3; c++, i++) out[i] = signal * this.base[i] + noise * this.eps[i];
    }
    return out;
  }

  // Raise the time by amount(place), at most to T. Where the restorer has worked the ink is no longer pure noise:
  // there the step is the forward process itself, x_t = a x_s + sqrt(n_t² − a² n_s²) z with a = s_t / s_s.
  ink(amount) {
    const { T, signalRate, noiseRate } = this.rates;
    let fresh = null;
    for (let p = 0; p < this.level.length; p++) {
      const before = this.level[p], after = Math.min(T, Math.round(before + amount(p)));
      if (after <= before) continue;
      this.level[p] = after;
      if (!this.touched[p] || !before) continue;
      fresh ??= this.fresh();
      const fade = signalRate[after] / signalRate[before];
      const more = Math.sqrt(Math.max(noiseRate[after] ** 2 - (fade * noiseRate[before]) ** 2, 0));
      for (let i = 3 * p; i < 3 * p + 3; i++)
        this.eps[i] = (fade * noiseRate[before] * this.eps[i] + more * fresh[i]) / noiseRate[after];
    }
  }

  deepest() { return this.level.reduce((most, t) => Math.max(most, t), 0); }

  // One DDIM step (Song et al. 2021, eta = 0): every place deeper than `to` goes there, the others wait.
  // guess: x0 of the restorer for what is seen now. Clean places get fresh ink for the next splash.
  stepDown(guess, to) {
    const { signalRate, noiseRate } = this.rates;
    const x = this.seen();
    let fresh = null;
    for (let p = 0; p < this.level.length; p++) {
      const t = this.level[p];
      if (t <= to) continue;
      for (let i = 3 * p; i < 3 * p + 3; i++) {
        this.base[i] = guess[i];
        this.eps[i] = (x[i] - signalRate[t] * guess[i]) / noiseRate[t];
      }
      if (to === 0) {
        fresh ??= this.fresh();
        this.eps.set(fresh.subarray(3 * p, 3 * p + 3), 3 * p);
      }
      this.touched[p] = 1;
      this.level[p] = to;
    }
  }

  // Means over the picture: the signal rate, and the root of the squared difference of what is seen from the lost one.
  amplitude() { return this.level.reduce((sum, t) => sum + this.rates.signalRate[t], 0) / this.level.length; }
  difference(x = this.seen()) { return Math.sqrt(x.reduce((sum, v, i) => sum + (v - this.clean[i]) ** 2, 0) / x.length); }
}

// How far he looks about a place, in pixels, for its time: far in deep ink, at the nearest brush strokes in thin ink.
export const reachOf = (t, T) => 1 + Math.round((20 * t) / T);

// The restorer: E[x_0 | the window about each place]. For him a work k stands for all pictures N(work_k, std² I), so
// x given k is N(s work_k, s² std² + n²) with each place's own s and n, and the log-weight of k is
// −Σ (x − s work_k)² / (2 (s² std² + n²)), summed over the window. `whole`: the window is the whole picture.
// Returns x0; weight (works × places); share, each work's mean weight over the inked places; open, the mean number
// of works still possible there (the exponential of the weights' entropy).
export function restore(x, level, works, side, rates, { std = 0.08, whole = false } = {}) {
  const { T, signalRate, noiseRate } = rates;
  const places = side * side, wide = side + 1;
  const signal = new Float64Array(places), half = new Float64Array(places), gain = new Float64Array(places);
  const corners = new Int32Array(4 * places); // the corners in the summed table
  for (let p = 0; p < places; p++) {
    const s = signalRate[level[p]], n = noiseRate[level[p]], variance = s * s * std * std + n * n;
    signal[p] = s;
    half[p] = 0.5 / variance;
    gain[p] = (s * std * std) / variance;
    const reach = whole ? side : reachOf(level[p], T), row = Math.floor(p / side), column = p % side;
    const top = wide * Math.max(row - reach, 0), bottom = wide * Math.min(row + reach + 1, side);
    const left = Math.max(column - reach, 0), right = Math.min(column + reach + 1, side);
    corners.set([bottom + right, top + right, bottom + left, top + left], 4 * p);
  }
  const weight = works.map((work) => misfits(x, work, signal, half, corners, side));
  const x0 = new Float32Array(3 * places), share = new Float64Array(works.length);
  let inked = 0, open = 0;
  for (let p = 0; p < places; p++) {
    let least = Infinity, sum = 0, entropy = 0;
    for (const w of weight) if (w[p] < least) least = w[p];
    for (const w of weight) sum += (w[p] = Math.exp(least - w[p]));
    const i = 3 * p;
    let r = 0, g = 0, b = 0;
    for (let k = 0; k < works.length; k++) {
      const w = (weight[k][p] /= sum);
      if (w < 1e-12) continue;
      r += w * works[k][i]; g += w * works[k][i + 1]; b += w * works[k][i + 2];
      if (level[p]) { share[k] += w; entropy -= w * Math.log(w); }
    }
    x0[i] = r + gain[p] * (x[i] - signal[p] * r);
    x0[i + 1] = g + gain[p] * (x[i + 1] - signal[p] * g);
    x0[i + 2] = b + gain[p] * (x[i + 2] - signal[p] * b);
    if (level[p]) { inked++; open += Math.exp(entropy); }
  }
  return { x0, weight, share: share.map((w) => w / Math.max(inked, 1)), open: inked ? open / inked : 0 };
}

// Minus the log-weight of one work at every place: a summed-area table, then four corners a window.
function misfits(x, work, signal, half, corners, side) {
  const wide = side + 1, table = new Float64Array(wide * wide), out = new Float64Array(side * side);
  for (let row = 0, p = 0, i = 0; row < side; row++) {
    let line = 0;
    for (let column = 0; column < side; column++, p++, i += 3) {
      const s = signal[p];
      const a = x[i] - s * work[i], b = x[i + 1] - s * work[i + 1], c = x[i + 2] - s * work[i + 2];
      line += half[p] * (a * a + b * b + c * c);
      table[(row + 1) * wide + column + 1] = table[row * wide + column + 1] + line;
    }
  }
  for (let p = 0, j = 0; p < out.length; p++, j += 4)
    out[p] = table[corners[j]] - table[corners[j + 1]] - table[corners[j + 2]] + table[corners[j + 3]];
  return out;
}

// Where a splash of the brush lands: one blot and a few droplets, (x, y, radius) in pixels, the same for one count.
export function blots(x, y, radius, count) {
  const draw = seededNormal(12, 77 + count);
  const all = [[x, y, radius]];
  for (let k = 0; k < 12; k += 3)
    all.push([x + 0.9 * radius * draw[k], y + 0.9 * radius * draw[k + 1], radius * (0.12 + 0.1 * Math.abs(draw[k + 2]))]);
  return all;
}

// The time that a splash adds at each place: `most` in the middle of a blot, nothing at its edge.
export function splashOf(list, side, most) {
  return (p) => {
    const column = (p % side) + 0.5, row = Math.floor(p / side) + 0.5;
    let added = 0;
    for (const [x, y, radius] of list) {
      const away = ((column - x) ** 2 + (row - y) ** 2) / (radius * radius);
      if (away < 1) added = Math.max(added, most * (1 - away * away));
    }
    return added;
  };
}
