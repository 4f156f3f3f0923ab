// The numbers behind the one-dimensional figure's pictures: the family of densities on a grid, bars, ticks.
import { marginal } from "./density_math.js";

export const REACH = 3.2; // the common x axis runs from −REACH to REACH, upwards
export const FOOT = 20; // pixels under a panel for its words
export const GRID = { columns: 150, rows: 110 };

// How dark a density is drawn: it saturates, so that a needle does not make all else pale.
export const darkness = (density) => 1 - Math.exp(-1.5 * density);

// The family q(x_t) as darkness in 0..1, row by row from the top (x = REACH), columns from t = 0 to T.
export function familyOf(mixture, schedule, columns, rows) {
  const levels = new Float32Array(columns * rows);
  const density = new Float64Array(rows);
  for (let c = 0; c < columns; c++) {
    const now = marginal(mixture, schedule, Math.round((schedule.T * c) / (columns - 1)));
    density.fill(0);
    for (let k = 0; k < now.weight.length; k++) addBell(density, now.weight[k], now.mean[k], now.std[k]);
    for (let r = 0; r < rows; r++) levels[r * columns + c] = darkness(density[r]);
  }
  return levels;
}

// Add one bell to a column. On an even grid each value follows from its neighbour by a factor, which itself changes
// by a constant factor: e^(−(z+h)²/2) = e^(−z²/2) e^(−zh−h²/2). So a bell costs three exponentials, not one a row.
function addBell(density, weight, mean, std) {
  const rows = density.length;
  const h = (2 * REACH) / rows / std;
  const first = Math.min(Math.max(Math.round(((REACH - mean) * rows) / (2 * REACH) - 0.5), 0), rows - 1);
  const z = (REACH * (1 - (2 * (first + 0.5)) / rows) - mean) / std;
  const top = (weight / (std * Math.sqrt(2 * Math.PI))) * Math.exp(-0.5 * z * z);
  const change = Math.exp(-h * h);
  for (const way of [-1, 1]) { // row − 1 lies higher: z grows by h
    let [value, factor] = [top, Math.exp(way * z * h - 0.5 * h * h)];
    for (let r = first; r >= 0 && r < rows && value > 1e-7; r += way) {
      if (r !== first || way === 1) density[r] += value;
      value *= factor;
      factor *= change;
    }
  }
}

// Counts of walkers in equal bins over −REACH..REACH, as a density.
export function histogram(places, bins) {
  const [heights, width] = [new Float64Array(bins), (2 * REACH) / bins];
  for (const x of places) {
    const bin = Math.floor((x + REACH) / width);
    if (bin >= 0 && bin < bins) heights[bin] += 1 / (places.length * width);
  }
  return heights;
}

// Round numbers for an axis from low to high: about three of them.
export function ticksOf(low, high) {
  const raw = (high - low) / 3;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].reduce((a, b) => (Math.abs(b * unit - raw) < Math.abs(a * unit - raw) ? b : a));
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(Number((k * step).toPrecision(6)));
  return ticks;
}

// A number as readers write it, with a true minus.
export const minus = (text) => String(text).replace("-", "−");
