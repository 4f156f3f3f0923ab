// What every figure shares: controls, crisp canvases, the theme, the clock, and a stand-in for the model.

// ---- pure part -------------------------------------------------------------

// Decode base64 into a typed array: Int16Array for quantised points, Float32Array for tables.
export function decode(base64, Type) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new Type(bytes.buffer);
}

// n draws from N(0, 1) that depend on the seed alone (mulberry32, then Box and Muller).
export function seededNormal(n, seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
  const draws = new Float32Array(n);
  for (let i = 0; i < n; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    draws[i] = radius * Math.cos(angle);
    if (i + 1 < n) draws[i + 1] = radius * Math.sin(angle);
  }
  return draws;
}

// x_t = signal x_0 + noise eps for a picture in [-1, 1], as bytes a canvas can show.
export function noisyPixels(clean, eps, signal, noise, out) {
  for (let i = 0, j = 0; i < clean.length; i += 3, j += 4) {
    out[j] = 127.5 * (signal * clean[i] + noise * eps[i] + 1);
    out[j + 1] = 127.5 * (signal * clean[i + 1] + noise * eps[i + 1] + 1);
    out[j + 2] = 127.5 * (signal * clean[i + 2] + noise * eps[i + 2] + 1);
    out[j + 3] = 255;
  }
  return out;
}

// The model of a figure that has no kernel: get, set, on and off, as anywidget's model has them.
export function standIn(state) {
  const listeners = new Map();
  return {
    get: (name) => state[name],
    set(name, value) {
      if (Object.is(state[name], value)) return;
      state[name] = value;
      for (const tell of [...(listeners.get(`change:${name}`) ?? [])]) tell();
    },
    on(event, tell) {
      listeners.set(event, [...(listeners.get(event) ?? []), tell]);
    },
    off(event, tell) {
      listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== tell));
    },
    save_changes() {},
  };
}

export const format = {
  rate: (value) => value.toFixed(3),
  short: (value) => {
    if (!Number.isFinite(value)) return "∞";
    if (value !== 0 && (value < 1e-4 || value >= 1e5)) {
      const [digits, power] = value.toExponential(1).split("e");
      return `${Number(digits)}·10${superscript(Number(power))}`;
    }
    return String(Number(value.toPrecision(3)));
  },
};

function superscript(power) {
  const signs = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  return [...String(power)].map((sign) => signs[sign]).join("");
}

// ---- drawing part ----------------------------------------------------------

// An element with attributes and children; names that start with "on" are listeners.
export function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "circle", "text", "g", "rect"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// A range control inside its label, with its value written beside the name.
// get: where it stands; show: the value in words; input and commit: on every move, and after the last.
export function slider({ name, short, min, max, step = 1, get, show, input, commit }) {
  const output = make("output", {});
  const range = make("input", {
    type: "range", min, max, step, "data-control": short,
    oninput: () => { input(Number(range.value)); },
    onchange: () => { commit?.(); },
  });
  const refresh = () => {
    range.value = get();
    const text = show();
    output.textContent = text;
    range.setAttribute("aria-valuetext", text);
  };
  // The range comes before the output: a label belongs to the first of the two.
  const title = make("span", {}, name);
  const label = make("label", { class: "ddpm-slider" }, title, range, output);
  return { label, range, refresh, name: title };
}

// The picture of a data: address as numbers in [-1, 1], three to a pixel.
export async function loadPicture(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  const bytes = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const values = new Float32Array(canvas.width * canvas.height * 3);
  for (let i = 0, j = 0; j < bytes.length; j++) if (j % 4 !== 3) values[i++] = bytes[j] / 127.5 - 1;
  return { width: canvas.width, height: canvas.height, values, image };
}

// Give a canvas the screen's own resolution; returns a pen whose unit is the CSS pixel.
export function crisp(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

// Call redraw when the theme or the size changes. Returns a function that stops watching.
export function watch(el, redraw) {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = new MutationObserver(redraw);
  for (const node of [document.documentElement, document.body]) theme.observe(node, { attributes: true });
  const size = new ResizeObserver(redraw);
  size.observe(el);
  dark.addEventListener("change", redraw);
  return () => { theme.disconnect(); size.disconnect(); dark.removeEventListener("change", redraw); };
}

export const stillness = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

// A clock that calls advance(seconds) while it runs and the figure is in sight.
export function clock(el, advance) {
  let running = false, inSight = false, handle = 0, last = 0;
  const tick = (now) => {
    handle = 0;
    const seconds = Math.min((now - last) / 1000, 0.1);
    last = now;
    advance(seconds);
    wake();
  };
  const wake = () => {
    if (running && inSight && !handle) handle = requestAnimationFrame(tick);
  };
  const sight = new IntersectionObserver((entries) => {
    inSight = entries[entries.length - 1].isIntersecting;
    last = performance.now();
    wake();
  });
  sight.observe(el);
  return {
    get running() { return running; },
    start() { running = true; last = performance.now(); wake(); },
    // The frame already asked for must not land: a paused picture stands still at once.
    stop() { running = false; cancelAnimationFrame(handle); handle = 0; },
    dispose() { this.stop(); sight.disconnect(); },
  };
}

// The box a figure draws in. Live there is no <figure> around it yet, so the caption is added here.
export function stage(el, model) {
  const baked = el.closest("figure.ddpm-figure");
  if (!baked) el.classList.add("ddpm-figure");
  const box = make("div", { class: "ddpm-body" });
  el.append(box);
  if (!baked) el.append(make("p", { class: "ddpm-caption" }, model.get("caption")));
  return box;
}

// Start a baked figure: the first of its kind on the page that has not been started yet.
export function start(kind, state, render) {
  const figure = document.querySelector(`figure[data-figure="${kind}"]:not([data-ready])`);
  if (!figure) return;
  figure.dataset.ready = "";
  const el = make("div", {});
  figure.prepend(el);
  render({ model: standIn(state), el });
}
