// The map of guidance: a row for each scale, a column for each seed, and the digit under the finger enlarged.
import { decode, format, loadPicture, make, stage, watch } from "./figure.js";
import { choiceOf, greyOf, inked, percent, stamp } from "./map_parts.js";

// ---- pure part -------------------------------------------------------------

// Which picture of the sheet stands in a cell; at scale 0 the labels may share one row.
export function cellAt({ scales, seeds, shared }, label, row, column) {
  const [S, N] = [scales.length, seeds.length];
  if (!shared) return (label * S + row) * N + column;
  return row === 0 ? column : N + (label * (S - 1) + row - 1) * N + column;
}

// The judge's probabilities for a cell, out of a table of all.
export function judgedAt({ scales, seeds, classes }, table, label, row, column) {
  const cell = (label * scales.length + row) * seeds.length + column;
  return Array.from(table.subarray(cell * classes, (cell + 1) * classes), (v) => v / 32767);
}

export const largestOf = (values) => values.indexOf(Math.max(...values));

// In how many of a row's samples the judge sees the label that was asked.
export const agreedIn = (grid, table, label, row) =>
  grid.seeds.filter((_, column) => largestOf(judgedAt(grid, table, label, row, column)) === grid.labels[label]).length;

// How far apart the samples of each row are, where 1 is the row of scale 1 (without one, the widest row).
export function spreads({ scales, spread }, label) {
  const plain = scales.indexOf(1), unit = plain < 0 ? Math.max(...spread[label]) : spread[label][plain];
  return spread[label].map((value) => (unit > 0 ? value / unit : 0));
}

// Where a key leads in a grid of rows × columns; null for keys that lead nowhere.
export function moveBy(key, ctrl, [row, column], rows, columns) {
  const to = {
    ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
    Home: [ctrl ? 0 : row, 0], End: [ctrl ? rows - 1 : row, columns - 1], PageUp: [0, column], PageDown: [rows - 1, column],
  }[key];
  if (!to) return null;
  return [Math.min(Math.max(to[0], 0), rows - 1), Math.min(Math.max(to[1], 0), columns - 1)];
}

// ---- drawing part ----------------------------------------------------------

const INK = [24, 32, 44]; // on paper, which is light in the dark as well

export function render({ model, el }) {
  const grid = model.get("grid"), { labels, scales, seeds, side } = grid, area = side * side;
  const table = grid.judged ? decode(grid.judged, Int16Array) : null;
  const body = stage(el, model);
  let pictures = null, hovered = null;
  const chosen = () => [Math.min(model.get("row"), scales.length - 1), Math.min(model.get("column"), seeds.length - 1)];
  const labelNow = () => Math.max(labels.indexOf(model.get("label")), 0);
  const choose = ([row, column]) => { model.set("row", row); model.set("column", column); model.save_changes(); };

  const choice = choiceOf("label", "label", labels.map((one) => [one, String(one)]),
    (one) => { model.set("label", one); model.save_changes(); });
  choice.box.hidden = labels.length < 2;

  const cells = scales.map((scale, row) => seeds.map((seed, column) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const cell = make("div", { role: "gridcell", class: "ddpm-map-cell", tabindex: -1, "data-cell": `${row}-${column}`,
      onclick: () => { choose([row, column]); cell.focus(); },
      onfocus: () => { choose([row, column]); },
      onpointerenter: (event) => { if (event.pointerType === "mouse") { hovered = [row, column]; detail(); } } }, canvas);
    return { cell, canvas };
  }));
  const bar = (kind) => make("span", { class: `ddpm-map-bar ddpm-map-${kind}` }, make("i", {}));
  const heads = scales.map((scale) => {
    const parts = { agreed: bar("agreed"), spread: bar("spread") };
    const box = make("div", { role: "rowheader", class: "ddpm-map-head" }, make("span", {}, `γ = ${scale}`),
      make("div", { class: "ddpm-map-bars", "aria-hidden": "true" }, ...(table ? [parts.agreed] : []), parts.spread));
    return { ...parts, box };
  });
  const titles = make("div", { role: "row", class: "ddpm-map-row ddpm-map-titles" },
    make("div", { role: "columnheader" }, "guidance"), ...seeds.map((seed) => make("div", { role: "columnheader" }, `seed ${seed}`)));
  const board = make("div", { role: "grid", class: "ddpm-map-grid", style: `--ddpm-columns: ${seeds.length}`,
    onkeydown: (event) => {
      const to = moveBy(event.key, event.ctrlKey || event.metaKey, chosen(), scales.length, seeds.length);
      if (!to || event.altKey) return;
      event.preventDefault();
      hovered = null;
      cells[to[0]][to[1]].cell.focus();
    },
    onpointerleave: () => { hovered = null; detail(); } },
    titles, ...cells.map((line, row) => make("div", { role: "row", class: "ddpm-map-row" }, heads[row].box, ...line.map((one) => one.cell))));

  const large = make("canvas", { class: "ddpm-picture ddpm-map-large", role: "img" });
  const what = make("div", { class: "ddpm-map-what" });
  const verdict = make("div", { class: "ddpm-map-verdict" });
  const votes = table && Array.from({ length: grid.classes }, (_, k) => {
    const fill = make("i", {});
    return { fill, box: make("span", { class: "ddpm-map-vote" }, make("b", {}, fill), make("small", {}, String(k))) };
  });
  const ballot = votes && make("div", { class: "ddpm-map-votes", role: "img" }, ...votes.map((one) => one.box));
  const aside = make("div", { class: "ddpm-map-detail" }, large, make("div", {}, what, verdict, ...(ballot ? [ballot] : [])));
  const readouts = { agreed: make("output", {}), spread: make("output", {}) };
  const readings = make("div", { class: "ddpm-map-key" },
    ...(table ? [make("span", { class: "ddpm-map-agreed", "data-readout": "agreed" }, "agreement ", readouts.agreed)] : []),
    make("span", { class: "ddpm-map-spread", "data-readout": "spread" }, "spread ", readouts.spread));
  body.append(make("div", { class: "ddpm-row ddpm-row-top" }, choice.box, readings), make("div", { class: "ddpm-map" }, board, aside));

  const picture = (label, row, column) => {
    const k = cellAt(grid, label, row, column);
    return inked(pictures.subarray(k * area, (k + 1) * area), INK, new Uint8ClampedArray(4 * area));
  };
  const judgement = (label, row, column) => {
    if (!table) return "";
    const seen = judgedAt(grid, table, label, row, column), best = largestOf(seen), asked = labels[label];
    return best === asked ? `the judge sees a ${best}, ${percent(seen[best])}`
      : `the judge sees a ${best}, ${percent(seen[best])}; a ${asked}, ${percent(seen[asked])}`;
  };
  const detail = () => {
    const label = labelNow(), [row, column] = hovered ?? chosen();
    what.textContent = `${scales[row] === 0 ? "no label heard" : `label ${labels[label]}`}, γ\u00a0=\u00a0${scales[row]}, seed\u00a0${seeds[column]}`;
    verdict.textContent = judgement(label, row, column);
    if (votes) {
      const seen = judgedAt(grid, table, label, row, column);
      votes.forEach(({ fill, box }, k) => {
        fill.style.height = `${100 * seen[k]}%`;
        box.classList.toggle("ddpm-asked", k === labels[label]);
      });
      ballot.setAttribute("aria-label", verdict.textContent);
    }
    large.setAttribute("aria-label", `${what.textContent}, enlarged`);
    if (pictures) stamp(large, picture(label, row, column), side);
    const wide = spreads(grid, label);
    if (table) readouts.agreed.textContent = `${agreedIn(grid, table, label, row)} of ${seeds.length}`;
    readouts.spread.textContent = format.short(Number(wide[row].toPrecision(2)));
    cells.forEach((line, i) => line.forEach(({ cell }, j) => cell.classList.toggle("ddpm-map-same", i === row || j === column)));
  };
  const draw = () => {
    const label = labelNow(), [row, column] = chosen(), wide = spreads(grid, label), widest = Math.max(...wide, 1e-9);
    choice.show(labels[label]);
    board.setAttribute("aria-label", `samples of the label ${labels[label]}: a row for each guidance scale, a column for each seed`);
    cells.forEach((line, i) => line.forEach(({ cell, canvas }, j) => {
      const mine = i === row && j === column;
      cell.tabIndex = mine ? 0 : -1;
      cell.setAttribute("aria-selected", mine);
      cell.setAttribute("aria-label", [`scale ${scales[i]}, seed ${seeds[j]}`, judgement(label, i, j)].filter(Boolean).join(", "));
      if (pictures) stamp(canvas, picture(label, i, j), side);
    }));
    heads.forEach(({ agreed, spread, box }, i) => {
      const words = [`scale ${scales[i]}`];
      if (table) {
        const share = agreedIn(grid, table, label, i) / seeds.length;
        agreed.firstChild.style.width = `${100 * share}%`;
        words.push(`agreement ${percent(share)}`);
      }
      spread.firstChild.style.width = `${(100 * wide[i]) / widest}%`;
      box.setAttribute("aria-label", [...words, `spread ${format.short(wide[i])}`].join(", "));
    });
    detail();
  };
  let asked = 0; // several changes at once are drawn once
  const soon = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); }); };
  const heard = ["label", "row", "column"];
  for (const name of heard) model.on(`change:${name}`, soon);
  const unwatch = watch(body, soon);
  draw();
  loadPicture(grid.sheet).then(({ values }) => {
    pictures = greyOf(values);
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
