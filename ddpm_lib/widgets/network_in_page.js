// The network in the page: it draws digits in the reader's browser, as a film, and restores what the reader drew.
import { clock, format, make, slider, stage, stillness, watch } from "./figure.js";
import { schedule } from "./schedule_math.js";
import { advice, film, megabytes, NO_LABEL, obstacle, PIXELS, SIDE, startOf, upTo, WAYS } from "./network_film.js";
import { choice, padOf, paint, panel } from "./network_pad.js";
import { startNetwork } from "./network_worker.js";

const THUMBS = 9; // pictures along the strip
const FILM_SECONDS = 3.5;

export function render({ model, el }) {
  const body = stage(el, model), figure = el.closest("figure.ddpm-figure");
  const { kind, T, start, end } = model.get("schedule"), table = schedule(kind, T, start, end);
  const state = { ...model.get("first"), mode: "draw", t: 500, frame: 0 };
  const drawing = new Float32Array(PIXELS).fill(-1);
  let network = null, steps = [], running = null;

  // ---- the button that loads, and what it says beforehand ----
  const sizes = model.get("sizes"), total = sizes.weights + sizes.runtime;
  const says = make("p", { role: "status", "aria-live": "polite", class: "ddpm-net-says" });
  const tell = (text) => { says.textContent = text; };
  const bar = make("progress", { max: total, value: 0, hidden: true, "aria-label": "loaded so far" });
  const load = make("button", { type: "button", class: "ddpm-net-load", "data-control": "load", onclick: begin },
    `Load the network and draw: ${megabytes(sizes.weights)} of weights, ${megabytes(sizes.runtime)} of runtime`);
  const gate = make("div", { class: "ddpm-net-gate" }, load, bar);
  if (figure) gate.prepend(figure.querySelector(".ddpm-still").firstElementChild.cloneNode(true));
  const inTheWay = () => obstacle({ protocol: location.protocol, root: document.documentElement.dataset.content_root,
    wasm: typeof WebAssembly === "object", worker: typeof Worker === "function" });

  async function begin() {
    const root = document.documentElement.dataset.content_root, stop = inTheWay();
    if (stop) return tell(stop);
    load.disabled = true;
    bar.hidden = false;
    const site = new URL(root, document.baseURI), files = model.get("files");
    const where = Object.fromEntries(Object.entries(files).map(([name, path]) => [name, new URL(path, site).href]));
    try {
      network = startNetwork(where, {
        onBytes: (loaded) => { bar.value = loaded; tell(`Loading: ${megabytes(loaded)} of ${megabytes(total)} …`); } });
      const { loaded } = await network.ready;
      body.dataset.network = loaded;
      gate.hidden = true;
      stageBox.hidden = false;
      drawButton.focus();
    } catch (error) {
      network?.stop();
      network = null;
      load.disabled = error.again === false;
      bar.hidden = true;
      tell(advice(error));
      return;
    }
    await draw();
  }

  // ---- pictures ----
  const pad = padOf(drawing, () => { drop(); showNoised(); });
  const noisy = panel("xₜ, the picture", "x"), clean = panel("the x₀ that the network expects", "x0");
  const strip = make("canvas", { class: "ddpm-picture ddpm-net-strip", role: "img",
    "aria-label": "the film: above what the picture was, below what the network expected" });

  // What the network made of the picture of step k; after the last step, of the one before.
  const expected = (k) => steps[Math.min(k + 1, steps.length - 1)].x0;
  function show() {
    const step = steps[state.frame];
    if (!step) return;
    paint(noisy.canvas, step.x);
    paint(clean.canvas, expected(state.frame));
    scrub.range.max = steps.length - 1;
    scrub.refresh();
    noisy.canvas.setAttribute("aria-label", `the picture at t = ${step.t}`);
    clean.canvas.setAttribute("aria-label", `what the network expects at t = ${step.t}`);
  }
  function showStrip() {
    const count = Math.min(THUMBS, steps.length);
    [strip.width, strip.height] = [THUMBS * (SIDE + 2) - 2, 2 * SIDE + 2]; // one size, or the page would jump
    const pen = strip.getContext("2d"), small = make("canvas"), left = ((THUMBS - count) * (SIDE + 2)) / 2;
    for (let k = 0; k < count; k++) {
      const at = count === 1 ? 0 : Math.round((k * (steps.length - 1)) / (count - 1));
      [steps[at].x, expected(at)].forEach((picture, row) => {
        if (!picture) return;
        paint(small, picture.subarray(0, PIXELS));
        pen.drawImage(small, left + k * (SIDE + 2), row * (SIDE + 2));
      });
    }
  }
  function showNoised() {
    if (state.mode !== "restore") return;
    steps = [{ t: state.t, x: startOf(table, state.t, drawing, 1, state.seed), x0: null }];
    state.frame = 0;
    show();
    showStrip();
  }

  // ---- a run ----
  const labels = () => {
    if (state.label === "all") return [...Array(10).keys()];
    return [state.label === "none" ? NO_LABEL : Number(state.label)];
  };
  // Guided, a step asks the network twice, with the label and without; both go through it in one batch.
  const answersAStep = () => (state.label === "none" || state.scale === 1 ? 1 : 2);
  async function draw() {
    if (running) return pauseOrGo();
    player.stop();
    const mine = running = { stopped: false, paused: null, go: null };
    const restoring = state.mode === "restore", from = restoring ? state.t : T;
    const who = labels();
    const part = upTo(table, from), begun = performance.now(), times = [];
    const run = (...asked) => network.run(...asked, (ms) => times.push(ms));
    steps = [];
    refresh();
    const x = startOf(table, from, restoring ? drawing : null, who.length, state.seed);
    try {
      await film(run, part, x, { ...state, labels: who }, async (step) => {
        if (mine.stopped) return false;
        steps.push(step);
        state.frame = steps.length - 1;
        show();
        tell(`Step ${state.frame} of ${Math.min(state.steps, from)}, t = ${step.t}`);
        body.toggleAttribute("data-paused", mine.paused !== null);
        await mine.paused;
        body.toggleAttribute("data-paused", false);
        return !mine.stopped;
      });
      if (mine.stopped) return;
      const whole = performance.now() - begun, twice = answersAStep() === 2;
      const calls = times.length, each = times.reduce((sum, ms) => sum + ms, 0) / calls;
      tell(`${who.length === 1 ? "One digit" : "Ten digits"} in ${(whole / 1000).toFixed(2)} s: ${answersAStep() * calls} calls of`
        + ` the network, ${format.short(each / answersAStep())} ms each${who.length > 1 ? " for all ten" : ""}${twice
          ? "; each step asks with the label and without" : ""}.`);
      const detail = { steps, labels: who, seconds: whole / 1000, calls, ms: each };
      body.dispatchEvent(new CustomEvent("ddpm:film", { bubbles: true, detail }));
    } catch (error) {
      tell(`${error.message} The film so far is kept.`);
    } finally {
      if (running === mine) { running = null; refresh(); showStrip(); }
    }
  }
  function pauseOrGo() {
    if (running.go) { running.go(); running.go = running.paused = null; }
    else running.paused = new Promise((done) => { running.go = done; });
    refresh();
  }
  function drop() { // what is running belongs to settings that are no more
    if (!running) return;
    running.stopped = true;
    running.go?.();
    running = null;
    tell("Stopped. The film so far is kept.");
    refresh();
    showStrip();
  }

  // ---- controls ----
  const change = (name, value) => {
    drop();
    state[name] = value;
    if (["mode", "t", "seed"].includes(name)) showNoised(); // the others leave the last film to look at
    refresh();
  };
  const group = `ddpm-net-${Math.random().toString(36).slice(2)}`; // radio buttons of two copies must not meet
  const ways = make("div", { class: "ddpm-ways", role: "radiogroup", "aria-label": "what to do" },
    ...[["draw", "A new digit"], ["restore", "Restore mine"]].map(([mode, name]) => make("label", {},
      make("input", { type: "radio", name: group, "data-control": `mode-${mode}`, checked: mode === "draw",
        onchange: () => setMode(mode) }), make("span", {}, name))));
  const radios = [...ways.querySelectorAll("input")];
  function setMode(mode) {
    pad.box.hidden = noise.label.hidden = mode === "draw";
    ten.hidden = ten.disabled = mode === "restore"; // there is one picture to restore
    if (mode === "restore" && state.label === "all") state.label = "none";
    change("mode", mode);
  }
  const label = choice("label", "label", [["none", "none"], ...[...Array(10).keys()].map((d) => [String(d), String(d)]),
    ["all", "0 to 9, all ten"]], () => change("label", label.box.value)), ten = label.box.lastElementChild;
  const way = choice("sampler", "sampler", Object.entries(WAYS).map(([key, w]) => [key, w.name]),
    () => change("way", way.box.value));
  const noise = slider({ name: "noise it to", short: "noise", min: 20, max: T, step: 10, get: () => state.t,
    show: () => `t = ${state.t}, ${format.short(100 * table.signalRate[state.t])} % of it left`,
    input: (t) => change("t", t) });
  const scale = slider({ name: "guidance scale γ", short: "scale", min: 0, max: 8, step: 0.5, get: () => state.scale,
    show: () => (state.scale === 1 ? "1: none" : String(state.scale)), input: (v) => change("scale", v) });
  const count = slider({ name: "steps", short: "steps", min: 1, max: 100, get: () => state.steps,
    show: () => `${state.steps} (${answersAStep() * WAYS[state.way].calls(state.steps)} calls)`, input: (n) => change("steps", n) });
  const scrub = slider({ name: "the film", short: "frame", min: 0, max: 0, get: () => state.frame,
    show: () => (steps[state.frame] ? `step ${state.frame}, t = ${steps[state.frame].t}` : "not yet drawn"),
    input: (k) => { player.stop(); state.frame = k; show(); refresh(); } });
  const seed = make("input", { type: "number", min: 0, max: 99999, value: state.seed, "data-control": "seed",
    onchange: () => change("seed", Math.max(0, Math.floor(Number(seed.value)) || 0)) });
  const another = make("button", { type: "button", "data-control": "another",
    onclick: () => change("seed", state.seed + 1) }, "Other noise");
  const drawButton = make("button", { type: "button", class: "ddpm-play", "data-control": "draw", onclick: draw });
  const stopButton = make("button", { type: "button", "data-control": "stop", onclick: drop }, "Stop");
  const playButton = make("button", { type: "button", "data-control": "play", onclick: play });
  const take = make("button", { type: "button", "data-control": "take", onclick: takeLast }, "Put it on the pad");

  let reached = 0;
  const player = clock(body, (seconds) => {
    reached += (seconds * (steps.length - 1)) / FILM_SECONDS;
    state.frame = Math.min(Math.floor(reached), steps.length - 1);
    show();
    if (state.frame >= steps.length - 1) { player.stop(); refresh(); }
  });
  function play() {
    if (player.running) player.stop();
    else if (stillness()) state.frame = (state.frame + 1) % steps.length; // no film where motion is unwelcome
    else {
      if (state.frame >= steps.length - 1) state.frame = 0;
      reached = state.frame;
      player.start();
    }
    show();
    refresh();
  }
  function takeLast() {
    const step = steps.at(-1);
    drawing.set((step.x0 ?? step.x).slice(0, PIXELS).map((v) => Math.min(Math.max(v, -1), 1)));
    pad.paint();
    radios[1].checked = true;
    setMode("restore");
  }
  function refresh() {
    for (const control of [noise, scale, count, scrub]) control.refresh();
    label.box.value = state.label;
    way.box.value = state.way;
    seed.value = state.seed;
    scale.range.disabled = state.label === "none";
    drawButton.textContent = running ? (running.go ? "Go on" : "Pause") : state.mode === "draw" ? "Draw" : "Restore";
    drawButton.dataset.state = running && !running.go ? "running" : "";
    stopButton.disabled = !running;
    playButton.textContent = player.running ? "Pause the film" : "Play the film";
    playButton.disabled = scrub.range.disabled = running !== null || steps.length < 2;
    take.disabled = running !== null || steps.length < 2;
  }

  const stageBox = make("div", { hidden: true },
    make("div", { class: "ddpm-row" }, ways, drawButton, stopButton, playButton, take),
    make("div", { class: "ddpm-net-panels" }, pad.box, noisy.box, clean.box),
    scrub.label, strip,
    make("div", { class: "ddpm-sliders" }, noise.label, scale.label, count.label),
    make("div", { class: "ddpm-row" }, label.label, way.label,
      make("label", { class: "ddpm-choice" }, make("span", {}, "seed"), seed), another));
  body.append(gate, stageBox, says);
  pad.box.hidden = noise.label.hidden = true;
  if (inTheWay()) { load.hidden = true; tell(inTheWay()); }
  const unwatch = watch(body, () => {});
  refresh();
  return () => {
    drop();
    unwatch();
    player.dispose();
    network?.stop();
  };
}

export default { render };
