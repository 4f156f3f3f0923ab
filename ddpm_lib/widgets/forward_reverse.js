// Forward and reverse: a picture and points in the plane, with the time under the reader's finger.
import { clock, crisp, decode, format, loadPicture, make, noisyPixels, seededNormal, slider, stage,
  stillness, watch } from "./figure.js";

const SECONDS = 7; // from one end of time to the other
const TRAIL = 9; // remembered positions behind a point, each a hundredth of T apart
const HUES = 12;

// ---- pure part -------------------------------------------------------------

// Signal rate and noise rate at t, from the table of sigma = noise / signal; between whole steps, between both.
export function ratesOf(sigma, t) {
  const k = Math.min(Math.floor(t), sigma.length - 2);
  const level = sigma[k] + (t - k) * (sigma[k + 1] - sigma[k]);
  const signal = 1 / Math.sqrt(1 + level * level);
  return [signal, level * signal];
}

// The frame a falling process has reached at time t: the last one whose time is not below t.
export function frameAt(times, t) {
  let k = 0;
  while (k + 1 < times.length && times[k + 1] >= t) k++;
  return k;
}

// Positions between two stored frames: index of the frame above t and the share of the next one.
export function between(times, t) {
  const k = Math.min(frameAt(times, t), times.length - 2);
  return [k, Math.min(Math.max((times[k] - t) / (times[k] - times[k + 1]), 0), 1)];
}

// Where the clock stands after some seconds; it stays within 0..T.
export function moved(t, T, seconds, direction) {
  const step = (T * seconds) / SECONDS;
  return direction === "forward" ? Math.min(t + step, T) : Math.max(t - step, 0);
}

// For each point a hue 0..HUES-1, by its place from left to right.
export function huesOf(positions) {
  const n = positions.length / 2;
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => positions[2 * a] - positions[2 * b]);
  const hues = new Uint8Array(n);
  order.forEach((point, rank) => { hues[point] = Math.floor((rank * HUES) / n); });
  return hues;
}

// The two motions of the points, as functions (t, out) that fill x0, y0, x1, y1, …
export function motions(points, rateAt) {
  const start = Float32Array.from(decode(points.clean, Int16Array), (v) => v * points.unit);
  const eps = seededNormal(start.length, points.seed);
  const forward = (t, out) => {
    const [signal, noise] = rateAt(t);
    for (let i = 0; i < out.length; i++) out[i] = signal * start[i] + noise * eps[i];
    return out;
  };
  if (!points.times) return { forward, size: start.length, hues: { forward: huesOf(start) } };
  const frames = decode(points.frames, Int16Array);
  const size = frames.length / points.times.length;
  const reverse = (t, out) => {
    const [k, share] = between(points.times, t);
    for (let i = 0, a = k * size, b = a + size; i < size; i++)
      out[i] = points.unit * (frames[a + i] + share * (frames[b + i] - frames[a + i]));
    return out;
  };
  const end = reverse(0, new Float32Array(size));
  return { forward, reverse, size: start.length, reverseSize: size,
    hues: { forward: huesOf(start), reverse: huesOf(end) } };
}

// ---- drawing part ----------------------------------------------------------

function ramp(el) {
  const style = getComputedStyle(el);
  const stops = ["--ddpm-signal", "--ddpm-middle", "--ddpm-noise"].map((name) => {
    const hex = style.getPropertyValue(name).trim();
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  });
  return Array.from({ length: HUES }, (_, h) => {
    const place = (2 * h) / (HUES - 1);
    const [a, b] = place < 1 ? [stops[0], stops[1]] : [stops[1], stops[2]];
    const share = place < 1 ? place : place - 1;
    return `rgb(${a.map((v, i) => Math.round(v + share * (b[i] - v))).join(" ")})`;
  });
}

function pointsPanel(points, rateAt, T) {
  const motion = motions(points, rateAt);
  const canvas = make("canvas", { class: "ddpm-points", role: "img", "aria-label": "points in the plane at time t" });
  const draw = (t, direction) => {
    const { pen, width, height } = crisp(canvas);
    const name = motion[direction] ? direction : "forward";
    const size = name === "reverse" ? motion.reverseSize : motion.size;
    const scale = width / (2 * points.reach);
    const radius = Math.max(1.5, width / 130);
    const past = [];
    const trail = stillness() ? 0 : TRAIL;
    for (let k = trail; k >= 0; k--) {
      const when = name === "forward" ? Math.max(t - (k * T) / 100, 0) : Math.min(t + (k * T) / 100, T);
      past.push(motion[name](when, new Float32Array(size)));
    }
    const now = past[past.length - 1];
    const colours = ramp(canvas);
    const place = (v, i) => [width / 2 + scale * v[i], height / 2 - scale * v[i + 1]];
    pen.lineWidth = 1.1;
    pen.lineJoin = "round";
    for (let hue = 0; hue < HUES; hue++) {
      const mine = [];
      for (let i = 0; i < size; i += 2) if (motion.hues[name][i / 2] === hue) mine.push(i);
      pen.beginPath();
      for (const i of mine) past.forEach((v, k) => (k ? pen.lineTo(...place(v, i)) : pen.moveTo(...place(v, i))));
      pen.globalAlpha = 0.28;
      pen.strokeStyle = colours[hue];
      pen.stroke();
      pen.beginPath();
      for (const i of mine) {
        const [x, y] = place(now, i);
        pen.moveTo(x + radius, y);
        pen.arc(x, y, radius, 0, 7);
      }
      pen.globalAlpha = 0.9;
      pen.fillStyle = colours[hue];
      pen.fill();
    }
  };
  return { canvas, draw, name: "points in the plane", reverse: Boolean(motion.reverse) };
}

function picturePanel(picture, rateAt) {
  const canvas = make("canvas", { class: "ddpm-picture", role: "img", "aria-label": "the picture at time t" });
  const guess = make("canvas", { class: "ddpm-picture", role: "img",
    "aria-label": "the clean picture that the denoiser expects at time t" });
  const inset = make("div", { class: "ddpm-inset", hidden: true }, guess, make("span", {}, "guess"));
  let loaded = null;
  const paste = (target, sheet, k, side) => {
    const pitch = Math.ceil(side / 16) * 16; // a cell of the sheet is whole JPEG blocks
    const [left, top] = [(k % picture.columns) * pitch, Math.floor(k / picture.columns) * pitch];
    if (target.width !== side) target.width = target.height = side;
    target.getContext("2d").drawImage(sheet.image, left, top, side, side, 0, 0, side, side);
  };
  const draw = (t, direction) => {
    if (!loaded) return;
    const reverse = direction === "reverse" && loaded.frames;
    inset.hidden = !(reverse && loaded.guesses);
    if (reverse) {
      const k = frameAt(picture.times, t);
      paste(canvas, loaded.frames, k, picture.side);
      if (loaded.guesses) paste(guess, loaded.guesses, k, picture.guess_side);
      return;
    }
    const { clean, eps, pixels } = loaded;
    if (canvas.width !== clean.width || canvas.height !== clean.height)
      [canvas.width, canvas.height] = [clean.width, clean.height];
    const [signal, noise] = rateAt(t);
    noisyPixels(clean.values, eps, signal, noise, pixels.data);
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  };
  const load = async () => {
    const clean = await loadPicture(picture.clean);
    loaded = {
      clean, eps: seededNormal(clean.values.length, picture.seed),
      pixels: new ImageData(clean.width, clean.height),
      frames: picture.frames && await loadPicture(picture.frames),
      guesses: picture.guesses && await loadPicture(picture.guesses),
    };
  };
  return { canvas, inset, draw, load, name: "a picture", reverse: Boolean(picture.frames) };
}

// How the variance is shared at each time: signal below, noise above, aligned with the slider.
function varianceStrip(T, rateAt) {
  const steps = 120;
  let line = "";
  for (let i = 0; i <= steps; i++) {
    const [signal, noise] = rateAt((T * i) / steps);
    line += `${i ? "L" : "M"}${(100 * i) / steps} ${(20 * noise ** 2) / (signal ** 2 + noise ** 2)}`;
  }
  const svg = make("svg", { class: "ddpm-strip", viewBox: "0 0 100 20", preserveAspectRatio: "none",
    "aria-hidden": "true" });
  svg.append(make("rect", { width: 100, height: 20, class: "ddpm-fill-noise" }),
    make("path", { d: `${line}L100 20L0 20Z`, class: "ddpm-fill-signal" }));
  return make("div", { class: "ddpm-strip-box" }, svg, make("span", { class: "ddpm-strip-signal" }, "signal"),
    make("span", { class: "ddpm-strip-noise" }, "noise"));
}

export function render({ model, el }) {
  const T = model.get("T");
  const sigma = decode(model.get("sigma"), Float32Array);
  const rateAt = (t) => ratesOf(sigma, t);
  const panels = [];
  if (model.get("picture").clean) panels.push(picturePanel(model.get("picture"), rateAt));
  if (model.get("points").clean) panels.push(pointsPanel(model.get("points"), rateAt, T));
  const twoWays = panels.some((panel) => panel.reverse);

  const body = stage(el, model);
  let t = model.get("t"); // real while the clock runs; the model holds whole steps
  const pen = () => {
    const direction = model.get("direction");
    for (const panel of panels) {
      panel.draw(t, direction);
      panel.box.classList.toggle("ddpm-idle", direction === "reverse" && !panel.reverse);
    }
    const [s, n] = rateAt(t);
    time.refresh();
    readout.signal.textContent = format.rate(s);
    readout.noise.textContent = format.rate(n);
  };
  const setTime = (value) => { t = value; model.set("t", Math.round(value)); pen(); };
  const halt = () => { motion.stop(); model.set("playing", false); model.save_changes(); };

  const time = slider({
    name: "time t", short: "t", min: 0, max: T,
    get: () => Math.round(t), show: () => `${Math.round(t)}`,
    input: (value) => { if (motion.running) halt(); setTime(value); },
    commit: () => model.save_changes(),
  });
  const play = make("button", { type: "button", class: "ddpm-play", "data-control": "play",
    onclick: () => { model.set("playing", !model.get("playing")); model.save_changes(); } });
  const label = () => {
    play.textContent = model.get("playing") ? "Pause" : "Play";
    play.dataset.state = model.get("playing") ? "running" : "resting";
  };
  const group = `ddpm-${Math.random().toString(36).slice(2)}`; // radio buttons of two copies must not meet
  const ways = [["forward", "Forward"], ["reverse", "Reverse"]].map(([value, text]) => {
    const radio = make("input", { type: "radio", name: group, value, "data-control": value,
      onchange: () => { model.set("direction", value); model.save_changes(); } });
    return { radio, value, label: make("label", {}, radio, make("span", {}, text)) };
  });
  const readout = { signal: make("output", {}), noise: make("output", {}) };
  const numbers = make("div", { class: "ddpm-numbers" },
    make("span", { class: "ddpm-signal", "data-readout": "signal" }, "signal rate ", readout.signal),
    make("span", { class: "ddpm-noise", "data-readout": "noise" }, "noise rate ", readout.noise));

  body.append(make("div", { class: `ddpm-panels ddpm-panels-${panels.length}` }, ...panels.map((panel) => {
    panel.box = make("div", { class: "ddpm-panel" }, panel.canvas, ...(panel.inset ? [panel.inset] : []));
    return panel.box;
  })));
  body.append(make("div", { class: "ddpm-time" }, varianceStrip(T, rateAt), time.label));
  const choice = make("div", { class: "ddpm-ways", role: "radiogroup", "aria-label": "direction", hidden: !twoWays },
    ...ways.map((way) => way.label));
  body.append(make("div", { class: "ddpm-row" }, play, choice, numbers));
  if (model.get("autoplay")) body.classList.add("ddpm-quiet");

  // ---- the clock: a run ends at its end; an autoplaying figure turns round and goes on
  let rest = 0;
  const motion = clock(body, (seconds) => {
    const direction = model.get("direction");
    const end = direction === "forward" ? T : 0;
    if (t !== end) {
      rest += stillness() ? seconds : 0;
      if (stillness() && rest < 0.7) return; // with reduced motion: ten still pictures, not a film
      const step = stillness() ? SECONDS / 10 : seconds;
      rest = 0;
      setTime(moved(t, T, step, direction));
    } else if (model.get("autoplay")) {
      rest += seconds;
      if (rest < 1.2) return;
      rest = 0;
      if (twoWays) model.set("direction", direction === "forward" ? "reverse" : "forward");
      else setTime(0);
    } else halt();
  });
  const onPlaying = () => {
    if (model.get("playing") && !motion.running) {
      const [from, to] = model.get("direction") === "forward" ? [0, T] : [T, 0];
      if (t === to && !model.get("autoplay")) setTime(from);
      motion.start();
    } else if (!model.get("playing")) motion.stop();
    label();
  };
  const sayWay = () => {
    time.name.textContent = `time t, noise is ${model.get("direction") === "forward" ? "added" : "taken away"}`;
  };
  const onDirection = () => {
    const direction = model.get("direction");
    for (const way of ways) way.radio.checked = way.value === direction;
    sayWay();
    if (t === 0 || t === T) setTime(direction === "forward" ? 0 : T);
    pen();
  };
  const onTime = () => { if (model.get("t") !== Math.round(t)) { t = model.get("t"); pen(); } };
  const heard = { "change:playing": onPlaying, "change:direction": onDirection, "change:t": onTime };
  for (const [event, tell] of Object.entries(heard)) model.on(event, tell);
  const unwatch = watch(body, pen);
  for (const way of ways) way.radio.checked = way.value === model.get("direction");
  sayWay();
  label();
  pen();
  Promise.all(panels.map((panel) => panel.load?.())).then(() => {
    pen();
    body.dataset.loaded = "";
    if (model.get("autoplay") && !stillness()) model.set("playing", true);
    onPlaying();
  });
  return () => {
    motion.dispose();
    unwatch();
    for (const [event, tell] of Object.entries(heard)) model.off(event, tell);
  };
}

export default { render };
