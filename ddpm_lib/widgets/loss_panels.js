// The panels under a loss curve: pictures or points, as they were seen, as they were answered, and the truth.
import { crisp, decode, loadPicture, make } from "./figure.js";
import { colourOf, greyOf, inked, signed, stamp } from "./map_parts.js";
import { errorOf, implied, magnified } from "./loss_math.js";

const numbersOf = ({ numbers, unit }, Type) => Float32Array.from(decode(numbers, Type), (v) => v * unit);

// Digits, one at a time. draw(k, answer, i) shows sample i at stop k; returns what it computed.
export function picturePanels(examples) {
  const { side, count } = examples, area = side * side;
  const x0 = numbersOf(examples.x0, Int8Array), eps = numbersOf(examples.eps, Int8Array), sheets = {};
  const names = [["seen", "xₜ, what it saw"], ["said", "the noise it said"], ["eps", "the noise there was"],
    ["error", "the difference"], ["guess", "the digit it implies"], ["x0", "the digit there was"]];
  const panels = names.map(([key, text]) => {
    const canvas = make("canvas", { class: "ddpm-picture", role: "img", "aria-label": text, "data-panel": key });
    return { key, text, canvas, box: make("div", { class: "ddpm-saw" }, canvas, make("span", {}, text)) };
  });
  const box = make("div", { class: "ddpm-saws" }, ...panels.map((panel) => panel.box));
  const load = async () => {
    for (const { name, sheet } of examples.answers) sheets[name] = greyOf((await loadPicture(sheet)).values);
  };
  const draw = (k, answer, i) => {
    if (!sheets[answer.name]) return null;
    const mine = (all) => all.subarray(i * area, (i + 1) * area);
    const error = errorOf(sheets[answer.name], answer.size, k, i, count, area);
    const found = implied(mine(x0), mine(eps), error, examples.rates[k]);
    const factor = magnified(error);
    const [below, above] = [colourOf(box, "--ddpm-signal"), colourOf(box, "--ddpm-noise")];
    const ink = [24, 32, 44]; // on paper, which is light in the dark as well
    const bytes = () => new Uint8ClampedArray(4 * area);
    const shown = { seen: inked(found.seen, ink, bytes()), guess: inked(found.guess, ink, bytes()),
      x0: inked(mine(x0), ink, bytes()), eps: signed(mine(eps), 3, below, above, bytes()),
      said: signed(found.said, 3, below, above, bytes()), error: signed(error, 3 / factor, below, above, bytes()) };
    for (const { key, canvas, text, box: cell } of panels) {
      stamp(canvas, shown[key], side);
      const words = key === "error" && factor > 1 ? `${text}, ×\u00a0${factor.toLocaleString("en")}` : text;
      canvas.setAttribute("aria-label", `${words}, at t = ${examples.times[k]}`);
      cell.lastChild.textContent = words;
    }
    return found;
  };
  return { box, draw, load, panels };
}

// Points in the plane, all at once.
export function pointPanels(examples) {
  const { count } = examples, x0 = numbersOf(examples.x0, Int16Array), eps = numbersOf(examples.eps, Int16Array);
  const errors = Object.fromEntries(examples.answers.map(({ name, numbers }) => [name, decode(numbers, Int8Array)]));
  const names = [["seen", "what it saw: xₜ"], ["guess", "where it says they began"], ["x0", "where they began"]];
  const panels = names.map(([key, text]) => {
    const canvas = make("canvas", { role: "img", "aria-label": text, "data-panel": key });
    return { key, text, canvas, box: make("div", { class: "ddpm-saw" }, canvas, make("span", {}, text)) };
  });
  const box = make("div", { class: "ddpm-saws ddpm-saws-3" }, ...panels.map((panel) => panel.box));
  const draw = (k, answer) => {
    const error = Float32Array.from({ length: 2 * count }, (_, j) =>
      (errors[answer.name][2 * k * count + j] / 127) * answer.size[k]);
    const found = implied(x0, eps, error, examples.rates[k]);
    const style = getComputedStyle(box), colour = (name) => style.getPropertyValue(`--ddpm-${name}`);
    for (const { key, canvas, text } of panels) {
      const { pen, width, height } = crisp(canvas);
      const values = key === "x0" ? x0 : found[key], reach = key === "seen" ? 3.2 : 1.6;
      const place = (all, i) => [width / 2 + (all[i] * width) / (2 * reach), height / 2 - (all[i + 1] * width) / (2 * reach)];
      const dots = (all, paint, radius) => {
        pen.beginPath();
        for (let i = 0; i < 2 * count; i += 2) {
          const [x, y] = place(all, i);
          pen.moveTo(x + radius, y);
          pen.arc(x, y, radius, 0, 7);
        }
        pen.fillStyle = paint;
        pen.fill();
      };
      if (key === "guess") { // from where each is said to have begun to where it did
        pen.beginPath();
        for (let i = 0; i < 2 * count; i += 2) { pen.moveTo(...place(values, i)); pen.lineTo(...place(x0, i)); }
        pen.strokeStyle = colour("noise");
        pen.globalAlpha = 0.4;
        pen.lineWidth = 1;
        pen.stroke();
        pen.globalAlpha = 1;
      }
      dots(values, colour(key === "x0" ? "signal" : key === "seen" ? "muted" : "noise"), Math.max(2, width / 90));
      canvas.setAttribute("aria-label", `${text}, ${count} points at t = ${examples.times[k]}`);
    }
    return { ...found, squared: answer.loss[k] };
  };
  return { box, draw, load: async () => {}, panels };
}
