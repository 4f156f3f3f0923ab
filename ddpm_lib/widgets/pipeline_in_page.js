// The whole pipeline in the page: words to tokens as one types, and from noise to a picture in the reader's browser.
import { clock, format, make, slider, stage, stillness } from "./figure.js";
import { schedule } from "./schedule_math.js";
import { advice, megabytes, obstacle } from "./network_film.js";
import { clipTokenizer } from "./clip_tokenizer.js";
import { drawPicture, readWords, speaksChinese, styleOf, withStyle } from "./pipeline_film.js";
import { startPipeline } from "./pipeline_worker.js";
import { frameStrip, paintPicture, shelf, textField, tokenList, wordChoice } from "./pipeline_parts.js";

const FRAMES = 8;
const FRAMES_A_SECOND = 3;
const SHELF = 12; // pictures kept to compare

export function render({ model, el }) {
  const body = stage(el, model), figure = el.closest("figure.ddpm-figure");
  const settings = model.get("settings"), { examples, styles } = model.get("offers");
  const table = schedule(settings.kind, settings.T, settings.start, settings.end);
  const tokenizer = clipTokenizer(model.get("tokenizer"));
  const state = { ...model.get("first"), frame: -1 };
  let pipeline = null, frames = [], running = null, drawn = "";

  // ---- the words, which need nothing loaded ----
  const prompt = textField({ name: "prompt", short: "prompt", value: state.prompt, input: setPrompt, enter: again });
  const negative = textField({ name: "away from (negative prompt)", short: "negative",
    value: state.negative, input: (text) => { state.negative = text; }, enter: again });
  const tokens = tokenList(tokenizer);
  const style = wordChoice({ name: "drawing style", short: "style", words: styles,
    pick: (word) => { setPrompt(withStyle(state.prompt, word, styles)); again(); } });
  const offers = make("div", { class: "ddpm-presets" }, make("span", {}, "try"),
    ...examples.map((text) => make("button", { type: "button", "data-control": "example",
      lang: speaksChinese(text) ? "zh" : "en", onclick: () => { setPrompt(text); again(); } }, text)));
  function setPrompt(text) {
    state.prompt = text;
    if (prompt.field.value !== text) prompt.field.value = text;
    prompt.field.lang = speaksChinese(text) ? "zh" : "en";
    style.refresh(styleOf(text, styles));
    tokens.show(text);
  }

  // ---- the button that loads, and what it says beforehand ----
  const sizes = model.get("sizes"), total = sizes.weights + sizes.runtime;
  const says = make("p", { role: "status", "aria-live": "polite", class: "ddpm-net-says" });
  const tell = (text) => { says.textContent = text; };
  const bar = make("progress", { max: total, value: 0, hidden: true, "aria-label": "loaded so far" });
  const load = make("button", { type: "button", class: "ddpm-net-load", "data-control": "load", onclick: begin },
    `Load the model and draw: ${megabytes(sizes.weights)} of weights, ${megabytes(sizes.runtime)} of runtime`);
  const gate = make("div", { class: "ddpm-net-gate" }, load, bar);
  if (figure) gate.prepend(figure.querySelector(".ddpm-still").firstElementChild.cloneNode(true));
  const inTheWay = () => obstacle({ protocol: location.protocol, root: document.documentElement.dataset.content_root,
    wasm: typeof WebAssembly === "object", worker: typeof Worker === "function" });

  async function begin() {
    const stop = inTheWay();
    if (stop) return tell(stop);
    load.disabled = true;
    bar.hidden = false;
    const site = new URL(document.documentElement.dataset.content_root, document.baseURI);
    const at = (path) => new URL(path, site).href, { runtime, wasm, graphs } = model.get("files");
    const where = { runtime: at(runtime), wasm: at(wasm), graphs: Object.fromEntries(Object.entries(graphs).map(
      ([name, { graph, weights, location }]) => [name, { graph: at(graph), weights: at(weights), location }])) };
    const onBytes = (loaded) => {
      bar.value = loaded;
      tell(loaded < 0.99 * total ? `Loading: ${megabytes(loaded)} of ${megabytes(total)} …` : "Making the networks ready …");
    };
    let mine = null;
    try {
      pipeline = mine = startPipeline(where, { onBytes });
      const { loaded, ms } = await mine.ready;
      Object.assign(body.dataset, { loaded, fetched: ms.fetch, prepared: ms.prepare });
      gate.hidden = true;
      stageBox.hidden = false;
      drawButton.focus();
      await draw();
    } catch (error) {
      mine?.stop();
      pipeline = null;
      load.disabled = error.again === false;
      bar.hidden = true;
      tell(advice(error));
    }
  }

  // ---- the film ----
  const picture = make("canvas", { class: "ddpm-drawn", role: "img", width: settings.pictureSide,
    height: settings.pictureSide, "aria-label": "no picture yet", "data-canvas": "picture" });
  const strip = frameStrip(FRAMES, settings.pictureSide, (k) => { player.stop(); show(k); refresh(); });
  const below = make("p", { class: "ddpm-drawn-note" }, " ");
  function show(k) {
    state.frame = k;
    strip.show(frames, k);
    const frame = frames[k];
    if (!frame) return;
    paintPicture(picture, frame.picture);
    const what = k === 0 ? "the noise it starts from, decoded" : frame.t === 0 ? "the picture"
      : `what the model expects at t = ${frame.t}`;
    below.textContent = what;
    picture.setAttribute("aria-label", `${what}, for “${drawn}”`);
  }

  async function draw() {
    if (!pipeline || !gate.hidden) return;
    player.stop();
    const mine = running = { stopped: false }, asked = { ...state }, began = performance.now();
    frames = [];
    drawn = asked.prompt;
    show(-1);
    refresh();
    try {
      const words = await readWords(pipeline.run, tokenizer, asked.prompt, asked.negative);
      const { calls, ms } = await drawPicture(pipeline.run, table, settings, words, { ...asked, frames: FRAMES }, (frame) => {
        if (mine.stopped) return false;
        frames.push(frame);
        show(frames.length - 1);
        return true;
      }, (step, t) => {
        if (!mine.stopped) tell(step ? `Step ${step} of ${asked.steps}, t = ${t}` : "The words are read.");
        return !mine.stopped;
      });
      if (mine.stopped) return;
      const seconds = (performance.now() - began) / 1000;
      tell(`“${asked.prompt}”, γ = ${asked.scale}, seed ${asked.seed}: ${seconds.toFixed(1)} s, in which the U-Net`
        + ` was asked ${calls === 1 ? "once" : `${calls} times`}, ${format.short(ms / calls)} ms each.`);
      const detail = { ...asked, frames, calls, ms: ms / calls, seconds };
      drawnSoFar.put(detail);
      body.dispatchEvent(new CustomEvent("ddpm:picture", { bubbles: true, detail }));
    } catch (error) {
      if (!mine.stopped) tell(`${error.message} What was drawn so far is kept.`);
    } finally {
      if (running === mine) { running = null; refresh(); }
    }
  }
  function stop() {
    if (!running) return;
    running.stopped = true;
    running = null;
    tell("Stopped. What was drawn so far is kept.");
    refresh();
  }

  // A film from the shelf, with what it was asked by.
  const drawnSoFar = shelf(SHELF, ({ frames: kept, prompt: words, negative: others, scale: s, steps, seed: z }) => {
    stop();
    player.stop();
    Object.assign(state, { negative: others, scale: s, steps, seed: z });
    negative.field.value = others;
    setPrompt(words);
    [frames, drawn] = [kept, words];
    show(frames.length - 1);
    refresh();
    tell(`“${words}”, γ = ${s}, ${steps} steps, seed ${z}, as it was drawn before.`);
  });
  function again() {
    stop();
    draw();
  }

  let reached = 0;
  const player = clock(body, (seconds) => {
    reached += seconds * FRAMES_A_SECOND;
    show(Math.min(Math.floor(reached), frames.length - 1));
    if (state.frame >= frames.length - 1) { player.stop(); refresh(); }
  });
  function play() {
    if (player.running) player.stop();
    else if (stillness()) show((state.frame + 1) % frames.length); // no film where motion is unwelcome
    else { reached = 0; show(0); player.start(); }
    refresh();
  }

  // ---- controls ----
  const scale = slider({ name: "guidance scale γ", short: "scale", min: 0, max: 12, step: 0.5, get: () => state.scale,
    show: () => (state.scale === 1 ? "1: none" : state.scale === 0 ? "0: deaf to the prompt" : String(state.scale)),
    input: (v) => { state.scale = v; refresh(); } });
  const count = slider({ name: "steps", short: "steps", min: 1, max: 50, get: () => state.steps,
    show: () => String(state.steps), input: (n) => { state.steps = n; refresh(); } });
  const seed = make("input", { type: "number", min: 0, max: 99999, value: state.seed, "data-control": "seed",
    onchange: () => { state.seed = Math.max(0, Math.floor(Number(seed.value)) || 0); refresh(); } });
  const another = make("button", { type: "button", "data-control": "another",
    onclick: () => { state.seed += 1; refresh(); again(); } }, "Another");
  const drawButton = make("button", { type: "button", class: "ddpm-play", "data-control": "draw",
    onclick: () => (running ? stop() : draw()) });
  const playButton = make("button", { type: "button", "data-control": "play", onclick: play });
  function refresh() {
    for (const control of [scale, count]) control.refresh();
    seed.value = state.seed;
    drawButton.textContent = running ? "Stop" : "Draw";
    drawButton.dataset.state = running ? "running" : "";
    playButton.textContent = player.running ? "Stop the film" : "Play the film";
    playButton.disabled = running !== null || frames.length < 2;
  }

  const stageBox = make("div", { class: "ddpm-pipe-stage", hidden: true },
    make("div", { class: "ddpm-drawn-box" }, picture, below),
    make("div", { class: "ddpm-pipe-controls" }, negative.label, scale.label, count.label,
      make("div", { class: "ddpm-row" }, make("label", { class: "ddpm-choice" }, make("span", {}, "seed"), seed), another),
      make("div", { class: "ddpm-row" }, drawButton, playButton)),
    strip.box, drawnSoFar.box);
  body.append(prompt.label, tokens.box, make("div", { class: "ddpm-row" }, make("span", { class: "ddpm-kind" }, "style"),
    style.box), offers, gate, stageBox, says);
  if (inTheWay()) {
    load.hidden = true;
    gate.hidden = !figure; // with neither still nor button it would be an empty box
    tell(inTheWay());
  }
  setPrompt(state.prompt);
  show(-1);
  refresh();
  return () => {
    stop();
    player.dispose();
    pipeline?.stop();
  };
}

export default { render };
