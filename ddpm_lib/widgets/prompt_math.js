// Films of prompts, scales and seeds: where each picture lies on its sheet, what was measured, how a film runs.

// Corner of a picture on a sheet of pictures of one side: prompt p, scale g, seed s.
export const placeOf = ({ seeds }, side, p, g, s) => [(g * seeds.length + s) * side, p * side];

// Bytes of pictures that were kept as (picture − end) / 2, laid over the ends again; byte 128 is no difference.
export function laidOver(ends, kept) {
  return Uint8ClampedArray.from(ends, (end, i) => (i % 4 === 3 ? 255 : end + 2 * (kept[i] - 128)));
}

// The rows of the comparison: the seeds of one prompt, or the prompts of one seed. Every row has a column a scale.
export function linesOf({ prompts, seeds }, rows, prompt, seed) {
  if (rows === "seeds") return seeds.map((_, s) => ({ p: prompt, s }));
  return prompts.map((_, p) => ({ p, s: seed }));
}

// A measured number, film.colour or film.differ, for each scale at moment f.
export const readingsOf = (film, name, p, f) => film.scales.map((_, g) => film[name][p][g][f]);

// The same as a mean over all prompts.
export function meansOf(film, name, f) {
  const count = film.prompts.length;
  return film.scales.map((_, g) => film[name].reduce((sum, table) => sum + table[g][f], 0) / count);
}

// What a full bar stands for: the largest of all, whatever is shown, so that bars of two views can be compared.
export const fullBar = (film, name) => Math.max(...film[name].flat(2), 1e-9);

export const timeWords = (t, last) => (last ? "t = 0, the end" : `t = ${t}`);
export const scaleWords = (s) => ({ 0: "0: prompt not heard", 1: "1: none" })[s] ?? String(s);

// A prompt's language, so that it is read out rightly; null where nothing but Latin letters speaks.
export const languageOf = (words) => (/\p{Script=Han}/u.test(words) ? "zh" : null);

// Which moment a film shows some seconds after it was started at `from`, each for `hold` seconds; last at its end.
export function momentAfter(seconds, from, count, hold) {
  return Math.min(from + Math.floor(seconds / hold), count - 1);
}
