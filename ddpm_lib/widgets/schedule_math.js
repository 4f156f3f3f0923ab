// Noise schedules as ddpm_lib/schedules.py has them: pure functions, checked against it by the tests.

export const KINDS = ["linear", "cosine", "scaled-linear"];

function linspace(from, to, n) {
  return Float64Array.from({ length: n }, (_, i) => (n === 1 ? from : from + ((to - from) * i) / (n - 1)));
}

// T + 1 variances, beta[0] = 0. The cosine kind has no betas of its own: it ignores start and end.
export function betas(kind, T, start, end) {
  const beta = new Float64Array(T + 1);
  if (kind === "linear") {
    beta.set(linspace(start, end, T), 1);
  } else if (kind === "scaled-linear") {
    beta.set(linspace(Math.sqrt(start), Math.sqrt(end), T).map((root) => root * root), 1);
  } else if (kind === "cosine") {
    const level = (t) => Math.cos(((t / T + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
    for (let t = 1; t <= T; t++) beta[t] = Math.min(1 - level(t) / level(t - 1), 0.999);
  } else {
    throw new Error(`unknown kind of schedule "${kind}"; known: ${KINDS.join(", ")}`);
  }
  return beta;
}

// Everything the figures draw, from the T + 1 variances: tables of T + 1 numbers, where SNR = 1, what is left at T.
export function tablesOf(beta) {
  const T = beta.length - 1;
  const alphaBar = new Float64Array(T + 1);
  alphaBar[0] = 1;
  for (let t = 1; t <= T; t++) alphaBar[t] = alphaBar[t - 1] * (1 - beta[t]);
  const snr = alphaBar.map((a) => a / (1 - a));
  const half = alphaBar.findIndex((a) => a <= 0.5);
  return {
    T, beta, alphaBar, snr,
    signalRate: alphaBar.map(Math.sqrt),
    noiseRate: alphaBar.map((a) => Math.sqrt(1 - a)),
    logSnr: snr.map(Math.log),
    tAtSnrOne: half < 0 ? null : half, // the first t with at least as much noise as signal
    amplitudeLeft: Math.sqrt(alphaBar[T]),
  };
}

export function schedule(kind, T, start, end) {
  return tablesOf(betas(kind, T, start, end));
}
