// The pictures of the one-dimensional figure: the density at time 0, the map of all times, the density now, one step back.
import { crisp } from "./figure.js";
import { bell, bestGuess, densityAt, momentsOf, placeAt } from "./density_math.js";
import { familyOf, FOOT, GRID, minus, REACH, ticksOf } from "./density_grid.js";

// The figure's own colours at this moment, in light or dark.
export function paletteOf(el) {
  const style = getComputedStyle(el);
  const names = ["ink", "muted", "rule", "panel", "signal", "middle", "noise", "plum", "signal-soft", "noise-soft"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--ddpm-${name}`).trim()]));
}

const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

function painted(levels, columns, rows, palette) {
  const stops = ["panel", "signal-soft", "signal", "ink"].map((name) => channels(palette[name]));
  const image = new ImageData(columns, rows);
  for (let i = 0; i < levels.length; i++) {
    const place = Math.min(levels[i] * 3, 2.999);
    const [k, share] = [Math.floor(place), place % 1];
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = stops[k][c] + share * (stops[k + 1][c] - stops[k][c]);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

// The heat map as a small canvas, painted again only for another density or theme.
export function heatMap() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [GRID.columns, GRID.rows];
  let [levels, of, colours] = [null, null, ""];
  return (mixture, schedule, palette) => {
    const key = Object.values(palette).join();
    if (of === mixture && colours === key) return canvas;
    if (of !== mixture) levels = familyOf(mixture, schedule, GRID.columns, GRID.rows);
    [of, colours] = [mixture, key];
    canvas.getContext("2d").putImageData(painted(levels, GRID.columns, GRID.rows, palette), 0, 0);
    return canvas;
  };
}

// A pen for one panel, cleared, with its place on the x axis.
function board(canvas, palette, backdrop = true) {
  const { pen, width, height: whole } = crisp(canvas);
  const height = whole - FOOT;
  const y = (x) => (height * (REACH - x)) / (2 * REACH);
  if (backdrop) { pen.fillStyle = palette.panel; pen.fillRect(0, 0, width, height); }
  pen.font = "11px system-ui, sans-serif";
  pen.lineJoin = "round";
  const line = (path, colour, wide = 1, dash = []) => {
    pen.beginPath();
    path.forEach(([a, b], i) => (i ? pen.lineTo(a, b) : pen.moveTo(a, b)));
    [pen.strokeStyle, pen.lineWidth] = [colour, wide];
    pen.setLineDash(dash);
    pen.stroke();
    pen.setLineDash([]);
  };
  const dot = (a, b, radius, colour, ring) => {
    pen.beginPath();
    pen.arc(a, b, radius, 0, 7);
    pen.fillStyle = colour;
    pen.fill();
    if (ring) { [pen.strokeStyle, pen.lineWidth] = [ring, 1.5]; pen.stroke(); }
  };
  const words = (text, a, b, align = "left", colour = palette.muted) => {
    [pen.fillStyle, pen.textAlign] = [colour, align];
    pen.fillText(text, a, b);
  };
  return { pen, width, height, y, line, dot, words };
}

// A density that grows to the right from the line x = 0 of its panel.
function sideways({ pen, width, height, y, line }, density, top, { fill, stroke, dash, alpha = 1, fine = 1 }) {
  const path = [];
  for (let p = 0; p <= height * fine; p++) {
    const x = REACH * (1 - (2 * p) / (height * fine));
    path.push([Math.min(density(x) / top, 1.2) * (width - 4), y(x)]);
  }
  pen.globalAlpha = alpha;
  if (fill) {
    pen.beginPath();
    pen.moveTo(0, 0);
    for (const [a, b] of path) pen.lineTo(a, b);
    pen.lineTo(0, height);
    pen.fillStyle = fill;
    pen.fill();
  }
  pen.globalAlpha = 1;
  if (stroke) line(path, stroke, dash ? 1.5 : 1.8, dash);
}

function rules({ line, y, width, words }, palette, named) {
  for (const x of [-2, 0, 2]) {
    line([[0, y(x)], [width, y(x)]], palette.rule);
    if (named) words(minus(x), width - 4, y(x) - 4, "right");
  }
}

// Time 0: the data, and in orange what is known of x_0 once x_t was seen. The pad on which the reader draws.
export function drawPad(canvas, palette, { mixture, top, posterior, guess, bin }) {
  const panel = board(canvas, palette);
  rules(panel, palette, true);
  sideways(panel, (x) => densityAt(mixture, x), top,
    { fill: palette["signal-soft"], stroke: palette.signal, alpha: posterior ? 0.5 : 1, fine: 2 });
  if (posterior) {
    const { std, mean } = posterior;
    const peak = Math.max(...mean.map((m) => densityAt(posterior, m)));
    if (std.length) sideways(panel, (x) => densityAt(posterior, x), peak * 1.1,
      { fill: palette["noise-soft"], stroke: palette.noise, alpha: 0.75, fine: 8 });
    panel.line([[0, panel.y(guess)], [panel.width, panel.y(guess)]], palette.noise, 1.5, [5, 3]);
    panel.dot(5, panel.y(guess), 4.5, palette.noise, palette.panel);
  }
  if (bin !== null) panel.line([[0, panel.y(bin)], [panel.width, panel.y(bin)]], palette.ink, 1.5);
  panel.words("t = 0", 2, panel.height + 15);
}

// All times at once, with what the view asks for: walkers, arrows of the score, or the picked point and its guess.
export function drawMap(canvas, palette, scene) {
  const { heat, mixture, schedule, t, x, view, arrows, walk, guess } = scene;
  const panel = board(canvas, palette, false);
  const { pen, width, height, y, line, dot, words } = panel;
  const across = (time) => (width * time) / schedule.T;
  pen.imageSmoothingEnabled = true;
  pen.drawImage(heat, 0, 0, width, height);
  pen.save();
  pen.beginPath();
  pen.rect(0, 0, width, height);
  pen.clip();
  if (view === "samples" && walk) drawWalk(panel, palette, walk, t, across);
  if (arrows) drawArrows(panel, palette, mixture, schedule, t, across);
  line([[across(t), 0], [across(t), height]], palette.ink, 1);
  if (view === "posterior") {
    line([[across(t), y(x)], [0, y(guess)]], palette.noise, 1.8, [5, 3]);
    dot(across(t), y(x), 5.5, palette.ink, palette.panel);
  }
  pen.restore();
  words("0", 0, height + 15);
  words(String(schedule.T), width, height + 15, "right");
  const label = `t = ${Math.round(t)}`;
  if (across(t) > 30 && across(t) < width - 45) words(label, across(t), height + 15, "center", palette.ink);
}

function drawWalk({ pen, y, line, dot }, palette, { times, frames, shown, colour }, t, across) {
  const stride = Math.max(1, Math.floor(frames.length / 250));
  const falling = times[0] > times[times.length - 1];
  const place = placeAt(times, frames, t, new Float64Array(frames[0].length));
  for (const i of shown) {
    const [whole, passed] = [[], []];
    for (let k = 0; k < frames.length; k += stride) {
      const point = [across(times[k]), y(frames[k][i])];
      whole.push(point);
      if (falling ? times[k] >= t : times[k] <= t) passed.push(point);
    }
    const end = frames.length - 1;
    whole.push([across(times[end]), y(frames[end][i])]);
    passed.push([across(t), y(place[i])]);
    pen.globalAlpha = 0.14;
    line(whole, palette[colour], 1);
    pen.globalAlpha = 0.65;
    line(passed, palette[colour], 1);
  }
  pen.globalAlpha = 1;
  for (const i of shown) dot(across(t), y(place[i]), 2.6, palette[colour], palette.panel);
}

// The score times the noise rate, −ε: towards more data. Long at the edges, nothing where x_t says nothing.
function drawArrows({ pen, y, line, height }, palette, mixture, schedule, t, across) {
  const unit = height / 26;
  const column = (time, alpha) => {
    pen.globalAlpha = alpha;
    for (let x = -2.8; x <= 2.81; x += 0.4) {
      const { eps } = bestGuess(mixture, schedule, x, time);
      const reach = Math.max(-2.4, Math.min(2.4, -eps)) * unit;
      if (Math.abs(reach) < 1) continue;
      const [a, tip, side] = [across(time), y(x) - reach, Math.sign(reach) * Math.min(4, Math.abs(reach))];
      line([[a, y(x)], [a, tip]], palette.ink, 1.3);
      line([[a - 2.6, tip + side], [a, tip], [a + 2.6, tip + side]], palette.ink, 1.3);
    }
    pen.globalAlpha = 1;
  };
  for (let i = 1; i < 14; i++) column(Math.max(Math.round((schedule.T * i) / 14), 1), 0.4);
  column(Math.max(Math.round(t), 1), 1);
}

// The density at t, N(0, 1) dashed, and the walkers as bars.
export function drawNow(canvas, palette, { now, t, bars, colour, x }) {
  const panel = board(canvas, palette);
  rules(panel, palette, false);
  const peak = Math.max(...now.mean.map((m) => densityAt(now, m)));
  const top = 1.08 * Math.max(peak, 0.42);
  sideways(panel, (v) => densityAt(now, v), top, { fill: palette["signal-soft"], stroke: palette.signal, fine: 2 });
  if (bars) {
    const tall = panel.height / bars.length;
    panel.pen.globalAlpha = 0.55;
    panel.pen.fillStyle = palette[colour === "ink" ? "muted" : colour];
    bars.forEach((h, i) => panel.pen.fillRect(0, panel.height - (i + 1) * tall + 0.5,
      Math.min(h / top, 1) * (panel.width - 4), tall - 1));
    panel.pen.globalAlpha = 1;
  }
  sideways(panel, (v) => bell(v, 0, 1), top, { stroke: palette.ink, dash: [4, 4] });
  if (x !== null) panel.dot(5, panel.y(x), 4.5, palette.ink, palette.panel);
  panel.words(`t = ${Math.round(t)}`, 2, panel.height + 15, "left", palette.ink);
}

// One step back: q(x_s | x_t) filled, the Gaussian of the same mean and variance dashed.
export function drawStep(canvas, palette, step) {
  const { pen, width, height, line, words } = board(canvas, palette);
  const own = momentsOf(step);
  const [low, high] = [own.mean - 4.2 * own.std, own.mean + 4.2 * own.std];
  const n = Math.max(400, Math.round(width));
  const xs = Array.from({ length: n + 1 }, (_, i) => low + ((high - low) * i) / n);
  const [truth, guess] = [xs.map((x) => densityAt(step, x)), xs.map((x) => bell(x, own.mean, own.std))];
  const top = 1.08 * Math.max(...truth, ...guess);
  const path = (values) => values.map((v, i) => [(width * i) / n, height - (height * v) / top]);
  for (const x of ticksOf(low, high)) {
    const a = (width * (x - low)) / (high - low);
    line([[a, 0], [a, height]], palette.rule);
    words(minus(x), a, height + 15, "center");
  }
  pen.beginPath();
  pen.moveTo(0, height);
  for (const [a, b] of path(truth)) pen.lineTo(a, b);
  pen.lineTo(width, height);
  pen.fillStyle = palette["noise-soft"];
  pen.fill();
  line(path(truth), palette.noise, 1.8);
  line(path(guess), palette.ink, 1.5, [4, 4]);
}
