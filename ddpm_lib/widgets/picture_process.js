// A picture of the reader's choice: the chain beside the jump, and the way back in one stroke.
import { clock, decode, format, loadPicture, make, seededNormal, slider, stage, stillness, watch } from "./figure.js";
import { tablesOf } from "./schedule_math.js";
import { Chain, histogram, jump, middle, moments, promised, promisedWithout, rms, strokeBack } from "./picture_math.js";
import { amplificationChart, histogramChart, showValues } from "./picture_panels.js";

const OWN_SIDE = 128; // pixels of the reader's own picture
const SECONDS = 9; // from t = 0 to T
const PATIENCE = 14; // milliseconds a frame that the chain may walk
const MOST_BYTES = 50e6;

// ---- drawing part ----------------------------------------------------------

// A file of the reader's as numbers in [-1, 1], its middle square scaled; it stays in the page.
async function ownPicture(file) {
  if (file.size > MOST_BYTES) throw new Error(`“${file.name}” is over 50 MB: take a smaller picture.`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`“${file.name}” is not a picture that this browser can read: take a JPEG, PNG or WebP.`);
  }
  const [left, top, side] = middle(bitmap.width, bitmap.height);
  const canvas = make("canvas", { width: OWN_SIDE, height: OWN_SIDE });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#fff"; // under what is transparent
  pen.fillRect(0, 0, OWN_SIDE, OWN_SIDE);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, left, top, side, side, 0, 0, OWN_SIDE, OWN_SIDE);
  bitmap.close();
  return loadPicture(canvas.toDataURL());
}

export function render({ model, el }) {
  const tables = tablesOf(Float64Array.from(decode(model.get("betas"), Float32Array)));
  const { T, beta, signalRate, noiseRate } = tables;
  const names = model.get("pictures").map((one) => one.name);
  const body = stage(el, model);
  const group = `ddpm-${Math.random().toString(36).slice(2)}`; // radio buttons of two copies must not meet
  const shown = []; // pictures there are: { values, width, box }
  let clean = null, cleanMoments = null, chain = null, eps = null, other = null, seed = model.get("seed");

  // ---- the choice of a picture
  const choose = (k) => { model.set("choice", k); model.save_changes(); };
  const choiceOf = (k, name) => {
    const canvas = make("canvas", { class: "ddpm-picture", "aria-hidden": "true" });
    const radio = make("input", { type: "radio", name: `${group}p`, value: k, "data-control": `picture-${k}`,
      "aria-label": name, onchange: () => choose(k) });
    return { canvas, radio, label: make("label", { class: "ddpm-pick" }, radio, canvas, make("span", {}, name)) };
  };
  const choices = names.map((name, k) => choiceOf(k, name));
  const said = make("div", { class: "ddpm-said", role: "status" });
  const file = make("input", { type: "file", accept: "image/*", "data-control": "file", "aria-label": "your own picture",
    onchange: () => { take(file.files[0]); file.value = ""; } });
  const own = make("label", { class: "ddpm-pick ddpm-own" }, file, make("div", { class: "ddpm-own-box", "aria-hidden": "true" }, "+"),
    make("span", {}, "your own"));
  const shelf = make("div", { class: "ddpm-picks", role: "group", "aria-label": "picture" }, ...choices.map((one) => one.label), own);
  const add = (picture, name) => {
    let k = names.length;
    if (shown.length > k) shown[k] = picture; // a second file takes the first one's place
    else {
      choices.push(choiceOf(k, name));
      shelf.insertBefore(choices[k].label, own);
      shown.push(picture);
    }
    showValues(choices[k].canvas, picture.values, picture.width);
    choices[k].label.lastChild.textContent = name;
    choices[k].radio.setAttribute("aria-label", name);
    if (model.get("choice") === k) begin();
    else choose(k);
  };
  const take = async (one) => {
    if (!one) return;
    try {
      add(await ownPicture(one), one.name.replace(/\.\w+$/, "").slice(0, 16) || "yours");
      said.textContent = "";
    } catch (error) {
      said.textContent = error.message;
    }
  };

  // ---- panels, charts, controls
  const views = [0, 1].map((k) => {
    const title = make("span", {}), count = make("span", { class: "ddpm-count" });
    const canvas = make("canvas", { class: "ddpm-picture ddpm-view", role: "img" });
    return { canvas, title, count, box: make("div", { class: `ddpm-side ddpm-side-${k}` },
      make("div", { class: "ddpm-key" }, title, count), make("div", { class: "ddpm-panel" }, canvas)) };
  });
  const commit = () => model.save_changes();
  const set = (name) => (value) => { model.set(name, value); };
  const time = slider({ name: "time t", short: "t", min: 0, max: T, get: () => model.get("t"), show: () => String(model.get("t")),
    input: (t) => { halt(); model.set("t", t); }, commit });
  const error = slider({ name: "error in ε", short: "error", min: 0, max: 0.2, step: 0.005, get: () => model.get("error"),
    show: () => `${format.short(100 * model.get("error"))} %`, input: set("error"), commit });
  const play = make("button", { type: "button", class: "ddpm-play", "data-control": "play",
    onclick: () => { if (motion.running) halt(); else run(); } });
  const label = () => {
    play.textContent = motion.running ? "Pause" : "Play";
    play.dataset.state = motion.running ? "running" : "resting";
  };
  const halt = () => { if (motion.running) { motion.stop(); commit(); } label(); };
  const run = () => { if (model.get("t") === T) model.set("t", 0); motion.start(); label(); };
  const step = make("button", { type: "button", "data-control": "step",
    onclick: () => { halt(); model.set("t", Math.min(T, model.get("t") + 1)); commit(); } }, "One drop");
  const noise = make("button", { type: "button", "data-control": "noise",
    onclick: () => { seed += 1; begin(); } }, "Other noise");
  const modes = [["forward", "Forward"], ["back", "Back"]].map(([value, text]) => {
    const radio = make("input", { type: "radio", name: `${group}m`, value, "data-control": value,
      onchange: () => { model.set("mode", value); commit(); } });
    return { radio, value, label: make("label", {}, radio, make("span", {}, text)) };
  });
  const forget = make("input", { type: "checkbox", "data-control": "forget",
    onchange: () => { model.set("forget", forget.checked); commit(); } });
  const forgetful = make("label", { class: "ddpm-tick" }, forget, " forget √(1−β) in the chain");
  const readouts = {};
  const reading = (name, text, kind = "") => {
    readouts[name] = make("output", {});
    return make("div", { "data-readout": name, class: kind }, make("span", {}, text), readouts[name]);
  };
  const forwardReadings = make("div", { class: "ddpm-readings" }, reading("chain", "chain: mean, deviation", "ddpm-signal"),
    reading("jump", "jump: mean, deviation", "ddpm-noise"), reading("formula", "by the formula"));
  const backReadings = make("div", { class: "ddpm-readings" }, reading("amplified", "noise rate / signal rate"),
    reading("in", "error in ε (RMS)"), reading("out", "error in x₀ (RMS)", "ddpm-noise"));
  const bars = histogramChart(), growth = amplificationChart(tables, (t) => { halt(); model.set("t", t); });
  const forwardBox = make("div", { class: "ddpm-forward" }, make("div", { class: "ddpm-key" },
    make("span", { class: "ddpm-signal" }, "values after the chain"), make("span", { class: "ddpm-noise" }, "after the jump")),
    bars.svg, forwardReadings);
  const backBox = make("div", { class: "ddpm-back" }, error.label, make("div", { class: "ddpm-key" },
    make("span", {}, "how much an error grows: noise rate / signal rate")), growth.svg, backReadings);
  body.append(shelf, said, make("div", { class: "ddpm-panels" }, ...views.map((view) => view.box)),
    make("div", { class: "ddpm-time" }, time.label),
    make("div", { class: "ddpm-row" }, play, step, noise,
      make("div", { class: "ddpm-ways", role: "radiogroup", "aria-label": "direction" }, ...modes.map((mode) => mode.label)), forgetful),
    forwardBox, backBox);

  // ---- the arithmetic and its picture
  const fresh = () => { chain = new Chain(clean, beta, seed, { root: !model.get("forget") }); };
  const begin = () => {
    const picture = shown[model.get("choice")];
    if (!picture) return;
    clean = picture.values;
    cleanMoments = moments(clean);
    eps = seededNormal(clean.length, seed + 17);
    other = seededNormal(clean.length, seed + 1717);
    fresh();
    soon();
  };
  const tell = (view, title, count, values, about) => {
    view.title.textContent = title;
    view.count.textContent = count;
    view.canvas.setAttribute("aria-label", about);
    showValues(view.canvas, values, shown[model.get("choice")].width);
  };
  const numbers = ({ mean, std }) => `${mean.toFixed(3)}, ${std.toFixed(3)}`.replace("-", "−");

  const drawForward = (t, signal, rate) => {
    const until = performance.now() + PATIENCE;
    const at = chain.go(t, () => performance.now() > until);
    const jumped = jump(clean, eps, signal, rate), forgot = model.get("forget");
    const walked = moments(chain.x), straight = moments(jumped);
    tell(views[0], "the chain", `${at} of ${t} steps`, chain.x, `the picture after ${at} steps of the chain`);
    tell(views[1], "the jump", "1 step", jumped, `the picture after one jump to t = ${t}`);
    bars.draw(histogram(chain.x, forgot ? 10 : 4), histogram(jumped, forgot ? 10 : 4), forgot ? 10 : 4,
      `values after ${at} steps: chain ${numbers(walked)}, jump ${numbers(straight)} (mean, standard deviation)`);
    readouts.chain.textContent = numbers(walked);
    readouts.jump.textContent = numbers(straight);
    readouts.formula.textContent = numbers(forgot ? promisedWithout(cleanMoments, beta, t) : promised(cleanMoments, signal, rate));
    body.dataset.at = at;
    if (at < t) soon(); // the rest in the next frame: the slider never waits for the chain
  };
  const drawBack = (t, signal, rate) => {
    const noisy = jump(clean, eps, signal, rate), wrong = model.get("error");
    const back = strokeBack(noisy, eps, other, wrong, signal, rate);
    tell(views[0], "xₜ", `t = ${t}`, noisy, `the noisy picture at t = ${t}`);
    tell(views[1], "x₀, back in one stroke", "", back, `the picture recovered from t = ${t} in one stroke`);
    growth.draw(t);
    readouts.amplified.textContent = `× ${format.short(rate / signal)}`;
    readouts.in.textContent = wrong.toFixed(3);
    readouts.out.textContent = format.short(rms(back, clean));
    body.dataset.at = t;
  };
  const draw = () => {
    const t = model.get("t"), forward = model.get("mode") === "forward";
    time.refresh();
    error.refresh();
    for (const mode of modes) mode.radio.checked = mode.value === model.get("mode");
    choices.forEach((one, k) => { one.radio.checked = k === model.get("choice"); });
    forget.checked = model.get("forget");
    for (const box of [forwardBox, forgetful]) box.hidden = !forward;
    backBox.hidden = forward;
    if (!clean) return;
    (forward ? drawForward : drawBack)(t, signalRate[t], noiseRate[t]);
  };
  let asked = 0;
  const soon = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); }); };

  // ---- dropping a file anywhere on the figure
  const over = (event) => { event.preventDefault(); body.classList.add("ddpm-over"); };
  const leave = () => body.classList.remove("ddpm-over");
  const drop = (event) => { event.preventDefault(); leave(); take(event.dataTransfer?.files[0]); };
  const hands = { dragover: over, dragleave: leave, drop };
  for (const [event, tellIt] of Object.entries(hands)) body.addEventListener(event, tellIt);

  // With reduced motion: twenty still pictures, not a film.
  let exact = 0, rest = 0;
  const motion = clock(body, (seconds) => {
    rest += seconds;
    if (stillness() && rest < 0.6) return;
    exact = Math.abs(exact - model.get("t")) < 1 ? exact : model.get("t");
    exact = Math.min(T, exact + (stillness() ? T / 20 : (T * rest) / SECONDS));
    rest = 0;
    model.set("t", Math.floor(exact));
    if (exact === T) halt();
  });
  const heard = { "change:t": soon, "change:mode": soon, "change:error": soon, "change:choice": begin,
    "change:forget": () => { if (clean) fresh(); soon(); } };
  for (const [event, tellIt] of Object.entries(heard)) model.on(event, tellIt);
  const unwatch = watch(body, soon);
  label();
  draw();
  let gone = false;
  Promise.all(model.get("pictures").map((one) => loadPicture(one.clean))).then((loaded) => {
    if (gone) return;
    shown.push(...loaded);
    loaded.forEach((picture, k) => showValues(choices[k].canvas, picture.values, picture.width));
    begin();
    body.dataset.loaded = "";
  });
  return () => {
    gone = true;
    motion.dispose();
    unwatch();
    cancelAnimationFrame(asked);
    for (const [event, tellIt] of Object.entries(hands)) body.removeEventListener(event, tellIt);
    for (const [event, tellIt] of Object.entries(heard)) model.off(event, tellIt);
  };
}

export default { render };
