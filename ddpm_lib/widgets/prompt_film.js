// A prompt on its way out of noise: one film large, all scales and seeds beside it, and what was measured on them.
import { clock, crisp, make, slider, stage, stillness, watch } from "./figure.js";
import { fullBar, languageOf, laidOver, linesOf, meansOf, momentAfter, placeOf, readingsOf, scaleWords, timeWords }
  from "./prompt_math.js";

const HOLD = 0.55; // seconds of each moment of a film
const MEASURED = [["differ", "seeds differ"], ["colour", "colour"]];

// Sheets to draw from, with the side of their pictures: what was kept as a difference is laid over the ends for good.
function unpacked({ sides, over, sheets }, images) {
  const last = sheets.length - 1, full = sides[last], { naturalWidth: wide, naturalHeight: tall } = images[last];
  const page = () => {
    const canvas = make("canvas", { width: wide, height: tall });
    return { canvas, pen: canvas.getContext("2d", { willReadFrequently: true }) };
  };
  const bytes = ({ pen }) => pen.getImageData(0, 0, wide, tall).data;
  const ends = page();
  ends.pen.drawImage(images[last], 0, 0);
  return images.map((image, f) => {
    if (!over[f]) return { image, side: sides[f] };
    const laid = page(), small = sides[f];
    for (let y = 0; y < tall / full; y++) for (let x = 0; x < wide / full; x++) // one by one, or neighbours would run in
      laid.pen.drawImage(image, x * small, y * small, small, small, x * full, y * full, full, full);
    laid.pen.putImageData(new ImageData(laidOver(bytes(ends), bytes(laid)), wide), 0, 0);
    return { image: laid.canvas, side: full };
  });
}

export function render({ model, el }) {
  const film = model.get("film"), { prompts, scales, seeds, times } = film, last = times.length - 1;
  const body = stage(el, model), sheets = [];
  const at = (name, list) => Math.min(Math.max(model.get(name), 0), list.length - 1);
  const now = () => ({ p: at("prompt", prompts), g: at("scale", scales), s: at("seed", seeds), f: at("moment", times) });
  const commit = () => model.save_changes();
  const choose = (changes) => { for (const [name, value] of Object.entries(changes)) model.set(name, value); commit(); };

  // ---- pictures on white cards
  const card = (kind, rest = {}) => {
    const canvas = make("canvas", { ...rest });
    return { canvas, box: make("div", { class: `ddpm-film-card ${kind}` }, canvas) };
  };
  let ground = "#fff";
  const paint = ({ canvas }, { p, g, s, f }) => {
    if (!sheets.length || !canvas.clientWidth) return;
    const { image, side } = sheets[f];
    const { pen, width, height } = crisp(canvas);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, ...placeOf(film, side, p, g, s), side, side, 0, 0, width, height);
    // In the dark a white ground would glare: it takes its card's grey. (CSS could blend them, at every frame again.)
    pen.globalCompositeOperation = "multiply";
    pen.fillStyle = ground;
    pen.fillRect(0, 0, width, height);
    pen.globalCompositeOperation = "source-over";
  };

  // ---- choices
  const pills = (name, short, words, pick) => {
    const group = `ddpm-${Math.random().toString(36).slice(2)}`; // radio buttons of two copies must not meet
    const radios = words.map((_, k) => make("input", { type: "radio", name: group, value: k, "data-control": `${short}-${k}`,
      onchange: () => pick(k) }));
    const box = make("div", { class: "ddpm-ways ddpm-film-pills", role: "radiogroup", "aria-label": name },
      ...words.map((text, k) => make("label", { lang: languageOf(text) }, radios[k], make("span", {}, text))));
    return { box, show: (k) => { radios.forEach((radio, i) => { radio.checked = i === k; }); } };
  };
  const prompt = pills("prompt", "prompt", prompts, (k) => choose({ prompt: k }));
  const seed = pills("seed", "seed", seeds.map(String), (k) => choose({ seed: k }));
  const rowsOf = ["seeds", "prompts"];
  const rows = pills("rows of the comparison", "rows", ["seeds", "prompts"], (k) => choose({ rows: rowsOf[k] }));
  const scale = slider({ name: "guidance scale γ", short: "scale", min: 0, max: scales.length - 1, get: () => now().g,
    show: () => scaleWords(scales[now().g]), input: (g) => model.set("scale", g), commit });
  const time = slider({ name: "time", short: "moment", min: 0, max: last, get: () => now().f,
    show: () => timeWords(times[now().f], now().f === last), input: (f) => { halt(); model.set("moment", f); }, commit });
  const play = make("button", { type: "button", class: "ddpm-play", "data-control": "play", onclick: () => run() });

  // ---- the film: one large picture, and below all its moments
  const large = card("ddpm-film-large", { role: "img" });
  const what = make("p", { class: "ddpm-film-what" });
  const strip = times.map((t, f) => {
    const one = card("ddpm-film-moment", { "aria-hidden": "true" }); // the slider below says the same to all
    one.frame = make("div", { class: "ddpm-film-step", "data-moment": f, onclick: () => { halt(); choose({ moment: f }); } },
      one.box, make("small", {}, f === last ? "t = 0" : String(t)));
    return one;
  });

  // ---- the comparison: a column for each scale
  const board = make("div", { class: "ddpm-film-board", style: `--ddpm-columns: ${scales.length}` });
  const heads = scales.map((s) => make("div", { class: "ddpm-film-scale", "aria-hidden": "true" }, `γ = ${s}`));
  const bars = MEASURED.filter(([name]) => film[name]).map(([name, title]) => {
    const full = fullBar(film, name);
    const cells = scales.map((_, g) => {
      const fill = make("i", {}), mean = make("b", {}), value = make("output", {});
      return { fill, mean, value, box: make("div", { class: "ddpm-film-bar", "data-readout": `${name}-${g}` },
        value, make("span", { class: "ddpm-film-rail" }, fill, mean)) };
    });
    const line = make("div", { class: `ddpm-film-line ddpm-film-${name}`, role: "img" },
      make("div", { class: "ddpm-film-head" }, title), ...cells.map((one) => one.box));
    return { name, title, full, cells, line };
  });
  let cells = [];
  const lay = () => {
    const chosen = model.get("rows"), { p, s } = now();
    cells = linesOf(film, chosen, p, s).map((line, k) => scales.map((_, g) => {
      const one = card("ddpm-film-cell", { role: "img" });
      one.box.dataset.cell = `${k}-${g}`;
      one.box.addEventListener("click", () => choose({ [chosen === "seeds" ? "seed" : "prompt"]: k, scale: g }));
      return one;
    }));
    const names = chosen === "seeds" ? seeds.map((one) => `seed ${one}`) : prompts;
    const lines = cells.map((line, k) => make("div", { class: "ddpm-film-line" },
      make("div", { class: "ddpm-film-head", lang: languageOf(names[k]), "aria-hidden": "true" }, names[k]), ...line.map((one) => one.box)));
    board.classList.toggle("ddpm-film-tall", chosen === "prompts");
    board.replaceChildren(make("div", { class: "ddpm-film-line" }, make("div", {}), ...heads), ...lines, ...bars.map((bar) => bar.line));
    rows.show(rowsOf.indexOf(chosen));
  };

  const key = make("p", { class: "ddpm-film-key" }, make("span", {}, "bars: this prompt, all seeds"),
    ...(prompts.length > 1 ? [make("span", { class: "ddpm-film-mean" }, "mean of all prompts")] : []));
  body.append(prompt.box,
    make("div", { class: "ddpm-film" },
      make("div", { class: "ddpm-film-one" }, large.box, make("div", { class: "ddpm-film-hands" }, what, scale.label,
        make("div", { class: "ddpm-film-choice", hidden: seeds.length < 2 }, make("span", { "aria-hidden": "true" }, "seed"), seed.box))),
      make("div", { class: "ddpm-film-all" },
        make("div", { class: "ddpm-film-choice", hidden: prompts.length < 2 || seeds.length < 2 },
          make("span", { "aria-hidden": "true" }, "all γ side by side, for all"), rows.box), board, key)),
    make("div", { class: "ddpm-film-time", style: `--ddpm-columns: ${times.length}` }, play,
      make("div", { class: "ddpm-film-strip" }, ...strip.map((one) => one.frame)), time.label));

  const drawBars = ({ p, g, f }) => {
    for (const { name, title, full, cells: columns, line } of bars) {
      const values = readingsOf(film, name, p, f), means = meansOf(film, name, f);
      columns.forEach(({ fill, mean, value, box }, k) => {
        value.textContent = values[k].toFixed(2);
        fill.style.width = `${(100 * values[k]) / full}%`;
        mean.style.left = `${(100 * means[k]) / full}%`;
        mean.hidden = prompts.length < 2;
        box.classList.toggle("ddpm-film-same", k === g);
      });
      line.setAttribute("aria-label", `${title}: ${values.map((v, k) => `${v.toFixed(2)} at scale ${scales[k]}`).join(", ")}`);
    }
  };
  const draw = () => {
    const { p, g, s, f } = now(), when = timeWords(times[f], f === last);
    const inSeeds = model.get("rows") === "seeds", lines = linesOf(film, model.get("rows"), p, s);
    // All pictures first, and only then words and classes: a size that is asked for after a change is laid out anew.
    ground = getComputedStyle(large.box).backgroundColor;
    paint(large, { p, g, s, f });
    strip.forEach((one, k) => paint(one, { p, g, s, f: k }));
    cells.forEach((line, k) => line.forEach((one, column) => paint(one, { ...lines[k], g: column, f })));
    prompt.show(p);
    seed.show(s);
    scale.refresh();
    time.refresh();
    what.textContent = prompts[p];
    what.lang = languageOf(prompts[p]) ?? "";
    large.canvas.setAttribute("aria-label", `${prompts[p]}: guidance scale ${scales[g]}, seed ${seeds[s]}, ${when}`);
    strip.forEach((one, k) => one.frame.classList.toggle("ddpm-film-here", k === f));
    cells.forEach((line, k) => line.forEach((one, column) => {
      const name = inSeeds ? `seed ${seeds[lines[k].s]}` : prompts[lines[k].p];
      one.canvas.setAttribute("aria-label", `${name}, scale ${scales[column]}, ${when}`);
      one.box.classList.toggle("ddpm-film-here", column === g && k === (inSeeds ? s : p));
    }));
    heads.forEach((head, k) => head.classList.toggle("ddpm-film-same", k === g));
    drawBars({ p, g, f });
  };
  let asked = 0; // several changes at once are drawn once
  const soon = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); }); };

  // ---- playing
  let begun = 0, reached = 0;
  const motion = clock(body, (seconds) => {
    reached += seconds;
    const f = momentAfter(reached, begun, times.length, HOLD);
    if (f !== now().f) model.set("moment", f);
    if (f === last) halt();
  });
  const label = () => {
    play.textContent = motion.running ? "Pause" : "Play";
    play.dataset.state = motion.running ? "running" : "resting";
  };
  const halt = () => { if (motion.running) { motion.stop(); commit(); } label(); };
  const run = () => {
    const { f } = now();
    if (motion.running) return halt();
    if (stillness()) return choose({ moment: (f + 1) % times.length }); // a press a moment, where motion is unwelcome
    if (f === last) model.set("moment", 0);
    [begun, reached] = [now().f, 0];
    motion.start();
    label();
  };

  const relay = () => { lay(); soon(); };
  const heard = { "change:prompt": soon, "change:scale": soon, "change:seed": soon, "change:moment": soon, "change:rows": relay };
  for (const [event, tell] of Object.entries(heard)) model.on(event, tell);
  const unwatch = watch(body, soon);
  lay();
  label();
  draw();
  let gone = false;
  Promise.all(film.sheets.map(async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  })).then((loaded) => {
    if (gone) return;
    sheets.push(...unpacked(film, loaded));
    draw();
    body.dataset.loaded = "";
  });
  return () => {
    gone = true;
    motion.dispose();
    unwatch();
    cancelAnimationFrame(asked);
    for (const [event, tell] of Object.entries(heard)) model.off(event, tell);
  };
}

export default { render };
