// A flower: the value that makes a picture, and how it is written in an address and in a PNG file (gan/sampling/flower.py).
//
//   { label, seed, truncation, shift, fine }   label: index of a class, or a share for each; truncation: null for none;
//                                              shift: text, "" for none; fine: { label, seed, scales } or null

export const MAX_SEED = 2 ** 32 - 1;
export const MIN_TRUNCATION = 0.01, MAX_TRUNCATION = 3;
const MAX_SHIFT = 100, LONG_MIX = 200;

export const flower = (label, seed, truncation) => ({ label, seed, truncation, shift: "", fine: null });

// A flower with a class of its own: where the label is null, the seed picks it.
export const resolved = (one, classes) => (one.label === null ? { ...one, label: one.seed % classes } : one);

// `count` flowers with consecutive seeds; after 2³²−1 comes 0.
export const following = (label, seed, truncation, count, classes) =>
  Array.from({ length: count }, (_, i) => resolved(flower(label, (seed + i) % (MAX_SEED + 1), truncation), classes));

export const mainClass = ({ label }) => (Array.isArray(label) ? label.indexOf(Math.max(...label)) : label);

export function shares(weights) {
  const total = weights.reduce((sum, one) => sum + one, 0);
  return weights.map((one) => one / total);
}

// -------------------------------------------------------------------------------------------------------------- shifts

const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const fromBase64 = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

// A step in the latent space as text: a float32 scale and an int8 for each coordinate.
export function writeShift(shift) {
  const most = shift.reduce((sum, one) => Math.max(sum, Math.abs(one)), 0);
  if (!most) return "";
  const scale = Float32Array.of(most / 127);
  const steps = Int8Array.from(shift, (one) => Math.max(-127, Math.min(127, Math.round(one / scale[0]))));
  return toBase64([...new Uint8Array(scale.buffer), ...new Uint8Array(steps.buffer)]);
}

// The shift that a text describes; null for a text that is none of this width.
export function readShift(text, width) {
  if (!text) return new Float32Array(width);
  let bytes;
  try { bytes = fromBase64(text); } catch { return null; }
  if (bytes.length !== 4 + width) return null;
  const scale = new DataView(bytes.buffer).getFloat32(0, true);
  if (!(scale > 0 && scale <= MAX_SHIFT / 127)) return null;
  return Float32Array.from(new Int8Array(bytes.buffer, 4), (one) => one * scale);
}

// -------------------------------------------------------------------------------------------------------------- extras

// The text of a resolved flower that is more than its class, seed and truncation; empty for others.
export function extras(one) {
  const mix = Array.isArray(one.label) ? `~m${writeMix(one.label)}` : "", shift = one.shift ? `~s${one.shift}` : "";
  const fine = one.fine ? `~f${one.fine.label}:${one.fine.seed}:${one.fine.scales}` : "";
  return mix || shift || fine ? `${mainClass(one)}.${one.seed}${mix}${shift}${fine}` : "";
}

const EXTRAS = /^(\d{1,3})\.(\d{1,10})(?:~m([\d.:-]+))?(?:~s([\w-]+))?(?:~f(\d{1,3}):(\d{1,10}):(\d{1,2}))?$/;

// A flower with the extras of a text; unchanged where they are damaged, another flower's, or not for this model.
export function withExtras(one, text, { classes, width, scales }) {
  const found = EXTRAS.exec(text ?? "");
  if (!found || +found[1] !== one.label || +found[2] !== one.seed) return one;
  const [, , , mix, shift = "", label, seed, kept] = found;
  const fine = label === undefined ? null : { label: +label, seed: +seed, scales: +kept };
  if (fine && (!scales || fine.label >= classes.length || fine.seed > MAX_SEED || fine.scales > scales)) return one;
  if (readShift(shift, width) === null) return one;
  const weights = mix ? readMix(mix, classes.length) : null;
  if (mix && !weights) return one;
  return { ...one, label: weights ? shares(weights) : one.label, shift, fine };
}

// Shares that add up to 1 as percentages of six digits.
function writeMix(parts) {
  const texts = parts.map((share) => (share >= 1e-6 ? String(Number((100 * share).toPrecision(6))) : "0"));
  const whole = texts.join(":");
  return whole.length <= LONG_MIX ? whole : texts.map((text, i) => [i, text]).filter(([, text]) => text !== "0").map((pair) => pair.join("-")).join(":");
}

function readMix(text, classes) {
  const weights = new Array(classes).fill(0), parts = text.split(":");
  if (text.includes("-")) {
    for (const [number, weight] of parts.map((part) => part.split("-").map(Number))) weights[number] = weight;
  } else if (parts.length === classes) parts.forEach((part, i) => { weights[i] = Number(part); });
  else return null;
  const fine = weights.length === classes && weights.every((one) => one >= 0 && one <= 1e6) && weights.some(Boolean);
  return fine ? weights : null;
}

// ------------------------------------------------------------------------------------------------------------- as text

// A flower as plain values, for a PNG file and for the page.
export function describe(one, classes) {
  const more = extras(one), about = { class: classes[mainClass(one)], seed: one.seed, truncation: one.truncation };
  return more ? { ...about, extras: more } : about;
}

// A truncation as the app writes it: with a point, or off.
export const levelText = (truncation) => (truncation === null ? "off" : Number.isInteger(truncation) ? `${truncation}.0` : String(truncation));

// The name of a flower's file, without ending. What makes it more than its class and seed is there as a checksum.
export function stem(one, classes) {
  const level = one.truncation === null ? "full" : `t${levelText(one.truncation)}`, more = extras(one);
  const parts = [classes[mainClass(one)].slice(0, 60), one.seed, level, ...(more ? [checksum(more)] : [])];
  return parts.map((part) => String(part).replace(/[^\p{L}\p{N}_.+-]+/gu, "_")).join("-");
}

function checksum(text) { // FNV-1a, 32 bits
  let sum = 0x811c9dc5;
  for (const letter of text) sum = Math.imul(sum ^ letter.codePointAt(0), 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
}
