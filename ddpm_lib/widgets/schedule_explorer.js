// Schedule explorer: move T, the betas, the kind and the data's range, and see at once what is left of the picture.
import { format, loadPicture, make, noisyPixels, seededNormal, slider, stage, watch } from "./figure.js";
import { KINDS, schedule } from "./schedule_math.js";

// ---- pure part -------------------------------------------------------------

// Sliders that are logarithmic: a step is a hundredth of a decade.
export const toStep = (value) => Math.round(100 * Math.log10(value));
export const fromStep = (step) => Number((10 ** (step / 100)).toPrecision(3));

// A path through a table of numbers; values beyond low..high are held at the edge.
export function pathOf(table, width, height, low, high) {
  const n = table.length - 1;
  const stride = Math.max(1, Math.floor(n / 250));
  let d = "";
  const add = (t) => {
    const held = Math.min(Math.max(table[t], low), high);
    d += `${d ? "L" : "M"}${((width * t) / n).toFixed(1)} ${(height * (high - held) / (high - low)).toFixed(1)}`;
  };
  for (let t = 0; t < n; t += stride) add(t);
  add(n);
  return d;
}

const DDPM = { kind: "linear", beta_start: 1e-4, beta_end: 0.02, per_thousand: false };
export const PRESETS = [
  ["DDPM", { ...DDPM, T: 1000 }],
  ["its betas, 50 steps", { ...DDPM, T: 50 }],
  ["the same × 1000/T", { ...DDPM, T: 50, per_thousand: true }],
  ["cosine", { kind: "cosine", T: 1000, per_thousand: false }],
  ["Stable Diffusion", { kind: "scaled-linear", T: 1000, beta_start: 0.00085, beta_end: 0.012, per_thousand: false }],
];

// What the betas are multiplied by, so that their sum, which decides the end, does not change with T.
export const factorOf = (kind, T, perThousand) => (perThousand && kind !== "cosine" ? 1000 / T : 1);

// A beta below 1: 1000/T of a large beta would ask a step for more noise than there can be.
export const held = (beta) => Math.min(beta, 0.999);

// Noise for a picture: three numbers a pixel, all alike where the picture is grey.
export const noiseFor = (n, seed, grey) => (grey ? (one) => Float32Array.from({ length: n }, (_, i) => one[Math.floor(i / 3)])
  : (each) => each)(seededNormal(grey ? n / 3 : n, seed));

// Data in [−1, 1] as it is in [0, 1], or untouched.
export const inRange = (values, range) => (range === "0..1" ? values.map((v) => (v + 1) / 2) : values);

// Mean, standard deviation and power E[x²] of a picture's numbers.
export function powerOf(values) {
  let [sum, squares] = [0, 0];
  for (const v of values) { sum += v; squares += v * v; }
  const [mean, power] = [sum / values.length, squares / values.length];
  return { mean, power, std: Math.sqrt(Math.max(power - mean * mean, 0)) };
}

// The first t at which the noise has at least the power of the signal, for data of that power; null: never.
export function crossingOf(snr, power) {
  const t = snr.findIndex((value) => value * power <= 1);
  return t < 0 ? null : t;
}

// ---- drawing part ----------------------------------------------------------

const RANGES = [["-1..1", "[−1, 1]"], ["0..1", "[0, 1]"]];
const EDGE = { left: 30, right: 8, top: 8, bottom: 20 };

// One small chart over t. curves: [table, css class]; drag on it to move t.
function chart({ title, low, high, ticks, seek }) {
  const svg = make("svg", { class: "ddpm-chart", role: "img", "aria-label": title,
    onpointerdown: (event) => { svg.setPointerCapture(event.pointerId); toTime(event); },
    onpointermove: (event) => { if (event.buttons) toTime(event); } });
  let inner = 1;
  const toTime = (event) => {
    const x = event.clientX - svg.getBoundingClientRect().left - EDGE.left;
    seek(Math.min(Math.max(x / inner, 0), 1));
  };
  const draw = (T, t, curves) => {
    const { clientWidth: width, clientHeight: height } = svg;
    if (width <= EDGE.left + EDGE.right) return; // not in sight: in a folded cell, or behind another tab
    inner = width - EDGE.left - EDGE.right;
    const tall = height - EDGE.top - EDGE.bottom;
    const y = (value) => (tall * (high - value)) / (high - low);
    const area = make("g", { transform: `translate(${EDGE.left} ${EDGE.top})` });
    for (const tick of ticks) {
      area.append(make("line", { x1: 0, x2: inner, y1: y(tick), y2: y(tick), class: "ddpm-rule" }),
        make("text", { x: -5, y: y(tick) + 3.5, "text-anchor": "end" }, String(tick).replace("-", "−")));
    }
    for (const [share, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]]) {
      area.append(make("text", { x: share * inner, y: tall + 15, "text-anchor": anchor },
        share ? String(Math.round(share * T)) : "t = 0"));
    }
    for (const [table, name] of curves)
      area.append(make("path", { d: pathOf(table, inner, tall, low, high), class: `ddpm-curve ${name}` }));
    const x = (inner * t) / T;
    area.append(make("line", { x1: x, x2: x, y1: 0, y2: tall, class: "ddpm-now" }));
    for (const [table, name] of curves)
      area.append(make("circle", { cx: x, cy: y(Math.min(Math.max(table[t], low), high)), r: 3.6,
        class: `ddpm-dot ${name}` }));
    svg.replaceChildren(area);
  };
  return { svg, draw };
}

export function render({ model, el }) {
  const body = stage(el, model);
  const keys = ["kind", "T", "beta_start", "beta_end", "t", "per_thousand", "data_range"];
  let table = null, picture = null;
  const factor = () => factorOf(model.get("kind"), model.get("T"), model.get("per_thousand"));
  const compute = () => {
    const [start, end] = ["beta_start", "beta_end"].map((name) => held(model.get(name) * factor()));
    table = schedule(model.get("kind"), model.get("T"), start, end);
  };
  const change = (values) => {
    const share = model.get("t") / model.get("T");
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    if ("T" in values) model.set("t", Math.round(share * model.get("T")));
  };
  const commit = () => model.save_changes();
  const seek = (share) => { model.set("t", Math.round(share * model.get("T"))); };

  const rates = chart({ title: "alpha-bar, signal rate and noise rate against t", low: 0, high: 1,
    ticks: [0, 0.5, 1], seek });
  const snr = chart({ title: "natural logarithm of the signal-to-noise ratio against t", low: -12, high: 12,
    ticks: [-10, 0, 10], seek });
  const canvas = make("canvas", { class: "ddpm-picture", role: "img", "aria-label": "the picture at time t" });
  const kind = make("select", { "data-control": "kind",
    onchange: () => { change({ kind: kind.value }); commit(); } }, ...KINDS.map((name) => make("option", { value: name }, name)));
  const product = (beta) => (factor() === 1 ? format.short(beta)
    : `${format.short(beta)} × ${format.short(factor())} = ${format.short(held(beta * factor()))}`);
  const log = (name) => ({ get: () => toStep(model.get(name)), show: () => product(model.get(name)),
    input: (step) => change({ [name]: fromStep(step) }), commit });
  const sliders = {
    t: slider({ name: "time t", short: "t", min: 0, max: model.get("T"), get: () => model.get("t"),
      show: () => String(model.get("t")), input: (t) => change({ t }), commit }),
    T: slider({ name: "steps T", short: "T", min: 10, max: 1000, step: 10, get: () => model.get("T"),
      show: () => String(model.get("T")), input: (T) => change({ T }), commit }),
    beta_start: slider({ name: "first β", short: "beta_start", min: -500, max: -100, ...log("beta_start") }),
    beta_end: slider({ name: "last β", short: "beta_end", min: -400, max: -30, ...log("beta_end") }),
  };
  const readouts = {};
  const reading = (name, text) => {
    readouts[name] = make("output", {});
    return make("div", { "data-readout": name }, make("span", {}, text), readouts[name]);
  };
  const group = `ddpm-${Math.random().toString(36).slice(2)}`; // radio buttons of two copies must not meet
  const ranges = RANGES.map(([value, text]) => {
    const radio = make("input", { type: "radio", name: group, value, "data-control": value,
      onchange: () => { change({ data_range: value }); commit(); } });
    return { value, radio, label: make("label", {}, radio, make("span", {}, text)) };
  });
  const scaled = make("input", { type: "checkbox", "data-control": "per_thousand",
    onchange: () => { change({ per_thousand: scaled.checked }); commit(); } });
  const powers = make("div", { class: "ddpm-powers" });
  const verdict = make("span", { role: "status" });
  const left = reading("left", "of the amplitude left at T");
  left.className = "ddpm-left";
  left.prepend(readouts.left);
  left.append(verdict);
  const presets = make("div", { class: "ddpm-presets", role: "group", "aria-label": "known schedules" },
    make("span", {}, "Try"), ...PRESETS.map(([name, values]) => make("button", { type: "button", "data-control": name,
      onclick: () => { change(values); commit(); } }, name)));

  body.append(
    make("div", { class: "ddpm-charts" },
      make("div", { class: "ddpm-cell ddpm-cell-rates" }, make("div", { class: "ddpm-key" },
        make("span", { class: "ddpm-signal" }, "signal √ᾱ"), make("span", { class: "ddpm-noise" }, "noise √(1−ᾱ)"),
        make("span", { class: "ddpm-share" }, "ᾱ")), rates.svg, sliders.t.label),
      make("div", { class: "ddpm-cell" }, make("div", { class: "ddpm-key" }, make("span", {}, "log SNR"),
        make("span", { class: "ddpm-noise" }, "this picture’s - -")), snr.svg),
      make("div", { class: "ddpm-cell ddpm-cell-picture" }, make("div", { class: "ddpm-key" }, make("span", {}, "picture at t")), canvas)),
    make("div", { class: "ddpm-sliders ddpm-sliders-3" }, sliders.T.label, sliders.beta_start.label, sliders.beta_end.label),
    make("div", { class: "ddpm-row" }, make("label", { class: "ddpm-kind" }, "kind ", kind),
      make("label", { class: "ddpm-kind" }, scaled, " β × 1000/T"), presets),
    left,
    make("div", { class: "ddpm-row" }, make("span", { class: "ddpm-kind" }, "data in"),
      make("div", { class: "ddpm-ways", role: "radiogroup", "aria-label": "range of the data" },
        ...ranges.map((range) => range.label)), powers),
    make("div", { class: "ddpm-readings" }, reading("snr", "SNR at t"), reading("signal", "signal rate at t"),
      reading("noise", "noise rate at t"), reading("one", "SNR = 1 at t"), reading("own", "SNR of this picture = 1 at t"),
      reading("largest", "largest β")));

  const draw = () => {
    const { T, alphaBar, signalRate, noiseRate } = table;
    const t = Math.min(model.get("t"), T);
    rates.draw(T, t, [[alphaBar, "ddpm-share"], [noiseRate, "ddpm-noise"], [signalRate, "ddpm-signal"]]);
    const range = model.get("data_range");
    const own = picture?.[range];
    const shift = own ? Math.log(own.power) : 0;
    snr.draw(T, t, [...(own ? [[table.logSnr.map((v) => v + shift), "ddpm-noise ddpm-own"]] : []), [table.logSnr, "ddpm-ink"]]);
    sliders.t.range.max = T;
    for (const one of Object.values(sliders)) one.refresh();
    kind.value = model.get("kind");
    for (const input of [sliders.beta_start.range, sliders.beta_end.range, scaled]) input.disabled = kind.value === "cosine";
    scaled.checked = model.get("per_thousand");
    for (const { value, radio } of ranges) radio.checked = value === range;
    readouts.snr.textContent = format.short(table.snr[t]);
    readouts.signal.textContent = format.rate(signalRate[t]);
    readouts.noise.textContent = format.rate(noiseRate[t]);
    readouts.one.textContent = table.tAtSnrOne ?? "never";
    readouts.own.textContent = own ? crossingOf(table.snr, own.power) ?? "never" : "";
    readouts.largest.textContent = format.short(Math.max(...table.beta));
    readouts.left.textContent = `${format.short(100 * table.amplitudeLeft)} %`;
    const much = table.amplitudeLeft > 0.01;
    left.toggleAttribute("data-warning", much);
    verdict.textContent = much ? "Over 1 %: training never shows pure noise, but sampling begins there."
      : "Under 1 %: the end is as good as pure noise.";
    if (!picture) return;
    powers.replaceChildren(...RANGES.map(([value, text]) => make("span", { "data-range": value, "data-chosen": value === range },
      `${text}: ` + [["mean", "mean"], ["std", "std"], ["E[x²]", "power"]]
        .map(([name, key]) => `${name} ${picture[value][key].toFixed(2).replace("-", "−")}`).join(", "))));
    const way = model.get("picture").grey ? -1 : 1; // digits are ink on paper, as everywhere in the book
    noisyPixels(own.values, picture.eps, way * signalRate[t], way * noiseRate[t], picture.pixels.data);
    canvas.getContext("2d").putImageData(picture.pixels, 0, 0);
  };
  let asked = 0; // several changes at once are drawn once
  const soon = () => { asked ||= requestAnimationFrame(() => { asked = 0; compute(); draw(); }); };
  for (const key of keys) model.on(`change:${key}`, soon);
  const unwatch = watch(body, soon);
  compute();
  draw();
  if (model.get("picture").clean) {
    loadPicture(model.get("picture").clean).then((loaded) => {
      picture = { ...Object.fromEntries(RANGES.map(([range]) => {
        const values = inRange(loaded.values, range);
        return [range, { values, ...powerOf(values) }];
      })), eps: noiseFor(loaded.values.length, model.get("picture").seed, model.get("picture").grey),
        pixels: new ImageData(loaded.width, loaded.height) };
      [canvas.width, canvas.height] = [loaded.width, loaded.height];
      draw();
      body.dataset.loaded = "";
    });
  }
  return () => {
    unwatch();
    cancelAnimationFrame(asked);
    for (const key of keys) model.off(`change:${key}`, soon);
  };
}

export default { render };
