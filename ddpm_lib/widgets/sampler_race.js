// The race of samplers: the same noise, the same number of network calls, four ways back to the data.
import { clock, decode, format, make, seededNormal, slider, stage, stillness, watch } from "./figure.js";
import { tablesOf } from "./schedule_math.js";
import { apart, callsOf, callStops, drawFrom, FILL, floorOf, freshNormal, inBites, mixtureDenoiser, planeMixture, RACERS,
  REAL, runOf, SAMPLES, shadows, stepsFor } from "./race_math.js";
import { drawRacer, raceChart, signOf } from "./race_panels.js";

const SECONDS_A_RACE = 5;
const TITLES = { ddpm: "DDPM", ddim: "DDIM", heun: "Heun", dpmpp: "DPM-Solver++" };
const TIME_GRIDS = [["even", "even in t"], ["logsnr", "in log-SNR"], ["karras", "Karras"]];

// The data of a figure, made ready once: its denoiser, its fixed draw and the floor.
function groundOf(rows, table) {
  const mixture = planeMixture(rows);
  const points = drawFrom(mixture, REAL, 1);
  const real = shadows(points);
  return { denoise: mixtureDenoiser(mixture, table), points: points.subarray(0, 800), real, floor: floorOf(mixture, real) };
}

export function render({ model, el }) {
  const body = stage(el, model);
  const table = tablesOf(decode(model.get("beta"), Float64Array));
  const sets = model.get("sets"), stops = callStops(table.T), grounds = new Map(), dots = new Map();
  let ground = null, films = {}, ran = 0, race = 0, filling = 0, asked = 0, gone = false, shown = "";
  const get = (name) => model.get(name);
  const set = (values, save = true) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    if (save) model.save_changes();
  };
  // Half the side of a panel: all of the data, and most of the noise; one for all sets.
  const edge = Math.max(...sets.flatMap(([, rows]) => rows.map(([, x, y, std]) => Math.max(Math.abs(x), Math.abs(y)) + 3 * std)));
  const reach = Math.max(1.15 * edge, 2);

  // ---- runs
  const settings = () => ({ dataset: get("dataset"), grid: get("grid"), eta: get("eta"), seed: get("seed") });
  const start = () => Float64Array.from(seededNormal(2 * SAMPLES, 7919 * get("seed") + 17));
  const keyOf = (name, calls, { dataset, grid, eta, seed }) => [name, calls, dataset, grid, name === "ddim" ? eta : "", seed].join("|");
  const jobOf = (name, calls, from) => runOf(name, table, ground.denoise, from,
    { calls, grid: get("grid"), eta: get("eta"), normal: freshNormal(get("seed") + 101) });
  const leaveDot = (film, now) => {
    const distance = apart(shadows(film.end), ground.real);
    dots.set(keyOf(film.name, film.calls, now), { name: film.name, calls: film.calls, distance, ...now });
    return distance;
  };
  const driven = (jobs, cost, options) => {
    bar.max = cost;
    const pause = () => new Promise((resume) => setTimeout(resume));
    return inBites(jobs, { pause, now: () => performance.now(), ...options,
      tell: (count) => { bar.value = count; bar.toggleAttribute("data-idle", false); } });
  };
  const run = () => {
    const mine = ++race, calls = Math.min(get("calls"), table.T), now = settings(), from = start();
    const wanted = () => mine === race && !gone;
    const arrived = [];
    driven(RACERS.map((name) => jobOf(name, calls, from)), 4 * calls,
      { wanted, arrived: (film) => arrived.push([film, leaveDot(film, now)]) }).then((done) => {
      if (!done || !wanted()) return;
      films = Object.fromEntries(arrived.map(([film, distance]) => [film.name, { ...film, distance }]));
      ran = calls;
      bar.toggleAttribute("data-idle", true);
      draw();
      body.dataset.ran = String(mine);
    });
  };
  const fill = () => {
    const mine = ++filling, now = settings(), from = start(), jobs = [];
    const wanted = () => mine === filling && !gone;
    let cost = 0;
    for (const calls of FILL.filter((n) => n <= table.T))
      for (const name of RACERS) {
        const real = callsOf(name, stepsFor(name, calls));
        if (dots.has(keyOf(name, real, now))) continue;
        jobs.push(jobOf(name, calls, from));
        cost += real;
      }
    driven(jobs, cost, { wanted, arrived: (film) => { leaveDot(film, now); soon(); } }).then((done) => {
      if (!done) return;
      bar.toggleAttribute("data-idle", true);
      draw();
      body.dataset.filled = String(mine);
    });
  };

  // ---- controls
  const chosen = sets.map(([name]) => make("button", { type: "button", "data-control": name,
    onclick: () => set({ dataset: name }) }, name));
  const group = `ddpm-${Math.random().toString(36).slice(2)}`; // radio buttons of two copies must not meet
  const grids = TIME_GRIDS.map(([value, text]) => {
    const radio = make("input", { type: "radio", name: group, value, "data-control": value, onchange: () => set({ grid: value }) });
    return { value, radio, label: make("label", {}, radio, make("span", {}, text)) };
  });
  const panels = RACERS.map((name) => {
    const canvas = make("canvas", { class: "ddpm-race", role: "img", "data-racer": name });
    const [sign, title, far, cost] = [signOf(name), make("span", {}, TITLES[name]), make("output", {}), make("span", {})];
    const out = make("span", { class: "ddpm-racer-out", hidden: true });
    return { name, canvas, sign, title, far, cost, out, box: make("div", {},
      make("div", { class: "ddpm-racer-name" }, sign, title), make("div", { class: "ddpm-panel" }, canvas, out),
      make("div", { class: "ddpm-racer-said" }, make("span", { "data-readout": name }, far), cost)) };
  });
  const halt = () => { if (get("playing")) set({ playing: false }); };
  const walkSlider = slider({ name: "calls spent", short: "share", min: 0, max: 200,
    get: () => Math.round(200 * get("share")), show: () => `${Math.round(get("share") * ran)} of ${ran}`,
    input: (value) => { halt(); set({ share: value / 200 }, false); }, commit: () => model.save_changes() });
  const play = make("button", { type: "button", class: "ddpm-play", "data-control": "play",
    onclick: () => set({ playing: !get("playing") }) });
  const callSlider = slider({ name: "network calls each", short: "calls", min: 0, max: stops.length - 1,
    get: () => Math.max(stops.findIndex((n) => n >= get("calls")), 0), show: () => String(get("calls")),
    input: (i) => set({ calls: stops[i] }, false), commit: () => model.save_changes() });
  const etaSlider = slider({ name: "η of DDIM", short: "eta", min: 0, max: 20, get: () => Math.round(20 * get("eta")),
    show: () => get("eta").toFixed(2), input: (v) => set({ eta: v / 20 }, false), commit: () => model.save_changes() });
  const again = make("button", { type: "button", "data-control": "again",
    onclick: () => set({ seed: (get("seed") + 1) % 10000 }) }, "New noise");
  const filler = make("button", { type: "button", "data-control": "fill", onclick: () => fill() }, "Fill in the curve");
  const wipe = make("button", { type: "button", "data-control": "clear", onclick: () => { dots.clear(); draw(); } }, "Clear");
  const bar = make("progress", { class: "ddpm-race-bar", "aria-label": "runs computed", max: 1, value: 0, "data-idle": true });
  const floorSaid = make("output", {});
  const chart = raceChart({ most: table.T, pick: (calls) => {
    const nearest = stops.reduce((a, b) => (Math.abs(Math.log(b / calls)) < Math.abs(Math.log(a / calls)) ? b : a));
    if (nearest !== get("calls")) set({ calls: nearest });
  } });
  body.append(
    make("div", { class: "ddpm-row ddpm-race-top" },
      make("div", { class: "ddpm-presets", role: "group", "aria-label": "data" }, make("span", {}, "Data"), ...chosen),
      make("div", { class: "ddpm-race-times" }, make("span", {}, "Times"),
        make("div", { class: "ddpm-ways", role: "radiogroup", "aria-label": "grid of times" }, ...grids.map((one) => one.label)))),
    make("div", { class: "ddpm-racers" }, ...panels.map((panel) => panel.box)),
    make("div", { class: "ddpm-race-key" }, make("span", {}, "In bold: distance to the data (sliced Wasserstein). "),
      make("span", { "data-readout": "floor" }, "As many real points get ", floorSaid, ".")),
    make("div", { class: "ddpm-race-walk" }, play, walkSlider.label),
    make("div", { class: "ddpm-sliders" }, callSlider.label, etaSlider.label),
    chart.svg,
    make("div", { class: "ddpm-row" }, filler, again, wipe, bar));

  // ---- drawing
  const drawPanels = () => {
    const grey = getComputedStyle(body).getPropertyValue("--ddpm-muted").trim();
    for (const panel of panels) {
      const film = films[panel.name];
      const { now, outside } = drawRacer(panel.canvas, { film, calls: get("share") * ran, real: ground.points, reach, grey,
        colour: getComputedStyle(panel.sign).color });
      panel.out.hidden = outside === 0;
      panel.out.textContent = `${outside} outside`;
      panel.title.textContent = panel.name === "ddim" && get("eta") > 0 ? `DDIM, η = ${format.short(get("eta"))}` : TITLES[panel.name];
      if (!film) continue;
      // What is said is said of the points that are seen: on the way they are not yet where the run ends.
      const spent = Math.min(Math.round(get("share") * ran), film.calls), there = get("share") === 1;
      const distance = there ? film.distance : apart(shadows(now), ground.real);
      panel.far.textContent = distance < 100 ? distance.toFixed(3) : format.short(distance);
      panel.cost.textContent = !there ? `${spent} of ${film.calls} calls` : film.calls === 1 ? "1 call" : `${film.calls} calls`;
      panel.canvas.setAttribute("aria-label", `${TITLES[panel.name]} after ${spent} of ${film.calls} calls;`
        + ` its distance to the data is ${panel.far.textContent}`);
    }
    walkSlider.refresh();
  };
  const drawChart = () => {
    const now = settings();
    const mine = [...dots.values()].filter((dot) => dot.dataset === now.dataset).map((dot) => ({ ...dot,
      current: dot.grid === now.grid && (dot.name !== "ddim" || dot.eta === now.eta) }));
    chart.draw({ dots: mine.sort((a, b) => a.current - b.current), floor: ground.floor, calls: get("calls") });
    const best = RACERS.map((name) => [TITLES[name], films[name]?.distance]).filter(([, d]) => d !== undefined);
    chart.svg.setAttribute("aria-label", `distance to the data against network calls, ${mine.length} runs; at ${ran} calls: `
      + best.map(([title, d]) => `${title} ${format.short(d)}`).join(", "));
    floorSaid.textContent = ground.floor.mean.toFixed(3);
    callSlider.refresh();
    etaSlider.refresh();
  };
  const draw = () => { drawPanels(); drawChart(); };
  let whole = false; // the chart stands still while the points walk
  const walked = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      drawPanels();
      if (whole) drawChart();
      whole = false;
    });
  };
  const soon = () => { whole = true; walked(); };

  // ---- the clock: a race from noise to data
  let rest = 0;
  const motion = clock(body, (seconds) => {
    rest += seconds;
    if (stillness() && rest < 0.7) return; // with reduced motion: ten still pictures, not a film
    if (race && !ran) return;
    const share = Math.min(get("share") + (stillness() ? 0.1 : seconds / SECONDS_A_RACE), 1);
    rest = 0;
    set({ share, ...(share === 1 ? { playing: false } : {}) }, share === 1);
  });
  const onPlaying = () => {
    const playing = Boolean(get("playing"));
    if (playing && !motion.running) {
      if (get("share") === 1) set({ share: 0 }, false);
      motion.start();
    } else if (!playing) motion.stop();
    play.textContent = playing ? "Pause" : "Play";
    play.dataset.state = playing ? "running" : "resting";
  };
  const settle = () => {
    const name = get("dataset");
    const [known, rows] = sets.find(([one]) => one === name) ?? sets[0];
    if (!grounds.has(known)) grounds.set(known, groundOf(rows, table));
    ground = grounds.get(known);
    if (shown !== known) films = {}; // the old set's points do not belong on the new set
    shown = known;
    for (const button of chosen) button.setAttribute("aria-pressed", String(button.dataset.control === known));
    for (const { value, radio } of grids) radio.checked = value === get("grid");
  };
  const onSettings = () => { filling++; settle(); run(); soon(); };
  const onCalls = () => { run(); soon(); };
  const heard = { "change:playing": onPlaying, "change:dataset": onSettings, "change:grid": onSettings, "change:eta": onSettings,
    "change:seed": onSettings, "change:calls": onCalls, "change:share": walked };
  for (const [event, tell] of Object.entries(heard)) model.on(event, tell);
  const unwatch = watch(body, soon);
  settle();
  run();
  onPlaying();
  draw();
  body.dataset.loaded = "";
  return () => {
    gone = true;
    motion.dispose();
    unwatch();
    cancelAnimationFrame(asked);
    for (const [event, tell] of Object.entries(heard)) model.off(event, tell);
  };
}

export default { render };
