// Pictures → a film file, recorded by the browser as it plays them.

const KINDS = [["video/webm;codecs=vp9", "webm"], ["video/webm", "webm"], ["video/mp4", "mp4"]];
const LEAST = 384; // pixels a side: smaller films look poor where they are shared

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function image(src) {
  const one = new Image();
  one.src = src;
  await one.decode();
  return one;
}

// { film: Blob, ending } of the pictures `sources`, `rate` a second, the last one shown `still` pictures longer. It takes as long
// as the film. Raises an Error in a browser that records nothing.
export async function record(sources, { size, rate, still }) {
  const found = window.MediaRecorder && KINDS.find(([type]) => MediaRecorder.isTypeSupported(type));
  if (!found) throw new Error("no MediaRecorder");
  const images = await Promise.all(sources.map(image));
  const side = size * Math.max(1, Math.ceil(LEAST / size)), canvas = document.createElement("canvas");
  canvas.width = canvas.height = side + (side % 2);
  const pen = canvas.getContext("2d"), stream = canvas.captureStream(0), [track] = stream.getVideoTracks();
  pen.imageSmoothingQuality = "high";
  const recorder = new MediaRecorder(stream, { mimeType: found[0], videoBitsPerSecond: 8_000_000 }), parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const over = new Promise((done, failed) => Object.assign(recorder, { onstop: done, onerror: failed }));
  recorder.start();
  const start = performance.now();
  for (const [index, one] of [...images, ...Array(still).fill(images.at(-1))].entries()) {
    pen.drawImage(one, 0, 0, canvas.width, canvas.height);
    track.requestFrame();
    await pause(Math.max(0, start + ((index + 1) * 1000) / rate - performance.now()));
  }
  recorder.stop();
  await over;
  return { film: new Blob(parts, { type: found[0].split(";")[0] }), ending: found[1] };
}
