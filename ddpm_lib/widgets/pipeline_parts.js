// Parts of the pipeline's figure: the tokens of a text, the strip of frames, a text field, a choice among words.
import { make } from "./figure.js";
import { pictureBytes } from "./pipeline_film.js";

// A text field under its name; input: on every change; enter: on the Enter key.
export function textField({ name, short, value, input, enter }) {
  const field = make("input", { type: "text", value, maxlength: 400, autocomplete: "off", spellcheck: "false",
    "data-control": short, oninput: () => input(field.value),
    onkeydown: (event) => { if (event.key === "Enter" && !event.isComposing) enter(); } });
  return { field, label: make("label", { class: "ddpm-field" }, make("span", {}, name), field) };
}

// One of several words, "" for none of them.
export function wordChoice({ name, short, words, pick }) {
  const group = `ddpm-${short}-${Math.random().toString(36).slice(2)}`; // two copies must not meet
  const radios = ["", ...words].map((word) => make("input", { type: "radio", name: group,
    "data-control": `${short}-${word || "none"}`, onchange: () => pick(word) }));
  const box = make("div", { class: "ddpm-ways", role: "radiogroup", "aria-label": name },
    ...radios.map((radio, i) => make("label", {}, radio, make("span", {}, ["", ...words][i] || "none"))));
  return { box, refresh(word) { radios.forEach((radio, i) => { radio.checked = ["", ...words][i] === word; }); } };
}

// The tokens that a text becomes: each with its number; the pieces of one word touch.
export function tokenList(tokenizer) {
  const list = make("ol", { class: "ddpm-tokens", "aria-label": "the tokens of the prompt" });
  const note = make("p", { class: "ddpm-token-note" });
  const chip = (text, id, kind, ends = true) => make("li", { class: `ddpm-token ddpm-token-${kind}`,
    "data-open": !ends }, make("span", {}, text), make("small", {}, String(id)));
  function show(text) {
    const found = tokenizer.pieces(text), room = tokenizer.length - 2, ids = tokenizer.encode(text);
    const own = found.map((id, i) => {
      const { text: letters, ends } = tokenizer.spell(id);
      return chip(letters, id, i < room ? "own" : "cut", ends);
    });
    const kept = Math.min(found.length, room);
    list.replaceChildren(chip("start", ids[0], "edge"), ...own.slice(0, room), chip("end", ids[kept + 1], "edge"),
      ...own.slice(room, room + 8));
    const rest = room - kept;
    if (found.length > room)
      note.textContent = `${found.length} tokens, and ${room} fit between start and end: what comes after is not read.`;
    else
      note.textContent = `${kept === 1 ? "1 token" : `${kept} tokens`} between start and end`
        + `${rest ? `, and ${rest} more “end” to fill up to ${tokenizer.length}` : ""}.`
        + `${list.querySelector("[data-open]") ? " Pieces that touch make one word." : ""}`;
  }
  return { box: make("div", { class: "ddpm-token-box" }, list, note), show };
}

// A picture on a canvas of its own size.
export function paintPicture(canvas, picture) {
  const side = Math.sqrt(picture.length / 3);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  canvas.getContext("2d").putImageData(new ImageData(pictureBytes(picture), side, side), 0, 0);
}

// The frames of a film as buttons; pick(k) hears which one is to be seen large.
export function frameStrip(count, side, pick) {
  const cells = Array.from({ length: count }, (_, k) => {
    const canvas = make("canvas", { width: side, height: side, class: "ddpm-frame-picture" });
    const says = make("span", {}, " ");
    const button = make("button", { type: "button", class: "ddpm-frame", disabled: true, "data-control": `frame-${k}`,
      "aria-pressed": "false", onclick: () => pick(k) }, canvas, says);
    return { canvas, says, button };
  });
  function show(frames, chosen) {
    cells.forEach(({ canvas, says, button }, k) => {
      const frame = frames[k];
      button.disabled = !frame;
      button.setAttribute("aria-pressed", String(k === chosen));
      if (canvas.shown === frame && button.hasAttribute("aria-label")) return;
      says.textContent = frame ? `t = ${frame.t}` : " ";
      button.setAttribute("aria-label", `frame ${k + 1}, ${frame ? says.textContent : "not yet drawn"}`);
      canvas.shown = frame;
      if (frame) paintPicture(canvas, frame.picture);
      else canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    });
  }
  const box = make("div", { class: "ddpm-frames", role: "group", "aria-label": "the film, out of noise" },
    ...cells.map((cell) => cell.button));
  return { box, show };
}

// The last pictures drawn, newest first, each a button; pick(film) hears which film is to come back.
export function shelf(most, pick) {
  const box = make("div", { class: "ddpm-shelf", role: "group", "aria-label": "pictures drawn so far", hidden: true },
    make("span", {}, "drawn so far"));
  function put(film) {
    const canvas = make("canvas", { class: "ddpm-frame-picture" });
    paintPicture(canvas, film.frames.at(-1).picture);
    const says = `“${film.prompt}”, γ = ${film.scale}, ${film.steps} steps, seed ${film.seed}`;
    box.firstChild.after(make("button", { type: "button", title: says, "aria-label": says, "data-control": "drawn",
      onclick: () => pick(film) }, canvas));
    while (box.children.length > most + 1) box.lastChild.remove();
    box.hidden = box.children.length < 3; // one picture alone is the one that is seen large
  }
  return { box, put };
}
