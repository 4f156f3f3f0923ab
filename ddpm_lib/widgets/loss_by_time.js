// Loss by time: point at a time on the curve, and see what the network saw there and what it said.
import { format, make, slider, stage, watch } from "./figure.js";
import { choiceOf, percent } from "./map_parts.js";
import { curvePath, curvesOf, gapPath, gapTo, lossAxis, namesOf, nearestStop, placeOn, stopAt, stopsOf, ticksOn,
  timeAxis, valueAt } from "./loss_math.js";
import { picturePanels, pointPanels } from "./loss_panels.js";

const MARGIN = { left: 44, right: 10, top: 10, bottom: 24 };
const size = (loss) => (loss < 1e-9 ? "0" : format.short(loss)); // below is the rounding of float32
const asFactor = (factor) => `× ${factor >= 1e3 ? Math.round(factor).toLocaleString("en") : format.short(factor)}`;
const hueOf = (view, name) => `--ddpm-hue: var(--ddpm-${view.curves.find((one) => one.name === name)?.hue ?? "ink"})`;

// The chart of one view; seek(stop) is called while a finger or the mouse is down on it.
function lossChart(seek) {
  const svg = make("svg", { class: "ddpm-chart ddpm-loss-chart", role: "img",
    onpointerdown: (event) => { svg.setPointerCapture(event.pointerId); toStop(event); },
    onpointermove: (event) => { if (event.buttons) toStop(event); } });
  let inner = 1, axis = null, stops = [];
  const toStop = (event) => {
    const share = (event.clientX - svg.getBoundingClientRect().left - MARGIN.left) / inner;
    seek(nearestStop(stops, axis, share));
  };
  const draw = (view, { t, who, logTime, logLoss }) => {
    const { clientWidth: width, clientHeight: height } = svg;
    if (width <= MARGIN.left + MARGIN.right) return; // not in sight
    inner = Math.max(width - MARGIN.left - MARGIN.right, 1);
    const tall = Math.max(height - MARGIN.top - MARGIN.bottom, 1);
    axis = timeAxis(view, logTime);
    stops = stopsOf(view);
    const y = lossAxis(view, logLoss);
    const area = make("g", { transform: `translate(${MARGIN.left} ${MARGIN.top})` });
    const [across, up] = [(time) => inner * placeOn(axis, time), (loss) => tall * (1 - placeOn(y, loss))];
    for (const tick of ticksOn(y)) area.append(
      make("line", { x1: 0, x2: inner, y1: up(tick), y2: up(tick), class: "ddpm-rule" }),
      make("text", { x: -6, y: up(tick) + 3.5, "text-anchor": "end" }, format.short(tick).replace("1·", "")));
    for (const tick of ticksOn(axis)) area.append(make("text", { x: across(tick), y: tall + 16,
      "text-anchor": tick === axis.low ? "start" : across(tick) > inner - 6 ? "end" : "middle" },
      tick === axis.low ? `t = ${tick}` : String(tick)));
    const chosen = view.curves.find((curve) => curve.name === who);
    if (view.floor) {
      const ground = `${curvePath(view.floor, axis, y, inner, tall)}L${across(view.floor.t.at(-1)).toFixed(1)} ${tall}L${across(view.floor.t[0]).toFixed(1)} ${tall}Z`;
      area.append(make("path", { d: ground, class: "ddpm-ground" }));
      if (chosen) area.append(make("path", { d: gapPath(chosen, view.floor, axis, y, inner, tall), class: "ddpm-gap" }));
    }
    for (const curve of [...curvesOf(view)].sort((a, b) => (a.name === who) - (b.name === who)))
      area.append(make("path", { d: curvePath(curve, axis, y, inner, tall), "data-curve": curve.name,
        style: hueOf(view, curve.name),
        class: `ddpm-curve${curve.name === "floor" ? " ddpm-floor" : ""}${curve.name === who ? " ddpm-chosen" : ""}` }));
    area.append(make("line", { x1: across(t), x2: across(t), y1: 0, y2: tall, class: "ddpm-now" }));
    for (const stop of stops.length <= 24 ? stops : [])
      area.append(make("line", { x1: across(stop), x2: across(stop), y1: tall, y2: tall + 4, class: "ddpm-now" }));
    const own = curvesOf(view).find((curve) => curve.name === who);
    if (own) area.append(make("circle", { cx: across(t), cy: up(valueAt(own, t)), r: 5, class: "ddpm-dot",
      style: hueOf(view, who) }));
    svg.replaceChildren(area);
    svg.setAttribute("aria-label", `the loss at each time t; at t = ${t} ${who} has ${own ? format.short(valueAt(own, t)) : "no curve"}`);
  };
  return { svg, draw };
}

export function render({ model, el }) {
  const views = model.get("views");
  const body = stage(el, model);
  const set = (values) => { for (const [name, value] of Object.entries(values)) model.set(name, value); };
  const commit = () => model.save_changes();
  const viewNow = () => views.find((view) => view.name === model.get("view")) ?? views[0];
  const whoNow = () => (namesOf(viewNow()).includes(model.get("who")) ? model.get("who") : namesOf(viewNow())[0]);
  const stopNow = () => stopAt(stopsOf(viewNow()), model.get("t"));
  const toStop = (k) => set({ t: stopsOf(viewNow())[k] });
  const axisNow = () => timeAxis(viewNow(), model.get("log_t"));

  const chart = lossChart((k) => { toStop(k); commit(); });
  // The slider is the time axis of the chart above it: its thumb stands under the time, and a key goes to the next stop.
  const time = slider({ name: "time t", short: "t", min: 0, max: 1000,
    get: () => Math.round(1000 * placeOn(axisNow(), stopsOf(viewNow())[stopNow()])),
    show: () => String(stopsOf(viewNow())[stopNow()]),
    input: (place) => toStop(nearestStop(stopsOf(viewNow()), axisNow(), place / 1000)), commit });
  time.label.classList.add("ddpm-loss-time");
  time.range.addEventListener("keydown", (event) => {
    const last = stopsOf(viewNow()).length - 1, few = Math.max(1, Math.round(last / 8)), k = stopNow();
    const to = { ArrowRight: k + 1, ArrowUp: k + 1, ArrowLeft: k - 1, ArrowDown: k - 1, PageUp: k + few, PageDown: k - few,
      Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    toStop(Math.min(Math.max(to, 0), last));
    commit();
  });
  const key = make("div", { class: "ddpm-key" });
  const viewChoice = choiceOf("data", "view", views.map(({ name }) => [name, name]), (name) => {
    const next = views.find((view) => view.name === name);
    set({ view: name, who: namesOf(next)[0], log_t: next.log_t, log_loss: next.log_loss });
    commit();
  });
  viewChoice.box.hidden = views.length < 2;
  const box = (name, text) => {
    const input = make("input", { type: "checkbox", "data-control": name,
      onchange: () => { set({ [name]: input.checked }); commit(); } });
    return { input, label: make("label", { class: "ddpm-tick" }, input, ` ${text}`) };
  };
  const logs = { log_t: box("log_t", "logarithmic t"), log_loss: box("log_loss", "logarithmic loss") };
  const readouts = {};
  const reading = (name) => {
    readouts[name] = { words: make("span", {}), value: make("output", {}) };
    readouts[name].box = make("div", { "data-readout": name }, readouts[name].words, readouts[name].value);
    return readouts[name].box;
  };
  const parts = views.map((view) => {
    const panels = view.examples && (view.examples.kind === "pictures" ? picturePanels : pointPanels)(view.examples);
    const who = choiceOf("who answers", "who", namesOf(view).map((name) => [name, name === "floor" ? "the best there is" : name]),
      (name) => { set({ who: name }); commit(); });
    const several = view.examples?.kind === "pictures" && view.examples.count > 1;
    const one = choiceOf("digit", "example", Array.from({ length: several ? view.examples.count : 0 }, (_, i) => [i, String(i + 1)]),
      (i) => { set({ example: i }); commit(); });
    one.box.hidden = !several;
    who.box.hidden = namesOf(view).length < 2;
    return { view, panels, who, one,
      box: make("div", {}, make("div", { class: "ddpm-row" }, who.box, one.box), ...(panels ? [panels.box] : [])) };
  });

  body.append(make("div", { class: "ddpm-row ddpm-row-top" }, viewChoice.box, logs.log_t.label, logs.log_loss.label),
    key, chart.svg, time.label, ...parts.map((part) => part.box),
    make("div", { class: "ddpm-readings" }, ...["one", "mean", "picture", "gap", "all"].map(reading)));

  const say = (name, words, value) => {
    readouts[name].box.hidden = value === null;
    readouts[name].words.textContent = words;
    readouts[name].value.textContent = value ?? "";
  };
  const draw = () => {
    const view = viewNow(), who = whoNow(), k = stopNow(), t = stopsOf(view)[k];
    const part = parts.find((one) => one.view === view);
    for (const one of parts) one.box.hidden = one !== part;
    viewChoice.show(view.name);
    part.who.show(who);
    for (const [name, { input }] of Object.entries(logs)) input.checked = model.get(name);
    time.refresh();
    key.replaceChildren(...curvesOf(view).map((curve) => make("span", { class: "ddpm-key-line", style: hueOf(view, curve.name) },
      curve.name === "floor" ? "floor: nobody gets below" : curve.name)));
    chart.draw(view, { t, who, logTime: model.get("log_t"), logLoss: model.get("log_loss") });

    const answer = view.examples?.answers.find((one) => one.name === who);
    const i = Math.min(model.get("example"), (view.examples?.count ?? 1) - 1);
    part.one.show(i);
    const found = answer ? part.panels.draw(k, answer, i) : null;
    const own = curvesOf(view).find((curve) => curve.name === who);
    const pictures = view.examples?.kind === "pictures";
    const squared = found && (pictures ? answer.loss[k][i] : found.squared);
    say("one", pictures ? "squared error here" : "squared error of these", found && size(squared));
    say("mean", `mean at t = ${t}`, size(valueAt(own, t)));
    say("picture", found ? `so of the ${pictures ? "digit" : "place"}: ${asFactor(found.ratio ** 2)}` : "",
      found && size(squared * found.ratio ** 2));
    const gap = view.floor && who !== "floor" ? gapTo(own, view.floor, t) : null;
    say("gap", "above the floor", gap && `${percent(gap.here)} of it`);
    say("all", "over all t", gap && `${percent(gap.overall)} of ${format.short(gap.mean)}`);
  };
  let asked = 0; // several changes at once are drawn once
  const soon = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); }); };
  const heard = ["view", "who", "t", "example", "log_t", "log_loss"];
  for (const name of heard) model.on(`change:${name}`, soon);
  const unwatch = watch(body, soon);
  draw();
  Promise.all(parts.map((part) => part.panels?.load())).then(() => {
    draw();
    body.dataset.loaded = "";
  });
  return () => {
    unwatch();
    cancelAnimationFrame(asked);
    for (const name of heard) model.off(`change:${name}`, soon);
  };
}

export default { render };
