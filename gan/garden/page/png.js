// PNG files with their settings as text, and ZIP archives of them: the same chunks as the app's (gan/utils/images.py).

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const ascii = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function chunk(kind, content) {
  const body = joined([ascii(kind), content]), frame = new DataView(new ArrayBuffer(8));
  frame.setUint32(0, content.length);
  frame.setUint32(4, crc32(body));
  return [new Uint8Array(frame.buffer, 0, 4), body, new Uint8Array(frame.buffer, 4, 4)];
}

// JSON in ASCII with sorted keys, as Python writes it.
function sortedJson(value) {
  const sorted = Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify(sorted).replace(/[\u007f-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// Pixels, three bytes each, row by row → the content of a PNG file.
export async function png(pixels, width, height, settings) {
  const line = width * 3, rows = new Uint8Array(height * (line + 1));
  for (let y = 0; y < height; y++) { // each row as its difference from the one above: smaller
    const to = y * (line + 1) + 1;
    rows[to - 1] = y ? 2 : 0;
    for (let x = 0; x < line; x++) rows[to + x] = pixels[y * line + x] - (y ? pixels[(y - 1) * line + x] : 0);
  }
  const packed = await new Response(new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer();
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint16(8, 0x0802); // eight bits each of red, green and blue
  return joined([
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    ...chunk("IHDR", new Uint8Array(head.buffer)),
    ...chunk("tEXt", ascii("Software\0This Flower Does Not Exist")),
    ...chunk("tEXt", ascii(`Settings\0${sortedJson(settings)}`)),
    ...chunk("IDAT", new Uint8Array(packed)),
    ...chunk("IEND", new Uint8Array(0)),
  ]);
}

// A ZIP archive of [name, content] pairs, not compressed, as PNG files are.
export function zip(files) {
  const parts = [], index = [];
  let at = 0;
  for (const [name, content] of files) {
    const title = new TextEncoder().encode(name), entry = new DataView(new ArrayBuffer(26));
    entry.setUint16(0, 20, true); // version
    entry.setUint16(2, 0x0800, true); // names are UTF-8
    entry.setUint16(8, 0x21, true); // 1 January 1980
    entry.setUint32(10, crc32(content), true);
    entry.setUint32(14, content.length, true);
    entry.setUint32(18, content.length, true);
    entry.setUint16(22, title.length, true);
    const shared = new Uint8Array(entry.buffer), tail = new DataView(new ArrayBuffer(14));
    tail.setUint32(10, at, true);
    parts.push(ascii("PK\x03\x04"), shared, title, content);
    index.push(ascii("PK\x01\x02\x14\0"), shared, new Uint8Array(tail.buffer), title);
    at += 4 + shared.length + title.length + content.length;
  }
  const length = index.reduce((sum, part) => sum + part.length, 0), end = new DataView(new ArrayBuffer(18));
  end.setUint16(4, files.length, true);
  end.setUint16(6, files.length, true);
  end.setUint32(8, length, true);
  end.setUint32(12, at, true);
  return joined([...parts, ...index, ascii("PK\x05\x06"), new Uint8Array(end.buffer)]);
}
