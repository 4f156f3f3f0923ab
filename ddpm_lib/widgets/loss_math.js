// The loss over time, without a page: axes, gaps to the floor, and what an example's error implies.

// ---- axes --------------------------------------------------------------------

// The share of an axis at which a value stands, low 0 and high 1; values outside are held at the ends.
export function placeOn({ low, high, log }, value) {
  const bend = log ? Math.log : (x) => x;
  const held = Math.min(Math.max(value, low), high);
  return (bend(held) - bend(low)) / (bend(high) - bend(low));
}

const BOTTOM = 1e-5; // smaller losses leave a logarithmic picture

// The axis of t: from 0, or from 1 where it is logarithmic.
export const timeAxis = (view, log) => ({ low: log ? 1 : 0, high: roundUp(Math.max(...curvesOf(view).map((c) => c.t.at(-1)))), log });

// The axis of the loss of a view.
export function lossAxis(view, log) {
  const all = curvesOf(view).flatMap((curve) => curve.loss);
  const top = Math.max(...all);
  if (!log) return { low: 0, high: roundUp(1.02 * top), log };
  const least = Math.min(...all.filter((x) => x > 0));
  const high = 1.15 * top;
  return { low: Math.max(Math.min(least, high / 10) * 0.8, BOTTOM), high, log };
}

function roundUp(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((k) => k * unit).find((x) => x >= value * (1 - 1e-9));
}

// Round numbers along an axis: powers of ten, or about four even steps.
export function ticksOn({ low, high, log }) {
  if (log) {
    const from = Math.ceil(Math.log10(low) - 1e-9), to = Math.floor(Math.log10(high) + 1e-9);
    return Array.from({ length: to - from + 1 }, (_, k) => 10 ** (from + k));
  }
  const unit = 10 ** Math.floor(Math.log10(high));
  const step = [0.2, 0.25, 0.5, 1, 2.5].map((k) => k * unit).find((s) => high / s <= 4.01) ?? 2.5 * unit;
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, k) => Number((k * step).toPrecision(6)));
}

// ---- curves --------------------------------------------------------------------

export const curvesOf = (view) => (view.floor ? [...view.curves, view.floor] : view.curves);

// Those who can be asked: who left answers, or where nobody did, each curve.
export const namesOf = (view) => (view.examples ? view.examples.answers : view.curves).map((one) => one.name);

// A curve's value at t, straight between its times, held at its ends.
export function valueAt(curve, t) {
  const k = Math.min(Math.max(curve.t.findIndex((time) => time >= t), 1), curve.t.length - 1);
  if (t >= curve.t.at(-1)) return curve.loss.at(-1);
  const share = Math.min(Math.max((t - curve.t[k - 1]) / (curve.t[k] - curve.t[k - 1]), 0), 1);
  return curve.loss[k - 1] + share * (curve.loss[k] - curve.loss[k - 1]);
}

// The mean of a curve over t, evenly over from..to.
export function meanOver(curve, from, to) {
  const times = [from, ...curve.t.filter((t) => t > from && t < to), to];
  let area = 0;
  for (let k = 1; k < times.length; k++)
    area += ((times[k] - times[k - 1]) * (valueAt(curve, times[k - 1]) + valueAt(curve, times[k]))) / 2;
  return area / (to - from);
}

// How far a curve lies above the floor, as a share of the curve: at t and over all times both know.
export function gapTo(curve, floor, t) {
  const from = Math.max(curve.t[0], floor.t[0]), to = Math.min(curve.t.at(-1), floor.t.at(-1));
  const here = valueAt(curve, t), mean = meanOver(curve, from, to);
  const part = (whole, low) => (whole > 0 ? (whole - low) / whole : 0);
  return { here: part(here, valueAt(floor, t)), mean, floorMean: meanOver(floor, from, to),
    overall: part(mean, meanOver(floor, from, to)) };
}

// The path of a curve over both axes, in a box of the given size; what lies below the axis is left out.
export function curvePath(curve, x, y, width, height) {
  const inside = (k) => curve.loss[k] >= y.low;
  let d = "", drawn = false;
  curve.t.forEach((_, k) => {
    const near = inside(k) || (k > 0 && inside(k - 1)) || (k + 1 < curve.t.length && inside(k + 1));
    if (near) d += `${drawn ? "L" : "M"}${spot(curve, k, x, y, width, height)}`;
    drawn = near && (inside(k) || !drawn); // down through the bottom a line ends
  });
  return d;
}

const spot = (curve, k, x, y, width, height) =>
  `${(width * placeOn(x, curve.t[k])).toFixed(1)} ${(height * (1 - placeOn(y, curve.loss[k]))).toFixed(1)}`;

// The closed path between a curve and the floor, where the curve is the higher of the two.
export function gapPath(curve, floor, x, y, width, height) {
  const times = curve.t.filter((t) => t >= floor.t[0] && t <= floor.t.at(-1));
  const low = { t: times, loss: times.map((t) => valueAt(floor, t)) };
  const high = { t: times, loss: times.map((t, k) => Math.max(valueAt(curve, t), low.loss[k])) };
  const along = (one) => times.map((_, k) => spot(one, k, x, y, width, height));
  return `M${[...along(high), ...along(low).reverse()].join("L")}Z`;
}

// The times one can stop at in a view: those of its examples, else of its curves.
export const stopsOf = (view) =>
  view.examples?.times ?? [...new Set(curvesOf(view).flatMap((curve) => curve.t))].sort((a, b) => a - b);

// The stop nearest to a share of the axis, as the eye sees it.
export function nearestStop(stops, axis, share) {
  const far = (k) => Math.abs(placeOn(axis, stops[k]) - share);
  return stops.reduce((best, _, k) => (far(k) < far(best) ? k : best), 0);
}

// The stop nearest to a time.
export const stopAt = (stops, t) => stops.reduce((best, one, k) => (Math.abs(one - t) < Math.abs(stops[best] - t) ? k : best), 0);

// ---- examples ------------------------------------------------------------------

// What one sample's error at one time implies. All arrays of one length; error = guess − eps.
// seen = signal x0 + noise eps; said = eps + error; the data it implies = x0 − error noise / signal.
export function implied(x0, eps, error, [signal, noise]) {
  const size = x0.length, ratio = noise / signal;
  const seen = new Float32Array(size), said = new Float32Array(size), guess = new Float32Array(size);
  let squared = 0;
  for (let i = 0; i < size; i++) {
    seen[i] = signal * x0[i] + noise * eps[i];
    said[i] = eps[i] + error[i];
    guess[i] = x0[i] - ratio * error[i];
    squared += error[i] ** 2;
  }
  return { seen, said, guess, ratio, squared: squared / size };
}

// The error of sample i at time k out of a sheet's bytes (128 is 0, ±127 is the size of this cell).
export function errorOf(sheet, sizes, k, i, count, area) {
  const cell = k * count + i;
  return Float32Array.from({ length: area }, (_, j) =>
    ((Math.round(127.5 * (sheet[cell * area + j] + 1)) - 128) / 127) * sizes[cell]);
}

// A round factor that makes the largest of some errors about 3, as large as noise gets.
export function magnified(error) {
  const largest = error.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (largest < 1e-9) return 1;
  const factor = 3 / largest;
  if (factor <= 1.5) return 1;
  const unit = 10 ** Math.floor(Math.log10(factor));
  return [5, 2, 1].map((k) => k * unit).find((x) => x <= factor * 1.001);
}
