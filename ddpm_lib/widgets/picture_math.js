// A picture on its way to noise, the pure part: the chain step by step, the jump, the way back, and statistics.

// The layers of the ziggurat (Marsaglia & Tsang 2000): 128 pieces of equal area under exp(-x²/2).
const LAYERS = (() => {
  const edge = 3.442619855899, area = 9.91256303526217e-3;
  const wide = new Float64Array(129), tall = new Float64Array(129);
  const height = (x) => Math.exp(-0.5 * x * x);
  wide[0] = area / height(edge); // the base layer with its tail, as wide as its area asks
  wide[1] = edge;
  for (let i = 2; i < 128; i++) wide[i] = Math.sqrt(-2 * Math.log(area / wide[i - 1] + height(wide[i - 1])));
  for (let i = 0; i < 129; i++) tall[i] = height(wide[i]);
  return { edge, wide, tall };
})();

// The chain's step: x becomes keep·x + add·z in place, z standard normal, drawn from the seed and the number of the
// step alone. Each step has 2^17 numbers of one counter to itself: steps never share a draw, and can be drawn again.
export function noiseStep(x, keep, add, seed, step) {
  const { edge, wide, tall } = LAYERS;
  let state = (Math.imul(seed, 0x9e3779b9) + Math.imul(Math.imul(step, 131072), 0x6d2b79f5)) >>> 0;
  const bits = () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return z ^ (z >>> 14);
  };
  const uniform = () => ((bits() >>> 0) + 0.5) / 4294967296;
  for (let i = 0; i < x.length; i++) {
    let z = 0;
    for (;;) {
      const word = bits(), layer = word & 127;
      z = ((word >> 7) / 16777216) * wide[layer]; // 25 signed bits: uniform in ±width
      if (Math.abs(z) < wide[layer + 1]) break; // wholly under the curve: 99 of 100 end here
      if (layer === 0) { // beyond the edge: Marsaglia's tail
        let far = 0, other = 0;
        do {
          far = -Math.log(uniform()) / edge;
          other = -Math.log(uniform());
        } while (2 * other < far * far);
        z = z > 0 ? edge + far : -edge - far;
        break;
      }
      if (tall[layer] + uniform() * (tall[layer + 1] - tall[layer]) < Math.exp(-0.5 * z * z)) break;
    }
    x[i] = keep * x[i] + add * z;
  }
}

// x_t = sqrt(1 − β_t) x_{t−1} + sqrt(β_t) z_t (Ho et al. 2020, eq. 2), walked step by step. root: false forgets the
// first root. A frame is kept every few steps, so going back, or forth again, takes at most that many steps.
export class Chain {
  constructor(clean, beta, seed, { root = true, every = 25 } = {}) {
    Object.assign(this, { beta, seed, root, every, t: 0, x: Float32Array.from(clean) });
    this.kept = [Float32Array.from(clean)]; // frame k stands at t = k · every
  }

  // Walk towards t until it is reached or enough() says stop; returns where the chain stands.
  go(t, enough = () => false) {
    const near = Math.min(Math.floor(t / this.every), this.kept.length - 1);
    if (t < this.t || near * this.every > this.t) {
      this.t = near * this.every;
      this.x.set(this.kept[near]);
    }
    while (this.t < t) {
      this.t++;
      const beta = this.beta[this.t];
      noiseStep(this.x, this.root ? Math.sqrt(1 - beta) : 1, Math.sqrt(beta), this.seed, this.t);
      if (this.t === this.kept.length * this.every) this.kept.push(Float32Array.from(this.x));
      if (enough()) break;
    }
    return this.t;
  }
}

// x_t in one jump: signal x_0 + noise eps (eq. 4).
export function jump(clean, eps, signal, noise, out = new Float32Array(clean.length)) {
  for (let i = 0; i < out.length; i++) out[i] = signal * clean[i] + noise * eps[i];
  return out;
}

// The way back in one stroke, x_0 = (x_t − noise eps') / signal, with a guess eps' = eps + error·other.
export function strokeBack(x, eps, other, error, signal, noise, out = new Float32Array(x.length)) {
  for (let i = 0; i < out.length; i++) out[i] = (x[i] - noise * (eps[i] + error * other[i])) / signal;
  return out;
}

// Mean and standard deviation of all values.
export function moments(x) {
  let sum = 0, squares = 0;
  for (let i = 0; i < x.length; i++) { sum += x[i]; squares += x[i] * x[i]; }
  const mean = sum / x.length;
  return { mean, std: Math.sqrt(Math.max(squares / x.length - mean * mean, 0)) };
}

// What the jump's formula says about the two: the picture's own, faded, and the variance of the noise.
export const promised = (clean, signal, noise) => ({
  mean: signal * clean.mean, std: Math.sqrt((signal * clean.std) ** 2 + noise * noise),
});

// The chain's without the root: variances only add up.
export const promisedWithout = (clean, beta, t) => ({
  mean: clean.mean, std: Math.sqrt(clean.std ** 2 + beta.slice(1, t + 1).reduce((sum, b) => sum + b, 0)),
});

// Share of the values in each of n equal bins over −reach..reach, as a density; values beyond fall out.
export function histogram(x, reach, n = 80) {
  const bins = new Float64Array(n), scale = n / (2 * reach);
  for (let i = 0; i < x.length; i++) {
    const k = Math.floor((x[i] + reach) * scale);
    if (k >= 0 && k < n) bins[k]++;
  }
  return bins.map((count) => (count * scale) / x.length);
}

export function rms(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum / a.length);
}

// The square in the middle of a picture: where it begins, and its side.
export const middle = (width, height) => {
  const side = Math.min(width, height);
  return [Math.floor((width - side) / 2), Math.floor((height - side) / 2), side];
};
