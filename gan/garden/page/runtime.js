// What the worker downloads: onnxruntime-web in the kind that this browser is fast with, and the two graphs. All of it goes into
// the browser's cache, so that a second visit asks nobody.

const WARM = 4, PAUSE = 100; // runs after which nothing gets faster, and milliseconds between them

// The cache of this page: a host may have several. sw.js names it too.
export const DATA = `flowers-data ${new URL(".", location.href)}`;

// What went wrong, by a key of the page's text.
export class Trouble extends Error {
  constructor(key, values = {}) {
    super(key);
    Object.assign(this, { key, values });
  }
}

let keeping = Promise.resolve(); // what is being put into the cache

async function kept(url) {
  await keeping;
  try { return await (await caches.open(DATA)).match(url); } catch { return undefined; } // no cache without https
}

async function keep(url, bytes, type) {
  try {
    await (await caches.open(DATA)).put(url, new Response(bytes, { headers: { "Content-Type": type, "Content-Length": bytes.length } }));
  } catch { /* the disk is full, or there is no cache: the next visit downloads again */ }
}

// The bytes of a file { url, bytes, integrity }; `tick` hears how many have come.
async function download({ url, bytes: expected, integrity, type = "application/octet-stream" }, priority, tick) {
  const copy = await kept(url);
  if (copy) {
    const bytes = new Uint8Array(await copy.arrayBuffer());
    if (bytes.length === expected) return tick(expected), bytes;
  }
  const bytes = new Uint8Array(expected);
  let came = 0;
  try {
    const answer = await fetch(url, { priority, ...(integrity ? { integrity, mode: "cors", credentials: "omit" } : {}) });
    if (!answer.ok) throw new Trouble("garden_missing", { status: answer.status });
    for (const reader = answer.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (came + value.length > expected) throw new Trouble("garden_other_file");
      bytes.set(value, came);
      tick((came += value.length));
    }
  } catch (error) {
    throw error instanceof Trouble ? error : new Trouble("garden_broke_off");
  }
  if (came < expected) throw new Trouble("garden_broke_off");
  keeping = Promise.all([keeping, keep(url, bytes, type)]); // drawing does not wait for the disk
  return bytes;
}

// Packed files are unpacked here: not every host packs what it sends.
async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Trouble("garden_broke_off");
  }
}

// A real GPU: a software one is slower than WebAssembly.
async function hasGpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  } catch {
    return false;
  }
}

const threads = () => (self.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency - 1)) : 1);

// Sessions of the graphs: { sessions, Tensor, kind, threads }. `wish` may name the kind and the number of threads. `report` hears
// how many of how many bytes have come. Raises Trouble.
export async function begin(facts, wish, report) {
  const kind = wish.kind ?? ((await hasGpu()) ? "webgpu" : "wasm");
  try {
    return await load(facts, kind, wish, report);
  } catch (error) {
    if (kind === "wasm" || wish.kind || error.key === "garden_broke_off") throw error;
    console.warn("WebGPU is not used:", error);
    return load(facts, "wasm", wish, report);
  }
}

// The model is by far the largest file. Until it comes, the runtime is started and its code compiled.
async function load(facts, kind, wish, report) {
  const files = { ...facts.runtime[kind], ...facts.graphs };
  const came = Object.fromEntries(Object.keys(files).map((name) => [name, 0]));
  const of = Object.values(files).reduce((sum, file) => sum + file.wire, 0);
  const fetched = async ([name, file]) => unpacked(await download(file, name === "painting" ? "low" : "high", (count) => {
    came[name] = (count / file.bytes) * file.wire;
    report(Object.values(came).reduce((sum, one) => sum + one, 0), of);
  }));
  const coming = Object.fromEntries(Object.entries(files).map((entry) => [entry[0], fetched(entry)]));
  for (const one of Object.values(coming)) one.catch(() => {}); // each is awaited below
  let arrived = false;
  coming.painting.catch(() => {}).then(() => { arrived = true; });
  const module = async (name) => URL.createObjectURL(new Blob([await coming[name]], { type: "text/javascript" }));
  const ort = await import(await module("script")), count = wish.threads ?? threads();
  Object.assign(ort.env.wasm, { wasmPaths: { mjs: await module("glue") }, wasmBinary: (await coming.wasm).buffer, numThreads: count });
  ort.env.logLevel = "error";
  const session = async (name, provider) => ort.InferenceSession.create(await coming[name], { executionProviders: [provider] });
  const sessions = {};
  if (coming.styles) sessions.styles = await session("styles", "wasm"); // small: not worth a way to the GPU and back
  if (kind === "wasm" && !arrived) await warmUp(ort, await session("warmup", kind), () => arrived);
  sessions.painting = await session("painting", kind);
  return { sessions, Tensor: ort.Tensor, kind, threads: kind === "wasm" ? count : 0 };
}

// Run a graph until `enough` says so: browsers compile code that runs often once more, for speed.
async function warmUp(ort, session, enough) {
  const zeros = ({ shape }) => new ort.Tensor("float32", new Float32Array(shape.reduce((all, one) => all * one, 1)), shape);
  const feeds = Object.fromEntries(session.inputMetadata.map((input) => [input.name, zeros(input)]));
  for (let left = WARM; left && !enough(); left--) {
    const made = await session.run(feeds);
    for (const one of Object.values(made)) one.dispose();
    await new Promise((done) => setTimeout(done, PAUSE)); // what came meanwhile is read
  }
  await session.release();
}
