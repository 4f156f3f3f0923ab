// Pictures on a canvas, and a pad to draw one on.
import { make } from "./figure.js";
import { PIXELS, SIDE, stroke, touch } from "./network_film.js";

// Ten pictures or one, −1 … 1 as ink on paper, on a canvas of whole pixels, as all digits in the book.
export function paint(canvas, pictures) {
  const n = pictures ? pictures.length / PIXELS : 1, across = n === 1 ? 1 : 4, down = Math.ceil(n / across);
  [canvas.width, canvas.height] = [across * SIDE, across * SIDE];
  const pen = canvas.getContext("2d"), image = pen.createImageData(SIDE, SIDE);
  const lift = ((across - down) * SIDE) / 2;
  for (let k = 0; pictures && k < n; k++) {
    for (let i = 0; i < PIXELS; i++) {
      image.data.fill(127.5 * (1 - pictures[k * PIXELS + i]), 4 * i, 4 * i + 3); // the canvas clips to bytes
      image.data[4 * i + 3] = 255;
    }
    pen.putImageData(image, (k % across) * SIDE, Math.floor(k / across) * SIDE + lift);
  }
}

// Small parts of the figure: a choice among a few, and a panel with its name below.
const option = (value, name) => make("option", { value }, name);
export const choice = (short, name, options, onchange) => {
  const box = make("select", { "data-control": short, onchange }, ...options.map(([v, n]) => option(v, n)));
  return { box, label: make("label", { class: "ddpm-choice" }, make("span", {}, name), box) };
};
export const panel = (name, short) => {
  const canvas = make("canvas", { class: "ddpm-picture", role: "img", "aria-label": name, "data-canvas": short });
  paint(canvas, null);
  return { canvas, box: make("div", { class: "ddpm-net-panel" }, make("div", { class: "ddpm-panel" }, canvas),
    make("p", {}, name)) };
};

// The pad: drawn on by pointer, or by keys (arrows move the pen, Shift with them or the space bar lets it touch).
export function padOf(drawing, onChange) {
  const canvas = make("canvas", { class: "ddpm-picture", tabindex: 0, role: "application", "data-canvas": "pad",
    "aria-label": "drawing pad: arrow keys move the pen, Shift and an arrow draws, the space bar makes a dot" });
  const pen = [14, 14];
  let last = null, byKeys = false;
  const redraw = () => {
    paint(canvas, drawing);
    if (!byKeys) return;
    const ink = canvas.getContext("2d");
    ink.fillStyle = "#e2a05f";
    ink.fillRect(Math.floor(pen[0]), Math.floor(pen[1]), 1, 1);
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  };
  const draw = (to) => { stroke(drawing, last ?? to, to); last = to; redraw(); onChange(); };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    byKeys = false;
    draw(place(event));
  });
  canvas.addEventListener("pointermove", (event) => { if (last) draw(place(event)); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    byKeys = true;
    const from = [...pen];
    if (move) [0, 1].forEach((i) => { pen[i] = Math.min(Math.max(pen[i] + move[i], 2), SIDE - 2); });
    if (event.shiftKey && move) stroke(drawing, from, pen);
    else if (!move) touch(drawing, ...pen);
    redraw();
    if (event.shiftKey || !move) onChange();
  });
  canvas.addEventListener("blur", () => { byKeys = false; redraw(); });
  const clear = make("button", { type: "button", "data-control": "clear",
    onclick: () => { drawing.fill(-1); redraw(); onChange(); } }, "Clear the pad");
  redraw();
  const box = make("div", { class: "ddpm-net-panel" }, make("div", { class: "ddpm-panel ddpm-net-pad" }, canvas),
    make("p", {}, "draw a digit here ", clear));
  return { box, paint: redraw };
}
