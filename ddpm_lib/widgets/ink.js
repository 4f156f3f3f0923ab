// Ink and restorer: the finger splashes ink over a painting, a restorer who knows other paintings takes it away.
import { clock, decode, format, loadPicture, make, slider, stage, stillness, watch } from "./figure.js";
import { tablesOf } from "./schedule_math.js";
import { blots, Inked, restore, splashOf } from "./ink_math.js";

const STRIDE = 20; // times that one look of the restorer takes away
const LOOKS = 14; // looks in a second while he works

// ---- pure part -------------------------------------------------------------

// Picture k of a sheet, side pixels square, cells `pitch` apart: numbers in [-1, 1], three to a pixel.
export function cutOut(sheet, k, columns, side, pitch) {
  const values = new Float32Array(3 * side * side);
  const [left, top] = [(k % columns) * pitch, Math.floor(k / columns) * pitch];
  for (let row = 0; row < side; row++) {
    const from = 3 * ((top + row) * sheet.width + left);
    values.set(sheet.values.subarray(from, from + 3 * side), 3 * side * row);
  }
  return values;
}

const percent = (share) => `${format.short(100 * share)} %`;

// ---- drawing part ----------------------------------------------------------

function paint(canvas, values, side) {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const image = new ImageData(side, side);
  for (let i = 0, j = 0; i < values.length; i += 3, j += 4) {
    for (let c = 0; c < 3; c++) image.data[j + c] = 127.5 * (values[i + c] + 1);
    image.data[j + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// A small picture with a bar under it that can be filled from 0 to 1.
function thumbnail(name) {
  const canvas = make("canvas", { class: "ddpm-picture", "aria-hidden": "true" });
  const fill = make("div", { class: "ddpm-bar-fill" });
  const box = make("div", { class: "ddpm-work", "data-work": name }, canvas, make("div", { class: "ddpm-bar" }, fill));
  return { box, canvas, set: (share, full) => {
    fill.style.width = `${(100 * share) / full}%`;
    box.dataset.share = share.toFixed(3);
  } };
}

export function render({ model, el }) {
  const { side, columns, pitch, count, works: sheet, clean, seed } = model.get("pictures");
  const rates = tablesOf(Float64Array.from(decode(model.get("betas"), Float32Array)));
  const T = rates.T;
  const body = stage(el, model);
  let canvas = null, works = null, last = null, splashes = 0;
  const brush = { x: side / 2, y: side / 2, size: 9, strength: Math.round(0.4 * T) };

  const easel = make("canvas", { class: "ddpm-picture ddpm-easel-picture", tabindex: 0, role: "application",
    "aria-roledescription": "easel" });
  const ring = make("div", { class: "ddpm-brush", "aria-hidden": "true" });
  const guess = make("canvas", { class: "ddpm-picture", role: "img", "aria-label": "what the restorer expects" });
  const lost = make("canvas", { class: "ddpm-picture", role: "img", "aria-label": "the lost painting" });
  const thumbs = Array.from({ length: count + 1 }, (_, k) => thumbnail(k < count ? String(k + 1) : "lost"));
  const own = thumbs[count];
  const scale = make("output", {});
  const museum = make("div", { class: "ddpm-museum", role: "img" }, ...thumbs.map((thumb) => thumb.box));

  const readouts = {}, openWords = make("span", {});
  const reading = (name, text) => {
    readouts[name] = make("output", {});
    return make("div", { "data-readout": name }, make("span", {}, text), readouts[name]);
  };
  const button = (short, text, onclick) => make("button", { type: "button", "data-control": short, onclick }, text);
  const play = make("button", { type: "button", class: "ddpm-play", "data-control": "restore",
    onclick: () => { if (motion.running) halt(); else if (inked()) { motion.start(); label(); } } });
  const said = make("p", { class: "ddpm-ink-said", role: "status" });
  // Whether there is ink to take away; says what to do where there is none.
  const inked = () => {
    const deep = canvas?.deepest();
    said.textContent = deep ? "" : "There is no ink yet: draw on the painting first, or press “Drown everything”.";
    return deep;
  };
  const label = () => {
    play.textContent = motion.running ? "Pause" : "Restore";
    play.dataset.state = motion.running ? "running" : "resting";
  };
  const halt = () => { motion.stop(); label(); };
  const group = `ddpm-${Math.random().toString(36).slice(2)}`; // radio buttons of two copies must not meet
  const ways = [[false, "pieces", "piece by piece"], [true, "whole", "as wholes"]].map(([value, short, text]) => {
    const radio = make("input", { type: "radio", name: group, value, "data-control": short,
      onchange: () => { model.set("whole", value); model.save_changes(); } });
    return { radio, value, label: make("label", {}, radio, make("span", {}, text)) };
  });
  const seen = make("input", { type: "checkbox", "data-control": "seen",
    onchange: () => { model.set("seen", seen.checked); model.save_changes(); } });
  const sliders = [
    slider({ name: "brush", short: "size", min: 3, max: 24, get: () => brush.size, show: () => `${brush.size} px`,
      input: (size) => { brush.size = size; sliders[0].refresh(); aim(); } }),
    slider({ name: "ink in a splash", short: "strength", min: Math.round(T / 20), max: T, step: Math.round(T / 20),
      get: () => brush.strength, show: () => `${brush.strength} steps`,
      input: (strength) => { brush.strength = strength; sliders[1].refresh(); } }),
  ];

  const panel = (text, ...inside) => make("div", { class: "ddpm-easel-side" }, make("div", { class: "ddpm-key" }, text), ...inside);
  body.append(
    make("div", { class: "ddpm-easel" },
      make("div", { class: "ddpm-easel-main" },
        make("div", { class: "ddpm-key" }, make("span", {}, "on the easel: draw on it")),
        make("div", { class: "ddpm-easel-box" }, easel, ring)),
      make("div", { class: "ddpm-easel-know" },
        make("div", { class: "ddpm-easel-pair" }, panel("what he expects", guess), panel("the lost painting", lost)),
        panel(make("span", {}, "what he has seen, and its weight: ", scale), museum))),
    make("div", { class: "ddpm-row ddpm-ink-row" }, play, button("step", "One look", () => { halt(); look(); }),
      button("coat", "Ink everywhere", () => { spill(() => brush.strength); }),
      button("drown", "Drown everything", () => { spill(() => T); }),
      button("reset", "Start again", () => { halt(); canvas?.reset(); last = null; draw(); })),
    said,
    make("div", { class: "ddpm-row" },
      make("div", { class: "ddpm-way" }, make("span", {}, "he knows his works"),
        make("div", { class: "ddpm-ways", role: "radiogroup", "aria-label": "he knows his works" }, ...ways.map((way) => way.label))),
      make("label", { class: "ddpm-seen" }, seen, " he has seen this one too")),
    make("div", { class: "ddpm-sliders" }, ...sliders.map((one) => one.label)),
    make("div", { class: "ddpm-readings" }, reading("amplitude", "amplitude left"), reading("deepest", "deepest ink, t"),
      reading("difference", "RMS off the lost one"), reading("open", openWords)));

  // ---- what happens to the canvas
  const known = () => (model.get("seen") ? [...works, canvas.clean] : works);
  const think = (x) => restore(x, canvas.level, known(), side, rates, { whole: model.get("whole") });
  const spill = (amount) => { if (canvas) { canvas.ink(amount); last = null; said.textContent = ""; soon(); } };
  // What he thought at his last look stays on show until ink falls.
  const look = () => {
    const deepest = inked();
    if (!deepest) return;
    const answer = think(canvas.seen());
    canvas.stepDown(answer.x0, Math.max(0, deepest - STRIDE));
    last = answer;
    draw();
  };
  const splash = (strength = brush.strength) => {
    spill(splashOf(blots(brush.x, brush.y, brush.size, splashes++), side, strength));
  };
  const aim = () => {
    const share = 100 / side;
    ring.style.cssText = `left:${share * (brush.x - brush.size)}%;top:${share * (brush.y - brush.size)}%;width:${2 * share * brush.size}%`;
  };

  const draw = () => {
    for (const way of ways) way.radio.checked = way.value === model.get("whole");
    seen.checked = model.get("seen");
    own.box.classList.toggle("ddpm-unseen", !model.get("seen"));
    if (!canvas) return;
    const x = canvas.seen(), answer = last ?? think(x);
    paint(easel, x, side);
    paint(guess, answer.x0, side);
    const full = Math.max(0.25, ...answer.share); // what a full bar means
    thumbs.forEach((thumb, k) => thumb.set(answer.share[k] ?? 0, full));
    scale.textContent = `bar = ${Math.round(100 * full)} %`;
    const deepest = canvas.deepest(), difference = canvas.difference(x);
    readouts.amplitude.textContent = percent(canvas.amplitude());
    readouts.deepest.textContent = deepest;
    readouts.difference.textContent = difference.toFixed(3);
    // Judged by pieces, each place may keep to one work, and the works with a bar be many all the same.
    openWords.textContent = model.get("whole") ? "works still possible" : "works possible for each place";
    readouts.open.textContent = answer.open ? answer.open.toFixed(1) : "–";
    const best = answer.share.reduce((top, w, k) => (w > answer.share[top] ? k : top), 0);
    museum.setAttribute("aria-label", `${known().length} works; ` + (answer.open
      ? `${best < count ? `work ${best + 1}` : "the lost painting"} counts most, ${percent(answer.share[best])}` : "no ink to explain"));
    easel.setAttribute("aria-label", `the painting, deepest ink ${deepest} of ${T}; brush at ${Math.round(brush.x)}, `
      + `${Math.round(brush.y)} of ${side}. Arrow keys move the brush, space splashes ink.`);
  };
  let asked = 0;
  const soon = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); }); };

  // ---- the hand: pointer and keys
  const place = (event) => {
    const box = easel.getBoundingClientRect();
    brush.x = (side * (event.clientX - box.left)) / box.width;
    brush.y = (side * (event.clientY - box.top)) / box.height;
    aim();
  };
  let from = null;
  const down = (event) => {
    if (event.button) return;
    easel.setPointerCapture(event.pointerId);
    place(event);
    from = [brush.x, brush.y];
    splash();
  };
  const move = (event) => {
    place(event);
    if (!from || Math.hypot(brush.x - from[0], brush.y - from[1]) < brush.size / 3) return;
    from = [brush.x, brush.y];
    splash(brush.strength / 2); // a stroke lays blots over one another
  };
  const up = () => { from = null; };
  const key = (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      const stride = event.shiftKey ? 1 : 4;
      brush.x = Math.min(Math.max(brush.x + stride * way[0], 0), side);
      brush.y = Math.min(Math.max(brush.y + stride * way[1], 0), side);
      aim();
      soon();
    } else if (event.key === " " || event.key === "Enter") splash();
    else return;
    event.preventDefault();
  };
  const hands = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, keydown: key };
  for (const [event, tell] of Object.entries(hands)) easel.addEventListener(event, tell);

  // With reduced motion: the same looks, a second apart.
  let rest = 0;
  const motion = clock(body, (seconds) => {
    rest += seconds;
    if (rest < (stillness() ? 1 : 1 / LOOKS)) return;
    rest = 0;
    for (let k = stillness() ? 5 : 1; k > 0; k--) look();
    if (!canvas.deepest()) halt();
  });
  const change = () => { last = null; soon(); };
  for (const name of ["seen", "whole"]) model.on(`change:${name}`, change);
  const unwatch = watch(body, soon);
  label();
  aim();
  for (const one of sliders) one.refresh();
  draw();
  Promise.all([loadPicture(clean), loadPicture(sheet)]).then(([picture, page]) => {
    works = Array.from({ length: count }, (_, k) => cutOut(page, k, columns, side, pitch));
    canvas = new Inked(picture.values, side, rates, seed);
    works.forEach((work, k) => paint(thumbs[k].canvas, work, side));
    for (const target of [own.canvas, lost]) paint(target, picture.values, side);
    draw();
    body.dataset.loaded = "";
  });
  return () => {
    motion.dispose();
    unwatch();
    cancelAnimationFrame(asked);
    for (const [event, tell] of Object.entries(hands)) easel.removeEventListener(event, tell);
    for (const name of ["seen", "whole"]) model.off(`change:${name}`, change);
  };
}

export default { render };
