// The pictures of the race: one panel for each sampler, and the chart of distance against calls.
import { crisp, format, make } from "./figure.js";
import { curveOf, logTicks, placesAt, RACERS } from "./race_math.js";

const TRAILS = 20; // points whose way is drawn
const CHART_EDGE = { left: 38, right: 10, top: 8, bottom: 34 };
const MARKS = ["M-3.6 0A3.6 3.6 0 1 0 3.6 0A3.6 3.6 0 1 0 -3.6 0Z", "M-3.2 -3.2H3.2V3.2H-3.2Z", "M0 -4.4L4.2 3.2H-4.2Z",
  "M0 -4.8L4.8 0L0 4.8L-4.8 0Z"];

// The sampler's own sign, in its own colour (from the style sheet).
export function signOf(name) {
  const svg = make("svg", { viewBox: "-6 -6 12 12", width: 13, height: 13, "aria-hidden": "true",
    class: `ddpm-racer ddpm-racer-${name}` });
  svg.append(make("path", { d: MARKS[RACERS.indexOf(name)] }));
  return svg;
}

// The data in grey, the ways of a few points, and all points where they stand after so many calls.
// Returns where they are now, and how many of them lie outside the panel.
export function drawRacer(canvas, { film, calls, real, reach, colour, grey }) {
  const { pen, width, height } = crisp(canvas);
  const scale = width / (2 * reach);
  const at = (points, i) => [width / 2 + scale * points[i], height / 2 - scale * points[i + 1]];
  pen.fillStyle = grey;
  pen.globalAlpha = 0.4;
  for (let i = 0; i < real.length; i += 2) {
    const [x, y] = at(real, i);
    pen.fillRect(x - 0.9, y - 0.9, 1.8, 1.8);
  }
  pen.globalAlpha = 1;
  if (!film) return { now: null, outside: 0 };
  const now = new Float32Array(film.end.length);
  const k = placesAt(film, calls, now);
  pen.strokeStyle = pen.fillStyle = colour;
  pen.globalAlpha = 0.28;
  pen.lineWidth = 0.9;
  pen.lineJoin = "round";
  pen.beginPath();
  for (let i = 0; i < 2 * TRAILS; i += 2) {
    pen.moveTo(...at(film.frames[0], i));
    for (let j = 1; j <= k; j++) pen.lineTo(...at(film.frames[j], i));
    pen.lineTo(...at(now, i));
  }
  pen.stroke();
  pen.globalAlpha = 0.85;
  pen.beginPath();
  const radius = Math.max(1.5, width / 110);
  let outside = 0;
  for (let i = 0; i < now.length; i += 2) {
    const [x, y] = at(now, i);
    if (!(x >= 0 && x <= width && y >= 0 && y <= height)) { outside++; continue; }
    pen.moveTo(x + radius, y);
    pen.arc(x, y, radius, 0, 7);
  }
  pen.fill();
  pen.globalAlpha = 1;
  return { now, outside };
}

// Distance against calls, both logarithmic. pick(share): the reader points at a place of the axis of calls.
export function raceChart({ most, pick }) {
  const svg = make("svg", { class: "ddpm-chart ddpm-race-chart", role: "img",
    onpointerdown: (event) => { svg.setPointerCapture(event.pointerId); picked(event); },
    onpointermove: (event) => { if (event.buttons) picked(event); } });
  let inner = 1;
  const picked = (event) => {
    const x = event.clientX - svg.getBoundingClientRect().left - CHART_EDGE.left;
    pick(most ** Math.min(Math.max(x / inner, 0), 1));
  };
  // dots: { name, calls, distance, current }; floor: { mean, low, high }; calls: where the slider stands.
  const draw = ({ dots, floor, calls }) => {
    const { clientWidth: width, clientHeight: height } = svg;
    if (width <= CHART_EDGE.left + CHART_EDGE.right) return; // not in sight
    inner = width - CHART_EDGE.left - CHART_EDGE.right;
    const tall = height - CHART_EDGE.top - CHART_EDGE.bottom;
    const low = floor.low * 0.7, high = Math.min(Math.max(0.6, ...dots.map((dot) => 1.15 * dot.distance)), 4);
    const x = (n) => (inner * Math.log(n)) / Math.log(most);
    const y = (d) => tall * Math.min(Math.max(Math.log(high / d) / Math.log(high / low), 0), 1);
    const area = make("g", { transform: `translate(${CHART_EDGE.left} ${CHART_EDGE.top})` });
    const text = (words, a, b, anchor, name) =>
      area.append(make("text", { x: a, y: b, "text-anchor": anchor, class: name ?? null }, words));
    area.append(make("rect", { x: 0, width: inner, y: y(floor.high), height: y(floor.low) - y(floor.high), class: "ddpm-race-floor" }));
    for (const tick of logTicks(low, high)) {
      area.append(make("line", { x1: 0, x2: inner, y1: y(tick), y2: y(tick), class: "ddpm-rule" }));
      text(String(tick), -6, y(tick) + 3.5, "end");
    }
    for (const tick of logTicks(1, most)) {
      const decade = /^10*$/.test(String(tick));
      area.append(make("line", { x1: x(tick), x2: x(tick), y1: tall, y2: tall + (decade ? 5 : 3), class: "ddpm-rule" }));
      if (decade || inner > 420) text(String(tick), tick === most ? inner + 8 : x(tick), tall + 16, tick === most ? "end" : "middle");
    }
    text("network calls", inner / 2, tall + 31, "middle");
    area.append(make("line", { x1: 0, x2: inner, y1: y(floor.mean), y2: y(floor.mean), class: "ddpm-race-mean" }));
    text("distance to the data", inner, 12, "end");
    text("real against real", 6, y(floor.mean) - 5, "start");
    area.append(make("line", { x1: x(calls), x2: x(calls), y1: 0, y2: tall, class: "ddpm-now" }));
    for (const name of RACERS) {
      const mine = dots.filter((dot) => dot.name === name);
      const line = curveOf(mine.filter((dot) => dot.current)).map(([n, d]) => `${x(n).toFixed(1)} ${y(d).toFixed(1)}`);
      area.append(make("path", { d: line.length ? `M${line.join("L")}` : "", class: `ddpm-race-line ddpm-racer-${name}` }));
      for (const dot of mine) {
        if (dot.distance > high && dot.current) text(format.short(dot.distance), x(dot.calls), y(high) + 17, "middle");
        area.append(make("path", { d: MARKS[RACERS.indexOf(name)], "data-dot": name,
          transform: `translate(${x(dot.calls).toFixed(1)} ${y(dot.distance).toFixed(1)})`,
          class: `ddpm-race-dot ddpm-racer-${name}${dot.current ? "" : " ddpm-race-old"}` }));
      }
    }
    svg.replaceChildren(area);
  };
  return { svg, draw };
}
