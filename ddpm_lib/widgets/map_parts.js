// What the maps of digits and the loss share: a choice of several, and small pictures as ink on paper.
import { make } from "./figure.js";

// ---- pure part -------------------------------------------------------------

// Digits as ink on paper: −1 is paper (nothing), 1 is full ink; out: bytes with the ink's colour, its cover in alpha.
export function inked(values, ink, out) {
  for (let i = 0, j = 0; i < values.length; i++, j += 4) {
    out[j] = ink[0];
    out[j + 1] = ink[1];
    out[j + 2] = ink[2];
    out[j + 3] = 127.5 * (values[i] + 1);
  }
  return out;
}

// Signed numbers in two colours, fading to nothing at 0; full colour at ±reach.
export function signed(values, reach, below, above, out) {
  for (let i = 0, j = 0; i < values.length; i++, j += 4) {
    const colour = values[i] < 0 ? below : above;
    out[j] = colour[0];
    out[j + 1] = colour[1];
    out[j + 2] = colour[2];
    out[j + 3] = (255 * Math.abs(values[i])) / reach;
  }
  return out;
}

// "#2f6690" → [47, 102, 144]
export const rgbOf = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

// One number a pixel from a sheet's three, for pictures stacked one below the other.
export const greyOf = (values) => Float32Array.from({ length: values.length / 3 }, (_, i) => values[3 * i]);

export const percent = (share) => {
  const value = 100 * share;
  const text = Math.abs(value) < 9.95 ? value.toFixed(1) : value.toFixed(0);
  return `${text.replace(/^-(0(\.0)?)$/, "$1").replace("-", "−")}\u00a0%`;
};

// ---- drawing part ----------------------------------------------------------

export const colourOf = (node, name) => rgbOf(getComputedStyle(node).getPropertyValue(name).trim());

// Put bytes (length / 4 pixels, square) on a canvas of their own size.
export function stamp(canvas, bytes, side) {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  canvas.getContext("2d").putImageData(new ImageData(bytes, side, side), 0, 0);
}

// Radio buttons in a row. options: [value, text]; returns the box and a function that shows the chosen one.
export function choiceOf(name, short, options, choose) {
  const group = `ddpm-${Math.random().toString(36).slice(2)}`; // those of two copies must not meet
  const radios = options.map(([value]) => make("input", { type: "radio", name: group, value,
    "data-control": `${short}-${value}`, onchange: () => choose(value) }));
  const box = make("div", { class: "ddpm-choice", role: "radiogroup", "aria-label": name },
    make("span", { class: "ddpm-choice-name", "aria-hidden": "true" }, name),
    make("div", { class: "ddpm-ways" }, ...options.map(([, text], i) => make("label", {}, radios[i], make("span", {}, text)))));
  return { box, show: (value) => { for (const radio of radios) radio.checked = radio.value === String(value); } };
}
