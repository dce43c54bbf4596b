// The worker: downloads, draws, and packs files, so that the page never waits for it. A new wish cancels the one before.
import { gif } from "./gif.js";
import { Painter } from "./painter.js";
import { png, zip } from "./png.js";
import { begin, Trouble } from "./runtime.js";

const HUNDREDTHS = 8; // of a second that a picture of a GIF is shown

let painter, sound = false, wish = 0, strip = [];

const turn = () => new Promise((done) => { // lets messages come in
  const channel = new MessageChannel();
  channel.port1.onmessage = done;
  channel.port2.postMessage(0);
});
const dataUrl = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return `data:image/png;base64,${btoa(text)}`;
};

const tasks = {
  async start({ facts, wish: asked }) {
    const report = (came, of) => postMessage({ kind: "progress", came, of });
    let begun = await begin(facts, asked, report);
    painter = new Painter(facts, begun);
    if (begun.kind === "webgpu") {
      try {
        await checked();
      } catch {
        begun = await begin(facts, { kind: "wasm" }, report); // a driver that draws something else
        painter = new Painter(facts, begun);
      }
    }
    return { engine: begun.kind, threads: begun.threads };
  },

  // Pictures of flowers, one by one; `settings` has the text of each file.
  async draw({ flowers, settings, id }) {
    for (const [index, one] of flowers.entries()) {
      const pixels = await painter.pixels(await painter.latents(one));
      await show(id, index, pixels, settings[index]);
    }
  },

  async path({ start, end, steps, way, loop, settings, id }) {
    const drawn = [];
    for (const [index, point] of (await painter.path(start, end, steps, way, loop)).entries()) {
      drawn.push(await painter.pixels(point));
      await show(id, index, drawn.at(-1), settings);
    }
    strip = drawn;
  },

  // The film of the last path side by side, in rows of twelve, as a file.
  async strip({ settings }) {
    const { size } = painter.facts, columns = Math.min(12, strip.length), rows = Math.ceil(strip.length / columns);
    const sheet = new Uint8ClampedArray(columns * size * rows * size * 3).fill(255), line = size * 3;
    for (const [i, pixels] of strip.entries()) {
      for (let y = 0; y < size; y++) {
        sheet.set(pixels.subarray(y * line, (y + 1) * line), ((Math.floor(i / columns) * size + y) * columns + (i % columns)) * line);
      }
    }
    return { file: await png(sheet, columns * size, rows * size, settings) };
  },

  // The film of the last path as a file; the last picture stays for `still` more.
  async gif({ still }) {
    return { file: gif(strip, painter.facts.size, HUNDREDTHS, HUNDREDTHS * (1 + still)) };
  },

  async archive({ files }) {
    return { file: zip(files) };
  },
};

// Once in the life of the worker: does it draw what was drawn where the page was made?
async function checked() {
  if (!sound) await painter.check();
  sound = true;
}

async function show(id, index, pixels, settings) {
  const { size } = painter.facts;
  const src = dataUrl(await png(pixels, size, size, settings));
  await turn();
  if (id !== wish) throw new Trouble("cancelled");
  postMessage({ kind: "picture", id, index, src });
}

const painting = ({ task }) => task === "draw" || task === "path";
let before = Promise.resolve();
onmessage = ({ data }) => {
  if (painting(data)) wish = data.id;
  before = before.then(async () => {
    try {
      if (painting(data) && data.id !== wish) throw new Trouble("cancelled");
      const answer = await tasks[data.task](data);
      if (painting(data)) await checked(); // the first flower does not wait for it
      postMessage({ kind: "done", id: data.id, ...answer });
    } catch (error) {
      if (!(error instanceof Trouble)) console.error(error);
      postMessage({ kind: "failed", id: data.id, key: error.key ?? "garden_failed", values: { ...error.values, reason: String(error.message ?? error).slice(0, 200) } });
    }
  });
};
