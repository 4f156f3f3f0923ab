// The panels of the picture figure: values as a picture, two histograms over one another, an error's growth.
import { make } from "./figure.js";

// Numbers in [-1, 1], three to a pixel, side pixels to a row; what lies beyond is cut off.
export function showValues(canvas, values, side) {
  const tall = values.length / 3 / side;
  if (canvas.width !== side || canvas.height !== tall) [canvas.width, canvas.height] = [side, tall];
  const image = new ImageData(side, tall);
  for (let i = 0, j = 0; j < image.data.length; j++) image.data[j] = j % 4 === 3 ? 255 : 127.5 * (values[i++] + 1);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const FRAME = { left: 34, right: 10, top: 6, bottom: 20 };

function plot(title) {
  const svg = make("svg", { class: "ddpm-chart ddpm-chart-low", role: "img", "aria-label": title });
  const room = () => ({ wide: svg.clientWidth - FRAME.left - FRAME.right, tall: svg.clientHeight - FRAME.top - FRAME.bottom });
  const area = () => make("g", { transform: `translate(${FRAME.left} ${FRAME.top})` });
  return { svg, room, area };
}

// Two densities over the same bins: the first filled, the second a line.
export function histogramChart() {
  const { svg, room, area } = plot("histograms of the values");
  let tallest = 1;
  const steps = (bins, wide, tall) => {
    const w = wide / bins.length;
    let d = `M0 ${tall}`;
    bins.forEach((value, k) => {
      const y = (tall * (1 - Math.min(value / tallest, 1))).toFixed(1);
      d += `L${(k * w).toFixed(1)} ${y}L${((k + 1) * w).toFixed(1)} ${y}`;
    });
    return `${d}L${wide} ${tall}`;
  };
  const draw = (first, second, reach, about) => {
    const { wide, tall } = room();
    if (wide <= 0) return;
    // The axis follows the taller of the two, but not below the normal density's top.
    tallest = Math.max(0.45, 1.08 * Math.max(...first.slice(1, -1), ...second.slice(1, -1)));
    const g = area();
    for (let k = -2; k <= 2; k++) {
      const x = wide * (0.5 + k / 4);
      g.append(make("line", { x1: x, x2: x, y1: 0, y2: tall, class: "ddpm-rule" }),
        make("text", { x, y: tall + 15, "text-anchor": "middle" }, String((k * reach) / 2).replace("-", "−")));
    }
    g.append(make("line", { x1: 0, x2: wide, y1: tall, y2: tall, class: "ddpm-rule" }),
      make("path", { d: steps(first, wide, tall), class: "ddpm-hist-fill" }),
      make("path", { d: steps(second, wide, tall), class: "ddpm-curve ddpm-noise ddpm-hist-line" }));
    svg.setAttribute("aria-label", about);
    svg.replaceChildren(g);
  };
  return { svg, draw };
}

// noise rate / signal rate against t, on a logarithmic scale; a touch on it moves t.
export function amplificationChart({ T, signalRate, noiseRate }, seek) {
  const { svg, room, area } = plot("noise rate over signal rate against t");
  const times = [1, Math.round(T / 4), Math.round(T / 2), Math.round((3 * T) / 4), T];
  const log = (t) => Math.log10(noiseRate[t] / signalRate[t]);
  const low = Math.floor(log(1)) - 0.1, high = Math.min(Math.ceil(log(T)), 6);
  const hand = (event) => {
    const x = event.clientX - svg.getBoundingClientRect().left - FRAME.left;
    seek(Math.round(T * Math.min(Math.max(x / room().wide, 0), 1)));
  };
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); hand(event); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons) hand(event); });
  const draw = (now) => {
    const { wide, tall } = room();
    if (wide <= 0) return;
    const x = (t) => (wide * t) / T, y = (t) => (tall * (high - Math.min(Math.max(log(t), low), high))) / (high - low);
    const g = area();
    for (let power = Math.ceil(low); power <= high; power++) {
      const at = (tall * (high - power)) / (high - low);
      g.append(make("line", { x1: 0, x2: wide, y1: at, y2: at, class: power ? "ddpm-rule" : "ddpm-now" }),
        make("text", { x: -5, y: at + 3.5, "text-anchor": "end" }, String(Number((10 ** power).toPrecision(1)))));
    }
    for (const [t, anchor] of [[0, "start"], [T / 2, "middle"], [T, "end"]])
      g.append(make("text", { x: x(t), y: tall + 15, "text-anchor": anchor }, t ? String(Math.round(t)) : "t = 0"));
    let d = "";
    for (let t = 1; t <= T; t += Math.max(1, Math.floor(T / 250))) d += `${d ? "L" : "M"}${x(t).toFixed(1)} ${y(t).toFixed(1)}`;
    g.append(make("path", { d: `${d}L${x(T)} ${y(T).toFixed(1)}`, class: "ddpm-curve ddpm-noise" }));
    for (const t of times) g.append(make("circle", { cx: x(t), cy: y(t), r: 2, class: "ddpm-dot ddpm-noise" }));
    g.append(make("line", { x1: x(now), x2: x(now), y1: 0, y2: tall, class: "ddpm-now" }),
      make("circle", { cx: x(now), cy: y(Math.max(now, 1)), r: 4.5, class: "ddpm-dot ddpm-noise" }));
    svg.replaceChildren(g);
  };
  return { svg, draw };
}
