// Pictures → a GIF that repeats for ever, as the app makes it (gan/utils/images.py): one palette for all pictures, so that what
// does not move does not flicker, and dithering (Floyd and Steinberg 1976).
import { joined } from "./png.js";

const COLORS = 256, FULL = 4096; // codes of at most 12 bits
const LEAST = 256; // pixels a side

// `pictures` of three bytes a pixel, `size` a side; each is shown for `hundredths` of a second, the last one for `last` of them.
export function gif(pictures, size, hundredths, last) {
  const side = size * Math.max(1, Math.ceil(LEAST / size)), palette = medianCut(pictures), nearest = finder(palette);
  const short = (...numbers) => new Uint8Array(Uint16Array.from(numbers).buffer); // every device has the low byte first
  const ascii = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const frames = pictures.flatMap((picture, i) => [
    Uint8Array.of(0x21, 0xf9, 4, 0), short(i === pictures.length - 1 ? last : hundredths), Uint8Array.of(0, 0),
    Uint8Array.of(0x2c), short(0, 0, side, side), Uint8Array.of(0, 8), // codes begin with eight bits
    ...blocks(compressed(dithered(enlarged(picture, size, side), side, palette, nearest))),
  ]);
  const head = [ascii("GIF89a"), short(side, side), Uint8Array.of(0xf7, 0, 0), palette];
  return joined([...head, ascii("\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"), ...frames, Uint8Array.of(0x3b)]);
}

// A picture of `side` pixels, smoothly enlarged, three bytes each.
function enlarged(picture, size, side) {
  const flat = new ImageData(size, size), small = new OffscreenCanvas(size, size), large = new OffscreenCanvas(side, side);
  const found = new Uint8ClampedArray(side * side * 3);
  const copy = (from, step, to, other) => {
    for (let i = 0, k = 0; i < from.length; i += step, k += other) for (let c = 0; c < 3; c++) to[k + c] = from[i + c];
  };
  copy(picture, 3, flat.data.fill(255), 4);
  small.getContext("2d").putImageData(flat, 0, 0);
  const pen = large.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, 0, 0, side, side);
  copy(pen.getImageData(0, 0, side, side).data, 4, found, 3);
  return found;
}

// 256 colors: boxes around all colors, the one with most pixels times its length halved again and again (Heckbert 1982).
function medianCut(pictures) {
  const cells = new Map(); // of 5 bits a channel: [pixels, red, green, blue], sums
  for (const picture of pictures) {
    for (let i = 0; i < picture.length; i += 3) {
      const key = ((picture[i] >> 3) << 10) | ((picture[i + 1] >> 3) << 5) | (picture[i + 2] >> 3), cell = cells.get(key) ?? [0, 0, 0, 0];
      cell[0]++;
      for (let c = 0; c < 3; c++) cell[c + 1] += picture[i + c];
      cells.set(key, cell);
    }
  }
  const at = (cell, axis) => cell[axis] / cell[0];
  const box = (inside) => {
    const pixels = inside.reduce((sum, cell) => sum + cell[0], 0);
    const lengths = [1, 2, 3].map((axis) => Math.max(...inside.map((cell) => at(cell, axis))) - Math.min(...inside.map((cell) => at(cell, axis))));
    const longest = Math.max(...lengths);
    return { inside, pixels, axis: lengths.indexOf(longest) + 1, weight: pixels * longest };
  };
  const boxes = [box([...cells.values()])];
  while (boxes.length < COLORS) {
    const most = boxes.reduce((best, one) => (one.weight > best.weight ? one : best));
    if (!most.weight) break; // no more colors than that
    const sorted = most.inside.sort((a, b) => at(a, most.axis) - at(b, most.axis));
    let cut = 0;
    for (let seen = 0; cut < sorted.length - 1 && (seen += sorted[cut][0]) <= most.pixels / 2; ) cut++;
    boxes.splice(boxes.indexOf(most), 1, box(sorted.slice(0, Math.max(1, cut))), box(sorted.slice(Math.max(1, cut))));
  }
  const palette = new Uint8Array(COLORS * 3);
  boxes.forEach(({ inside, pixels }, i) => palette.set([1, 2, 3].map((axis) => Math.round(inside.reduce((sum, cell) => sum + cell[axis], 0) / pixels)), i * 3));
  return palette;
}

// (red, green, blue) → the nearest color of the palette; those of the same 6 bits a channel have the same.
function finder(palette) {
  const known = new Int16Array(1 << 18).fill(-1);
  return (r, g, b) => {
    const key = ((r >> 2) << 12) | ((g >> 2) << 6) | (b >> 2);
    if (known[key] < 0) {
      let least = Infinity;
      for (let i = 0; i < COLORS; i++) {
        const far = (palette[i * 3] - r) ** 2 + (palette[i * 3 + 1] - g) ** 2 + (palette[i * 3 + 2] - b) ** 2;
        if (far < least) [least, known[key]] = [far, i];
      }
    }
    return known[key];
  };
}

// Colors of the palette, one byte a pixel: what each is off by is shared among the neighbors that come after it.
function dithered(picture, side, palette, nearest) {
  const values = Float32Array.from(picture), found = new Uint8Array(side * side), line = side * 3;
  const byte = (value) => Math.min(255, Math.max(0, Math.round(value)));
  for (let i = 0; i < found.length; i++) {
    const x = i % side, at = i * 3, last = x === side - 1;
    found[i] = nearest(byte(values[at]), byte(values[at + 1]), byte(values[at + 2]));
    for (let c = at; c < at + 3; c++) {
      const off = (values[c] - palette[found[i] * 3 + c - at]) / 16;
      if (!last) values[c + 3] += off * 7;
      if (x) values[c + line - 3] += off * 3;
      values[c + line] += off * 5; // below the last line nobody listens
      if (!last) values[c + line + 3] += off;
    }
  }
  return found;
}

// The codes of Lempel, Ziv and Welch as GIF packs them: low bits first, as many as the longest code needs.
function compressed(pixels) {
  const bytes = [], clear = COLORS, end = COLORS + 1;
  let bits = 0, held = 0, width, codes;
  const put = (code) => {
    held |= code << bits;
    for (bits += width; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  const begin = () => { [width, codes] = [9, new Map()]; };
  begin();
  put(clear);
  let prefix = pixels[0];
  for (let i = 1; i < pixels.length; i++) {
    const key = (prefix << 8) | pixels[i], code = codes.get(key);
    if (code !== undefined) {
      prefix = code;
      continue;
    }
    put(prefix);
    prefix = pixels[i];
    const next = end + 1 + codes.size;
    if (next === FULL) {
      put(clear);
      begin();
    } else {
      if (next === 1 << width) width++;
      codes.set(key, next);
    }
  }
  put(prefix);
  put(end);
  if (bits) bytes.push(held & 255);
  return Uint8Array.from(bytes);
}

// At most 255 bytes each, their number in front; an empty one ends them.
function blocks(data) {
  const parts = [];
  for (let at = 0; at < data.length; at += 255) {
    const part = data.subarray(at, at + 255);
    parts.push(Uint8Array.of(part.length), part);
  }
  return [...parts, Uint8Array.of(0)];
}
