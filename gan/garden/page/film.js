// Pictures → a WebM film: the browser's own encoder, and the container around what it gives (RFC 9559).
import { joined } from "./png.js";

const CODECS = [["vp09.00.20.08", "V_VP9"], ["vp8", "V_VP8"]];
const LEAST = 384; // pixels a side: smaller films look poor where they are shared
const LATEST = 32_000; // milliseconds in a cluster: a block counts its time in 16 bits

async function image(src) {
  const one = new Image();
  one.src = src;
  await one.decode();
  return one;
}

// What a picture is encoded with: [settings, name of the codec in the container]. Raises an Error where there is no encoder.
async function encoding(side) {
  for (const [codec, name] of CODECS) {
    const settings = { codec, width: side, height: side, bitrate: 6_000_000, latencyMode: "quality" };
    if ((await VideoEncoder.isConfigSupported(settings)).supported) return [settings, name];
  }
  throw new Error("no encoder");
}

// The film of the pictures `sources`, `rate` a second, the last one shown `still` pictures longer. Raises an Error in a browser
// that has no encoder, or that gives it no page without https.
export async function film(sources, { size, rate, still }) {
  const side = (size * Math.max(1, Math.ceil(LEAST / size)) + 1) & ~1, canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const pen = canvas.getContext("2d"), [settings, codec] = await encoding(side), blocks = [];
  let failed = null;
  const encoder = new VideoEncoder({
    error: (error) => { failed = error; },
    output: (chunk) => {
      const data = new Uint8Array(chunk.byteLength);
      chunk.copyTo(data);
      blocks.push({ data, time: Math.round(chunk.timestamp / 1000), key: chunk.type === "key" });
    },
  });
  encoder.configure(settings);
  const images = await Promise.all(sources.map(image)), all = [...images, ...Array(still).fill(images.at(-1))];
  pen.imageSmoothingQuality = "high";
  for (const [index, one] of all.entries()) {
    pen.drawImage(one, 0, 0, side, side);
    const frame = new VideoFrame(canvas, { timestamp: (index * 1e6) / rate, duration: 1e6 / rate });
    encoder.encode(frame, { keyFrame: index === 0 });
    frame.close();
  }
  await encoder.flush();
  encoder.close();
  if (failed) throw failed;
  return webm(blocks, { side, codec, length: (all.length * 1000) / rate });
}

// ----------------------------------------------------------------------------------------------------------- container

const hex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

// An element: its id, eight bytes of length, its content.
function element(id, ...content) {
  const body = joined(content), length = new DataView(new ArrayBuffer(8));
  length.setUint32(0, 0x01000000);
  length.setUint32(4, body.length);
  return joined([hex(id), new Uint8Array(length.buffer), body]);
}

const whole = (id, value) => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return element(id, new Uint8Array(view.buffer));
};
const real = (id, value) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return element(id, new Uint8Array(view.buffer));
};
const text = (id, value) => element(id, new TextEncoder().encode(value));

function block({ data, time, key }) {
  const head = new DataView(new ArrayBuffer(4));
  head.setUint8(0, 0x81); // of track 1
  head.setInt16(1, time);
  head.setUint8(3, key ? 0x80 : 0);
  return element("a3", new Uint8Array(head.buffer), data);
}

function webm(blocks, { side, codec, length }) {
  if (blocks.at(-1).time > LATEST) throw new Error("too long a film");
  const name = "This Flower Does Not Exist";
  const head = element("1a45dfa3", whole("4286", 1), whole("42f7", 1), whole("42f2", 4), whole("42f3", 8), text("4282", "webm"), whole("4287", 4), whole("4285", 2));
  const info = element("1549a966", whole("2ad7b1", 1_000_000), real("4489", length), text("4d80", name), text("5741", name));
  const video = element("e0", whole("b0", side), whole("ba", side));
  const tracks = element("1654ae6b", element("ae", whole("d7", 1), whole("73c5", 1), whole("83", 1), text("86", codec), video));
  const cluster = element("1f43b675", whole("e7", 0), ...blocks.map(block));
  return joined([head, element("18538067", info, tracks, cluster)]);
}
