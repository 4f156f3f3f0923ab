// The samplers of ddpm_lib/samplers.py for the page, with its grids, its guesses, clipping and guidance.
//
// A sampler is a generator that asks and tells. It yields { step: { t, x, x0 } } for the untouched start and after
// every step, and { ask: { t, x } } where it wants a guess: answer next({ x0, eps }). So one and the same sampler
// serves an exact denoiser, which answers at once, and a network, which answers later. Arithmetic is float64.

// ---- grids: decreasing whole times, T first, 0 last ------------------------

// Ties go to the even number, as in Python and in torch.
const roundEven = (v) => {
  const low = Math.floor(v);
  const rest = v - low;
  return rest < 0.5 ? low : rest > 0.5 ? low + 1 : low + (low % 2);
};

function checkSteps(table, n) {
  if (!Number.isInteger(n) || n < 1 || n > table.T)
    throw new RangeError(`the number of steps must lie in 1..${table.T} (T of this schedule), got ${n}.`);
}

// n + 1 times, evenly spaced in t. Counted from the nearer end, as torch.linspace does: where a time lies half way
// between two whole ones, the last bit decides which of them it becomes.
export function evenTimes(table, n) {
  checkSteps(table, n);
  const step = table.T / n, half = Math.floor((n + 1) / 2);
  return Array.from({ length: n + 1 }, (_, i) => roundEven(i < half ? table.T - step * i : step * (n - i)));
}

// n + 1 times, evenly spaced in log-SNR down to t = 1, then 0.
export function logsnrTimes(table, n) {
  checkSteps(table, n);
  return snap(table.logSnr, n);
}

// n + 1 times, even in sigma^(1/rho): Karras et al. 2022, eq. 5.
export function karrasTimes(table, n, rho = 7) {
  checkSteps(table, n);
  return snap(Float64Array.from(table.alphaBar, (a) => Math.sqrt(1 / a - 1) ** (1 / rho)), n);
}

// The n times whose level (monotone in t) is nearest to an even grid, pushed apart where two would meet; then 0.
function snap(level, n) {
  const T = level.length - 1;
  const times = [];
  for (let i = 0; i < n; i++) {
    const wanted = n === 1 ? level[T] : level[T] + ((level[1] - level[T]) * i) / (n - 1);
    let nearest = 1;
    for (let t = 2; t <= T; t++) if (Math.abs(level[t] - wanted) < Math.abs(level[nearest] - wanted)) nearest = t;
    const below = times.length ? times.at(-1) - 1 : T;
    times.push(Math.max(Math.min(nearest, below), n - i));
  }
  return [...times, 0];
}

// ---- guesses ---------------------------------------------------------------

// Both views from the one that a network gave; predicts: "eps", "x0" or "v" (Salimans & Ho 2022, appendix D).
export function guessFrom(predicts, output, table, x, t) {
  const signal = table.signalRate[t], noise = table.noiseRate[t];
  const each = (formula) => Float64Array.from(x, (value, i) => formula(value, output[i]));
  if (predicts === "eps") return { x0: each((v, o) => (v - noise * o) / signal), eps: Float64Array.from(output) };
  if (predicts === "x0") return { x0: Float64Array.from(output), eps: each((v, o) => (v - signal * o) / noise) };
  if (predicts === "v")
    return { x0: each((v, o) => signal * v - noise * o), eps: each((v, o) => noise * v + signal * o) };
  throw new Error(`predicts must be "eps", "x0" or "v", got "${predicts}".`);
}

// The guess with x0 held in [low, high]; the noise is told again from it, so that both stay one guess.
export function clipped(guess, table, x, t, low = -1, high = 1) {
  return guessFrom("x0", guess.x0.map((v) => Math.min(Math.max(v, low), high)), table, x, t);
}

// Classifier-free guidance (Ho & Salimans 2022): u + scale (c − u), in both views alike; scale 1 is none.
export function guided(conditional, unconditional, scale) {
  const mix = (c, u) => Float64Array.from(c, (value, i) => u[i] + scale * (value - u[i]));
  return { x0: mix(conditional.x0, unconditional.x0), eps: mix(conditional.eps, unconditional.eps) };
}

// E[x_0 | x_t] for data that is known: points (N rows of dim numbers), each as likely as the other.
export function exactDenoiser(points, dim, table) {
  const N = points.length / dim;
  const weight = new Float64Array(N);
  return (x, t) => {
    const signal = table.signalRate[t], noise = table.noiseRate[t];
    const x0 = new Float64Array(x.length);
    for (let row = 0; row < x.length; row += dim) {
      let most = -Infinity, total = 0;
      for (let k = 0; k < N; k++) {
        let distance = 0;
        for (let d = 0; d < dim; d++) distance += (x[row + d] - signal * points[k * dim + d]) ** 2;
        weight[k] = -distance / (2 * noise * noise);
        if (weight[k] > most) most = weight[k];
      }
      for (let k = 0; k < N; k++) total += weight[k] = Math.exp(weight[k] - most);
      for (let k = 0; k < N; k++)
        for (let d = 0; d < dim; d++) x0[row + d] += (weight[k] / total) * points[k * dim + d];
    }
    return guessFrom("x0", x0, table, x, t);
  };
}

// ---- samplers --------------------------------------------------------------

// Variance that the chain adds on its way from s to t; beta_t itself where s = t − 1.
const stepVariance = (table, t, s) => (s === t - 1 ? table.beta[t] : 1 - table.alphaBar[t] / table.alphaBar[s]);

// Ancestral sampling: DDPM Algorithm 2, by the posterior of eq. 6–7. normal(n): n fresh draws of N(0, 1).
export function* ddpm(table, x, times, { variance = "posterior", normal }) {
  yield { step: { t: times[0], x, x0: null } };
  for (let i = 0; i + 1 < times.length; i++) {
    const t = times[i], s = times[i + 1];
    const { x0 } = yield { ask: { t, x } };
    const abarT = table.alphaBar[t], abarS = table.alphaBar[s], beta = stepVariance(table, t, s);
    const ofX0 = (Math.sqrt(abarS) * beta) / (1 - abarT);
    const ofX = (Math.sqrt(1 - beta) * (1 - abarS)) / (1 - abarT);
    // At s = 0 the variance is 0 by arithmetic: the last step adds no noise.
    const spread = Math.sqrt(variance === "beta" && s > 0 ? beta : (beta * (1 - abarS)) / (1 - abarT));
    const z = normal(x.length);
    x = Float64Array.from(x, (v, j) => ofX0 * x0[j] + ofX * v + spread * z[j]);
    yield { step: { t: s, x, x0 } };
  }
}

// Song, Meng & Ermon 2021, eq. 12 and 16; eta = 0 is deterministic, eta = 1 is DDPM.
export function* ddim(table, x, times, { eta = 0, normal } = {}) {
  yield { step: { t: times[0], x, x0: null } };
  for (let i = 0; i + 1 < times.length; i++) {
    const t = times[i], s = times[i + 1];
    const { x0, eps } = yield { ask: { t, x } };
    const abarT = table.alphaBar[t], abarS = table.alphaBar[s];
    const variance = (eta ** 2 * stepVariance(table, t, s) * (1 - abarS)) / (1 - abarT);
    const signal = Math.sqrt(abarS), kept = Math.sqrt(Math.max(1 - abarS - variance, 0)), fresh = Math.sqrt(variance);
    const z = eta > 0 ? normal(x.length) : null;
    x = Float64Array.from(x0, (v, j) => signal * v + kept * eps[j] + (z ? fresh * z[j] : 0));
    yield { step: { t: s, x, x0 } };
  }
}

// Karras et al. 2022, Algorithm 1, without churn: two guesses a step, one on the last.
export function* heun(table, x, times) {
  yield { step: { t: times[0], x, x0: null } };
  const sigma = (t) => table.noiseRate[t] / table.signalRate[t];
  for (let i = 0; i + 1 < times.length; i++) {
    const t = times[i], s = times[i + 1];
    const { x0, eps } = yield { ask: { t, x } };
    const width = sigma(s) - sigma(t), before = table.signalRate[t], after = table.signalRate[s];
    const go = (slope) => Float64Array.from(x, (v, j) => after * (v / before + width * slope[j]));
    let slope = eps;
    if (s > 0) {
      // Look one step ahead, and go with the mean of the two slopes.
      const ahead = yield { ask: { t: s, x: go(eps) } };
      slope = Float64Array.from(eps, (v, j) => (v + ahead.eps[j]) / 2);
    }
    x = go(slope);
    yield { step: { t: s, x, x0 } };
  }
}

// DPM-Solver++(2M): Lu et al. 2022, Algorithm 2. It continues the line through its last two guesses of x0.
export function* dpmpp(table, x, times) {
  yield { step: { t: times[0], x, x0: null } };
  let last = null, lastWidth = 0;
  for (let i = 0; i + 1 < times.length; i++) {
    const t = times[i], s = times[i + 1];
    const { x0 } = yield { ask: { t, x } };
    const width = (table.logSnr[s] - table.logSnr[t]) / 2;
    const previous = last, bend = previous && s > 0 ? width / lastWidth / 2 : 0;
    const ofX = table.noiseRate[s] / table.noiseRate[t], ofX0 = -table.signalRate[s] * Math.expm1(-width);
    x = Float64Array.from(x, (v, j) => ofX * v + ofX0 * (x0[j] + (bend ? bend * (x0[j] - previous[j]) : 0)));
    [last, lastWidth] = [x0, width];
    yield { step: { t: s, x, x0 } };
  }
}

// ---- drivers ---------------------------------------------------------------

// Run a sampler with a denoiser that answers at once; returns its steps.
export function walk(sampler, denoise, onStep) {
  const steps = [];
  for (let said = sampler.next(); !said.done; ) {
    if (said.value.ask) {
      said = sampler.next(denoise(said.value.ask.x, said.value.ask.t));
      continue;
    }
    steps.push(said.value.step);
    onStep?.(said.value.step);
    said = sampler.next();
  }
  return steps;
}

// The same with a denoiser that promises; it stops early, with the steps so far, when onStep returns false.
export async function walkLater(sampler, denoise, onStep) {
  const steps = [];
  for (let said = sampler.next(); !said.done; ) {
    if (said.value.ask) {
      said = sampler.next(await denoise(said.value.ask.x, said.value.ask.t));
      continue;
    }
    steps.push(said.value.step);
    if ((await onStep?.(said.value.step)) === false) break;
    said = sampler.next();
  }
  return steps;
}
