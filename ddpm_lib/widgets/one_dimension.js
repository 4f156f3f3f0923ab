// One dimension, exactly: draw a density, watch the noise take it, pick a point and ask where it came from, walk both ways.
import { clock, decode, format, make, slider, stage, stillness, watch } from "./figure.js";
import { tablesOf } from "./schedule_math.js";
import { BINS, bestGuess, binCentre, distances, drawnMixture, heightsOf, densityAt, marginal, mixtureOf, momentsOf,
  placeAt, stepBack, jumpVariance } from "./density_math.js";
import { histogram, minus } from "./density_grid.js";
import { drawMap, drawNow, drawPad, drawStep, heatMap, paletteOf } from "./density_panels.js";
import { JUMP_STOPS, jumpAt, stepChoices, stopOf, WALKERS, walkers } from "./density_walks.js";
import { drawnByHand, FULL, pickedByHand } from "./density_hands.js";

const SECONDS_A_RUN = 6;
const WAYS = [["marginals", "Marginals"], ["posterior", "Posterior"], ["samples", "Samples"]];
const PROCESSES = [["chain", "Forward: the chain"], ["ddpm", "Back: DDPM"], ["ddim", "Back: DDIM"]];

export function render({ model, el }) {
  const body = stage(el, model);
  const table = tablesOf(decode(model.get("beta"), Float64Array));
  const { T } = table;
  const presets = Object.fromEntries(model.get("densities"));
  const heatOf = heatMap();
  let mixture = null, scale = 1, walk = null, asked = 0, ticket = 0, holding = false, bin = null, gone = false;
  let t = model.get("t"); // real while the clock runs; the model holds whole steps
  const get = (name) => model.get(name);
  const set = (values, save = true) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    if (save) model.save_changes();
  };

  const settle = () => { // another density
    const rows = presets[get("density")];
    const drawn = !rows && get("heights").some((h) => h > 0);
    mixture = drawn ? drawnMixture(get("heights")) : mixtureOf(rows ?? Object.values(presets)[0]);
    scale = drawn ? 1 / (get("heights").reduce((a, b) => a + b, 0) * BINS.width * FULL)
      : Math.max(...mixture.mean.map((m) => densityAt(mixture, m))) / (0.9 * FULL);
  };
  const send = () => { // other walkers; while a stroke is being drawn they wait for its end
    walk = null;
    const mine = ++ticket;
    if (get("view") !== "samples" || holding) return;
    const pause = () => new Promise((resume) => setTimeout(resume));
    const wanted = () => mine === ticket && !gone;
    walkers(mixture, table, { process: get("process"), steps: get("steps"), seed: get("seed") }, wanted, pause)
      .then((arrived) => { if (wanted()) { walk = arrived; body.dataset.walked = String(mine); draw(); } });
  };

  // ---- the three panels that share the x axis
  const pad = make("canvas", { class: "ddpm-pad", tabindex: 0, role: "slider", "data-control": "pad",
    "aria-label": "density of the data: up and down choose a place, right and left raise and lower it",
    "aria-valuemin": 0, "aria-valuemax": 1, "aria-valuenow": 0 });
  const map = make("canvas", { class: "ddpm-map", tabindex: 0, role: "application", "data-control": "map" });
  const now = make("canvas", { role: "img" });
  const onStep = make("canvas", { class: "ddpm-step-back", role: "img" });

  const seek = (time) => { if (get("playing")) set({ playing: false }); t = time; model.set("t", Math.round(time)); };
  const release = [
    drawnByHand(pad, model, { heightsNow: () => (get("density") === "drawn" ? get("heights") : heightsOf(mixture)),
      look: (place) => { bin = place; soon(); }, hold: (held) => { holding = held; if (!held) send(); } }),
    pickedByHand(map, model, { T, seek, picked: () => soon() }),
  ];

  // ---- controls
  const time = slider({ name: "time t", short: "t", min: 0, max: T, get: () => Math.round(t), show: () => `${Math.round(t)}`,
    input: (value) => { seek(value); soon(); }, commit: () => model.save_changes() });
  const play = make("button", { type: "button", class: "ddpm-play", "data-control": "play",
    onclick: () => set({ playing: !get("playing") }) });
  const radios = (trait, options, label) => {
    const group = `ddpm-${Math.random().toString(36).slice(2)}`;
    const inputs = options.map(([value]) => make("input", { type: "radio", name: group, value, "data-control": value,
      onchange: () => set({ [trait]: value }) }));
    const box = make("div", { class: "ddpm-ways ddpm-ways-many", role: "radiogroup", "aria-label": label },
      ...options.map(([, text], i) => make("label", {}, inputs[i], make("span", {}, text))));
    return { box, refresh: () => { for (const one of inputs) one.checked = one.value === get(trait); } };
  };
  const views = radios("view", WAYS, "what is shown");
  const processes = radios("process", PROCESSES, "walkers");
  const arrows = make("input", { type: "checkbox", "data-control": "arrows", onchange: () => draw() });
  const names = Object.keys(presets).map((name) => make("button", { type: "button", "data-control": name,
    onclick: () => set({ density: name }) }, name));
  const jump = slider({ name: "length of the step back", short: "jump", min: 0, max: JUMP_STOPS,
    get: () => stopOf(get("jump"), T), show: () => words.jump, input: (stop) => set({ jump: jumpAt(stop, T) }, false),
    commit: () => model.save_changes() });
  const choices = stepChoices(T);
  const steps = slider({ name: "steps on the way back", short: "steps", min: 0, max: choices.length - 1,
    get: () => choices.findIndex((n) => n >= Math.min(get("steps"), T)), show: () => String(Math.min(get("steps"), T)),
    input: (i) => set({ steps: choices[i] }, false), commit: () => model.save_changes() });
  const again = make("button", { type: "button", "data-control": "again",
    onclick: () => set({ seed: (get("seed") + 1) % 10000 }) }, "New walkers");
  const words = { jump: "" };
  const key = (...parts) => make("div", { class: "ddpm-key" }, ...parts.map(([text, name = ""]) => make("span", { class: name }, text)));
  const keys = { pad: key(["p(x₀)", "ddpm-signal"]), now: key(["q(xₜ)", "ddpm-signal"], ["N(0, 1) - -"]),
    posterior: make("span", { class: "ddpm-noise", hidden: true }, "p(x₀ | xₜ)"), step: make("div", { class: "ddpm-key" }) };
  keys.pad.append(keys.posterior);
  const outputs = {};
  const readings = (view, list) => make("div", { class: "ddpm-readings", "data-view": view }, ...list.map(([name, text]) => {
    outputs[name] = make("output", {});
    return make("div", { "data-readout": name }, make("span", {}, text), outputs[name]);
  }));
  const only = {
    marginals: [readings("marginals", [["tv", "TV to N(0, 1)"], ["kl", "KL to N(0, 1)"], ["mean", "mean of xₜ"], ["std", "std of xₜ"]])],
    posterior: [make("div", { class: "ddpm-one-step" }, keys.step, onStep), jump.label,
      readings("posterior", [["xt", "xₜ"], ["x0", "best guess E[x₀ | xₜ]"], ["eps", "best noise"], ["score", "score"],
        ["gap", "TV to its Gaussian"], ["spread", "std of the step"], ["held", "DDPM's choices: √β̃"], ["beta", "and √β"]])],
    samples: [make("div", { class: "ddpm-row" }, processes.box, again), steps.label,
      readings("samples", [["walked", "walkers: mean, std"], ["exact", "exact: mean, std"]])],
  };
  body.append(
    make("div", { class: "ddpm-presets", role: "group", "aria-label": "density of the data" },
      make("span", {}, "Data"), ...names, make("span", { class: "ddpm-hint" }, "or draw on the left")),
    make("div", { class: "ddpm-line-panels" }, make("div", { class: "ddpm-cell" }, keys.pad, pad),
      make("div", { class: "ddpm-cell" }, key(["x ↑  time t →"]), map),
      make("div", { class: "ddpm-cell" }, keys.now, now), time.label),
    make("div", { class: "ddpm-row" }, play, views.box, make("label", { class: "ddpm-check" }, arrows, " score arrows")),
    ...Object.values(only).flat());

  // ---- drawing
  const fixed = (value) => minus(Math.abs(value) < 0.0005 ? "0.000" : value.toFixed(3));
  const draw = () => {
    const palette = paletteOf(body);
    const [view, x, whole] = [get("view"), get("x"), Math.round(t)];
    const noisy = Math.max(whole, 1);
    const marginalNow = marginal(mixture, table, whole);
    const moments = momentsOf(marginalNow);
    const best = whole ? bestGuess(mixture, table, x, whole) : { x0: x, eps: 0 };
    const posterior = view === "posterior" ? stepBack(mixture, table, x, noisy, 0) : null;
    const places = view === "samples" && walk ? placeAt(walk.times, walk.frames, t, new Float64Array(WALKERS)) : null;
    drawPad(pad, palette, { mixture, top: scale, posterior, guess: best.x0, bin: bin === null ? null : binCentre(bin) });
    drawMap(map, palette, { heat: heatOf(mixture, table, palette), mixture, schedule: table, t, x, view,
      arrows: arrows.checked, walk, guess: best.x0 });
    drawNow(now, palette, { now: marginalNow, t, bars: places && histogram(places, 48), colour: walk?.colour, x: posterior && x });
    time.refresh();
    if (view === "marginals") {
      const { tv, kl } = distances(marginalNow);
      Object.entries({ tv: format.short(tv), kl: format.short(kl), mean: fixed(moments.mean), std: fixed(moments.std) })
        .forEach(([name, text]) => { outputs[name].textContent = text; });
    } else if (view === "posterior") tellStep(palette, x, noisy, best);
    else {
      const own = places && momentsOf({ weight: places.map(() => 1 / WALKERS), mean: places, std: places.map(() => 0) });
      outputs.walked.textContent = own ? `${fixed(own.mean)}, ${fixed(own.std)}` : "…";
      outputs.exact.textContent = `${fixed(moments.mean)}, ${fixed(moments.std)}`;
    }
    map.setAttribute("aria-label", `map of time and x, at t = ${whole}, x = ${fixed(x)}: best guess of x0 ${fixed(best.x0)}; arrow keys move the point`);
    now.setAttribute("aria-label", `density at t = ${whole}: mean ${fixed(moments.mean)}, standard deviation ${fixed(moments.std)}`);
    const heights = bin === null ? null : get("density") === "drawn" ? get("heights") : heightsOf(mixture);
    pad.setAttribute("aria-valuenow", heights ? heights[bin] : 0);
    pad.setAttribute("aria-valuetext", heights ? `x = ${fixed(binCentre(bin))}, height ${heights[bin].toFixed(2)}` : get("density"));
  };
  const tellStep = (palette, x, noisy, best) => {
    const s = Math.max(noisy - get("jump"), 0);
    const step = stepBack(mixture, table, x, noisy, s);
    const [own, beta] = [momentsOf(step), jumpVariance(table, noisy, s)];
    words.jump = `${noisy - s} (to t = ${s})`;
    jump.refresh();
    drawStep(onStep, palette, step);
    const gap = distances(step, own.mean, own.std).tv;
    const held = (beta * (1 - table.alphaBar[s])) / (1 - table.alphaBar[noisy]);
    keys.step.replaceChildren(make("span", { class: "ddpm-noise" }, `step back: q(x at ${s} | x at ${noisy})`),
      make("span", {}, "Gaussian of the same mean and std - -"));
    onStep.setAttribute("aria-label", `density of x at t = ${s}, given x = ${fixed(x)} at t = ${noisy}; its distance to a Gaussian is ${format.short(gap)}`);
    Object.entries({ xt: fixed(x), x0: fixed(best.x0), eps: fixed(best.eps), score: fixed(-best.eps / table.noiseRate[noisy]),
      gap: format.short(gap), spread: fixed(own.std), held: fixed(Math.sqrt(held)), beta: fixed(Math.sqrt(beta)) })
      .forEach(([name, text]) => { outputs[name].textContent = text; });
  };
  const soon = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); }); };

  // ---- the clock: from noise to data for walkers that go back, else from data to noise
  const falls = () => get("view") === "samples" && get("process") !== "chain";
  let rest = 0;
  const motion = clock(body, (seconds) => {
    rest += seconds;
    if (stillness() && rest < 0.7) return; // with reduced motion: ten still pictures, not a film
    if (falls() && !walk) return;
    const step = (T * (stillness() ? SECONDS_A_RUN / 10 : seconds)) / SECONDS_A_RUN;
    rest = 0;
    t = falls() ? Math.max(t - step, 0) : Math.min(t + step, T);
    model.set("t", Math.round(t));
    if (t === (falls() ? 0 : T)) set({ playing: false });
    draw();
  });
  const onPlaying = () => {
    const playing = get("playing");
    if (playing && !motion.running) {
      if (t === (falls() ? 0 : T)) t = falls() ? T : 0;
      motion.start();
    } else if (!playing) motion.stop();
    play.textContent = playing ? "Pause" : "Play";
    play.dataset.state = playing ? "running" : "resting";
  };
  const onProcess = () => {
    processes.refresh();
    steps.refresh();
    steps.label.hidden = get("view") !== "samples" || get("process") === "chain"; // the chain has T steps
  };
  const onView = () => {
    views.refresh();
    for (const [view, nodes] of Object.entries(only)) for (const node of nodes) node.hidden = view !== get("view");
    onProcess();
    keys.posterior.hidden = get("view") !== "posterior";
    map.style.touchAction = get("view") === "posterior" ? "none" : "pan-y";
    send();
    soon();
  };
  const onWalk = () => { onProcess(); send(); soon(); };
  const onDensity = () => {
    settle();
    names.forEach((button) => button.setAttribute("aria-pressed", button.dataset.control === get("density")));
    send();
    soon();
  };
  const onTime = () => { if (get("t") !== Math.round(t)) t = get("t"); soon(); };
  const heard = { "change:playing": onPlaying, "change:view": onView, "change:process": onWalk, "change:steps": onWalk,
    "change:seed": onWalk, "change:density": onDensity, "change:heights": onDensity, "change:t": onTime, "change:x": soon,
    "change:jump": soon };
  for (const [event, tell] of Object.entries(heard)) model.on(event, tell);
  const unwatch = watch(body, soon);
  onDensity();
  onView();
  onWalk();
  onPlaying();
  draw();
  body.dataset.loaded = "";
  return () => {
    gone = true;
    motion.dispose();
    unwatch();
    for (const letGo of release) letGo();
    cancelAnimationFrame(asked);
    for (const [event, tell] of Object.entries(heard)) model.off(event, tell);
  };
}

export default { render };
