// What the worker downloads: onnxruntime-web in the kind that this browser is fast with, and the two graphs. All of it goes into
// the browser's cache, so that a second visit asks nobody.

// The cache of this page: a host may have several. sw.js names it too.
export const DATA = `flowers-data ${new URL(".", location.href)}`;

// What went wrong, by a key of the page's text.
export class Trouble extends Error {
  constructor(key, values = {}) {
    super(key);
    Object.assign(this, { key, values });
  }
}

async function kept(url) {
  try { return await (await caches.open(DATA)).match(url); } catch { return undefined; } // no cache without https
}

async function keep(url, bytes, type) {
  try {
    await (await caches.open(DATA)).put(url, new Response(bytes, { headers: { "Content-Type": type, "Content-Length": bytes.length } }));
  } catch { /* the disk is full, or there is no cache: the next visit downloads again */ }
}

// The bytes of a file { url, bytes, integrity }; `tick` hears how many have come.
async function download({ url, bytes: expected, integrity, type = "application/octet-stream" }, tick) {
  const copy = await kept(url);
  if (copy) {
    const bytes = new Uint8Array(await copy.arrayBuffer());
    if (bytes.length === expected) return tick(expected), bytes;
  }
  const bytes = new Uint8Array(expected);
  let came = 0;
  try {
    const answer = await fetch(url, integrity ? { integrity, mode: "cors", credentials: "omit" } : {});
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
  await keep(url, bytes, type);
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

async function load(facts, kind, wish, report) {
  const files = { ...facts.runtime[kind], ...facts.graphs };
  const came = Object.fromEntries(Object.keys(files).map((name) => [name, 0]));
  const of = Object.values(files).reduce((sum, file) => sum + file.wire, 0);
  const bytes = {};
  await Promise.all(Object.entries(files).map(async ([name, file]) => {
    const data = await download(file, (count) => {
      came[name] = (count / file.bytes) * file.wire;
      report(Object.values(came).reduce((sum, one) => sum + one, 0), of);
    });
    bytes[name] = await unpacked(data);
  }));
  const module = (name) => URL.createObjectURL(new Blob([bytes[name]], { type: "text/javascript" }));
  const ort = await import(module("script"));
  const count = wish.threads ?? threads();
  Object.assign(ort.env.wasm, { wasmPaths: { mjs: module("glue") }, wasmBinary: bytes.wasm.buffer, numThreads: count });
  ort.env.logLevel = "error";
  const sessions = {};
  for (const name of Object.keys(facts.graphs)) {
    const provider = name === "styles" ? "wasm" : kind; // the small one: not worth a way to the GPU and back
    sessions[name] = await ort.InferenceSession.create(bytes[name], { executionProviders: [provider] });
  }
  return { sessions, Tensor: ort.Tensor, kind, threads: kind === "wasm" ? count : 0 };
}
