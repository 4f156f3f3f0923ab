// CLIP's tokenizer in the page: text to token numbers, as transformers' CLIPTokenizer has them (Radford et al. 2021).
//
// It works on bytes and numbers alone: a word is its bytes in UTF-8, each a token, the last one marked as the end of
// a word; then neighbours become one token, those first that were the commonest when the vocabulary was learned
// (Sennrich et al. 2016). tokenizer.py packs what is learned.
import { decode } from "./figure.js";

// White space as Unicode has it: JavaScript's own \s holds U+FEFF beside it, and lacks U+0085.
const SPACE = /\p{White_Space}+/gu;
// A text into words: English endings, runs of letters, single digits, runs of anything else …
const CLIP_WORDS = new RegExp("<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}"
  + "|[^\\p{White_Space}\\p{L}\\p{N}]+", "gu");
// … and those once more, by the rule of byte-level BPE (Radford et al. 2019).
const BYTE_WORDS = new RegExp("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+"
  + "|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+", "gu");

// The words of a text, as CLIP's tokenizer sees them. Letter by letter to lower case, as there: a sigma at the end
// of a word stays a common sigma.
export function clipWords(text) {
  const plain = [...text.normalize("NFC").replace(SPACE, " ")].map((letter) => letter.toLowerCase()).join("");
  return (plain.match(CLIP_WORDS) ?? []).flatMap((word) => word.match(BYTE_WORDS) ?? []);
}

// A tokenizer from what tokenizer.py packed: {length, pieces(text), encode(text), bytesOf(id)}.
export function clipTokenizer({ base, merges, special, start, end, pad, length }) {
  const first = decode(base, Uint16Array), rules = decode(merges, Uint16Array), encoder = new TextEncoder();
  const rank = new Map(), parts = new Map();
  for (let byte = 511; byte >= 0; byte--) parts.set(first[byte], [byte]);
  for (let i = 0; i < rules.length; i += 3) {
    const [left, right, both] = rules.subarray(i, i + 3);
    rank.set(left * 65536 + right, i);
    if (!parts.has(both)) parts.set(both, [...parts.get(left), ...parts.get(right)]);
  }

  function ofWord(word) {
    const bytes = encoder.encode(word), tokens = Array.from(bytes, (byte) => first[byte]);
    tokens[tokens.length - 1] = first[256 + bytes.at(-1)];
    for (;;) {
      let best = Infinity, at = -1;
      for (let i = 0; i + 1 < tokens.length; i++) {
        const found = rank.get(tokens[i] * 65536 + tokens[i + 1]);
        if (found < best) [best, at] = [found, i];
      }
      if (at < 0) return tokens;
      tokens.splice(at, 2, rules[best + 2]);
    }
  }

  const named = Object.keys(special).map((name) => name.replace(/[^\w]/g, "\\$&")).join("|");
  const cutter = named ? new RegExp(`(${named})`) : null;
  // The tokens of a text, without start, end and filling: as many as it takes.
  const pieces = (text) => (cutter ? text.split(cutter) : [text]).flatMap((part) =>
    (special[part] !== undefined ? [special[part]] : clipWords(part).flatMap(ofWord)));

  // `length` numbers: start, the text as far as it fits, end, and filling.
  function encode(text) {
    const kept = [start, ...pieces(text).slice(0, length - 2), end];
    return [...kept, ...Array(length - kept.length).fill(pad)];
  }

  // A token for a reader: {text, ends}: its letters, or bytes in sixteens where it is only a part of one.
  function spell(id) {
    const name = Object.keys(special).find((key) => special[key] === id);
    if (name) return { text: name, ends: true };
    const own = parts.get(id) ?? [], bytes = Uint8Array.from(own, (byte) => byte % 256);
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      text = Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
    }
    return { text, ends: (own.at(-1) ?? 0) > 255 };
  }
  return { length, pieces, encode, spell };
}
