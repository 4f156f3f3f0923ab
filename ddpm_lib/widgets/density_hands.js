// The reader's hands on the one-dimensional figure: a density drawn on the pad, a point picked on the map.
import { BINS } from "./density_math.js";
import { FOOT, REACH } from "./density_grid.js";
import { stroked } from "./density_walks.js";

export const FULL = 0.95; // share of the pad's width that a full bin takes

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// The x that belongs to a height on the screen, in a panel whose foot holds words.
function placeOf(event, box) {
  return REACH * (1 - (2 * (event.clientY - box.top)) / (box.height - FOOT));
}

function listen(node, heard) {
  for (const [event, tell] of Object.entries(heard)) node.addEventListener(event, tell);
  return () => { for (const [event, tell] of Object.entries(heard)) node.removeEventListener(event, tell); };
}

// Draw heights: by pointer, right is more; by keys, up and down choose a bin, right and left raise and lower it.
// heightsNow: the heights that are on the pad; look(bin or null): the bin in focus; hold(true or false): a stroke runs.
export function drawnByHand(pad, model, { heightsNow, look, hold }) {
  let [stroke, bin] = [null, null];
  const drawTo = (from, to) => {
    const next = stroked(heightsNow(), from, to);
    if (!next) return;
    model.set("heights", next);
    model.set("density", "drawn");
  };
  const brush = (event) => {
    const box = pad.getBoundingClientRect();
    const at = Math.round((placeOf(event, box) - BINS.low) / BINS.width - 0.5);
    return [at, (event.clientX - box.left) / (box.width - 4) / FULL];
  };
  const lift = () => {
    if (!stroke) return;
    stroke = null;
    model.save_changes();
    hold(false);
  };
  return listen(pad, {
    pointerdown: (event) => { pad.setPointerCapture(event.pointerId); hold(true); stroke = brush(event); drawTo(stroke, stroke); },
    pointermove: (event) => {
      if (!stroke) return;
      const next = brush(event);
      drawTo(stroke, next);
      stroke = next;
    },
    pointerup: lift,
    pointercancel: lift,
    focus: () => { bin ??= BINS.count / 2; if (pad.matches(":focus-visible")) look(bin); }, // not for a finger
    blur: () => look(null),
    keydown: (event) => {
      const keys = { ArrowUp: [1, 0], ArrowDown: [-1, 0], PageUp: [8, 0], PageDown: [-8, 0], ArrowRight: [0, 0.1], ArrowLeft: [0, -0.1] };
      if (!keys[event.key]) return;
      event.preventDefault();
      const [along, more] = keys[event.key];
      bin = clamp((bin ?? BINS.count / 2) + along, 0, BINS.count - 1);
      if (more) {
        const height = clamp(heightsNow()[bin] + more, 0, 1);
        drawTo([bin, height], [bin, height]);
        model.save_changes();
      }
      look(bin);
    },
  });
}

// Pick a point (t, x): by pointer, or by keys a hundredth of T and a twentieth at a time.
export function pickedByHand(map, model, { T, seek, picked }) {
  const go = (time, x) => {
    seek(clamp(Math.round(time), 0, T));
    model.set("x", Number(clamp(x, -3, 3).toFixed(3)));
    picked();
  };
  const point = (event) => {
    const box = map.getBoundingClientRect();
    go((T * (event.clientX - box.left)) / box.width, placeOf(event, box));
  };
  return listen(map, {
    pointerdown: (event) => { map.setPointerCapture(event.pointerId); point(event); },
    pointermove: (event) => { if (event.buttons) point(event); },
    pointerup: () => model.save_changes(),
    keydown: (event) => {
      const far = Math.max(1, Math.round(T / 100));
      const keys = { ArrowRight: [far, 0], ArrowLeft: [-far, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05], Home: [-T, 0], End: [T, 0] };
      if (!keys[event.key]) return;
      event.preventDefault();
      const [later, up] = keys[event.key];
      go(model.get("t") + later, model.get("x") + up);
      model.save_changes();
    },
  });
}
