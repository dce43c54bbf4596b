// The Your photo tab: a photo of the visitor's, cut to a square in this browser, and the flower nearest to it.
flowers.yours = { photo: () => ({}), failed() {}, stop() {} };
flowers.stages.yours = (element, props, watch) => {
  "use strict";
  const { label, make, places, remember, say, send, showFlower, size } = flowers.kit;
  const LARGEST = 40 << 20; // bytes of a file that is opened
  const WORKING = 1600; // pixels of the longer side that are kept of it
  const SMALLEST = 32, SENT = 256, LONGEST = 110_000; // pixels of a photo at least, and of what is sent; letters of that
  const WAIT = 1500; // milliseconds until someone else's search is blamed
  const ADDRESS = ["class", "seed", "truncation", "extras"];

  // ------------------------------------------------------------------------------------------------- what is there

  const canvas = make("canvas", { width: 512, height: 512, tabindex: 0, role: "img", "aria-label": say("yours_square") });
  const over = make("img", { alt: "", class: "over", hidden: "", width: size, height: size });
  const chooser = () => {
    const input = make("input", { type: "file", accept: "image/*", "aria-label": say("yours_choose"), onchange: () => { open(input.files[0]); input.value = ""; } });
    return input;
  };
  const pick = make("label", { class: "pick" }, chooser(), make("b", {}, say("yours_choose")), make("span", {}, say("yours_or")));
  const frame = make("div", { class: "frame" }, canvas, over, pick);
  const picture = make("img", { alt: "", width: size, height: size });
  const flower = make("button", { type: "button", class: "flower", disabled: "", "aria-label": say("yours_nearest"), onclick: () => item && showFlower(item) }, picture);
  const caption = make("figcaption", {}, say("yours_nearest"));
  const duo = make("div", { class: "duo" },
    make("figure", {}, frame, make("figcaption", {}, say("yours_photo"))),
    make("figure", {}, make("div", { class: "frame" }, flower), caption));

  const range = (key, max, action) => make("input", { type: "range", min: 0, max, value: 0, step: 1, "aria-label": say(key), oninput: action });
  const zoom = range("yours_zoom", 100, () => { zoomed = 4 ** (zoom.value / 100); changed(); });
  const other = make("label", { class: "other" }, chooser(), say("yours_other"));
  const crop = make("div", { class: "row crop" }, make("span", {}, say("yours_zoom")), zoom, other);
  const wipe = range("yours_wipe", 100, () => lay());
  const compare = make("div", { class: "row" }, make("span", {}, say("yours_wipe")), wipe);
  const bar = make("progress", { max: 1, value: 0, "aria-label": say("yours_progress") });
  const said = make("p", { class: "said", role: "status" });
  const mark = make("i");
  const near = make("div", { class: "near", role: "img" }, make("div", { class: "line" }, mark),
    make("div", { class: "ends" }, make("span", {}, say("yours_zero")), make("span", {}, say("yours_hundred"))));
  const large = make("button", { type: "button", onclick: () => showFlower(item) }, say("yours_large"));
  const explore = make("button", { type: "button", onclick: () => send("explore", item) }, say("yours_explore"));
  const sends = make("div", { class: "onward" }, explore, large);
  const room = element.querySelector(".yours");
  room.append(duo, make("div", { class: "slot" }, crop, bar), compare, said, near, sends, make("p", { class: "private" }, say("yours_private")));

  let photo = null, item = null; // what has been opened, as a canvas; what has been found
  let zoomed = 1, center = [0.5, 0.5]; // of the square, as shares of the photo's sides
  let run = 0, busy = false, waiting = 0; // the number of the search that counts
  let asked = 0, begun = false, stopping = false; // when it was asked for, whether the server has begun it or is to leave it

  // ------------------------------------------------------------------------------------------------------ the photo

  const known = /^(ffd8ff|89504e47|474946|52494646|424d|(....){2}66747970|49492a00|4d4d002a)/;

  // Open a file: read, decoded, and turned upright by this browser.
  async function open(file) {
    if (!file) return;
    if (busy) end();
    const mine = ++run;
    tell(say("yours_opening"));
    const fault = (key) => mine === run && tell(say(key), true);
    if (file.size > LARGEST) return fault("yours_too_large");
    let start;
    try {
      start = new Uint8Array(await file.slice(0, 16).arrayBuffer());
    } catch {
      return fault("yours_unreadable");
    }
    const bytes = [...start].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    let bitmap;
    try {
      if (!known.test(bytes)) return fault("yours_no_picture");
      bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    } catch {
      return fault("yours_undecodable");
    }
    if (mine !== run) return bitmap.close(); // another file came meanwhile
    if (Math.min(bitmap.width, bitmap.height) < SMALLEST) return fault("yours_too_small");
    const scale = Math.min(1, WORKING / Math.max(bitmap.width, bitmap.height));
    photo = make("canvas", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
    draw(photo, bitmap, 0, 0, bitmap.width, bitmap.height, photo.width, photo.height);
    bitmap.close();
    [zoomed, center, zoom.value] = [1, [0.5, 0.5], 0];
    changed();
    canvas.focus({ preventScroll: true });
    tell(say("yours_ready"));
  }

  function draw(onto, from, x, y, width, height, outWidth, outHeight) {
    const pen = onto.getContext("2d");
    pen.fillStyle = "#fff"; // below what is transparent
    pen.fillRect(0, 0, outWidth, outHeight);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(from, x, y, width, height, 0, 0, outWidth, outHeight);
  }

  // The square, after it has been kept within the photo: left, top, side.
  function square() {
    const side = Math.min(photo.width, photo.height) / zoomed;
    const within = (share, whole) => Math.min(1 - side / whole / 2, Math.max(side / whole / 2, share));
    center = [within(center[0], photo.width), within(center[1], photo.height)];
    return [center[0] * photo.width - side / 2, center[1] * photo.height - side / 2, side];
  }

  function paint() {
    if (!photo) return;
    const [left, top, side] = square();
    draw(canvas, photo, left, top, side, side, canvas.width, canvas.height);
  }

  // Another square is another photo: what was found for the last one goes.
  function changed() {
    if (item) remember(Object.fromEntries(ADDRESS.map((key) => [`yours-${key}`, ""])));
    item = null;
    picture.removeAttribute("src");
    if (room.dataset.state !== "ready") tell(say("yours_ready"));
    paint();
    look("ready");
  }

  function move(x, y) { // in pixels of the canvas as it is shown
    if (!photo || busy) return;
    const side = square()[2], shown = canvas.clientWidth || 1;
    const before = center.join();
    center = [center[0] - (x * side) / shown / photo.width, center[1] - (y * side) / shown / photo.height];
    square();
    if (center.join() !== before) changed();
  }

  let held = null;
  canvas.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    move(event.clientX - held[0], event.clientY - held[1]);
    held = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [12, 0], ArrowRight: [-12, 0], ArrowUp: [0, 12], ArrowDown: [0, -12] }[event.key];
    const closer = { "+": 5, "=": 5, "-": -5 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !(step || closer)) return;
    event.preventDefault();
    if (step) move(...step);
    else if (!busy) { zoom.value = +zoom.value + closer; zoom.dispatchEvent(new Event("input")); }
  });

  const mine = (transfer) => [...(transfer?.files ?? [])][0];
  room.addEventListener("dragover", (event) => { event.preventDefault(); room.classList.add("over"); });
  room.addEventListener("dragleave", () => room.classList.remove("over"));
  room.addEventListener("drop", (event) => {
    event.preventDefault();
    room.classList.remove("over");
    const file = mine(event.dataTransfer);
    if (file) open(file);
    else tell(say("yours_no_picture"), true);
  });
  document.addEventListener("paste", (event) => {
    const file = mine(event.clipboardData);
    if (file && room.offsetParent) open(file);
  });

  // --------------------------------------------------------------------------------------------------- the search

  // What is sent: the square alone, as a small JPEG file in text.
  flowers.yours.photo = () => {
    if (!photo) {
      tell(say("yours_missing"), true);
      return { photo: "", run: ++run };
    }
    const small = make("canvas", { width: SENT, height: SENT });
    const [left, top, side] = square();
    draw(small, photo, left, top, side, side, SENT, SENT);
    const text = [0.92, 0.8, 0.6, 0.3].map((quality) => () => small.toDataURL("image/jpeg", quality));
    let sent = text.shift()();
    while (sent.length > LONGEST && text.length) sent = text.shift()();
    [busy, begun, stopping, asked, item] = [true, false, false, performance.now(), null];
    clearTimeout(waiting);
    waiting = setTimeout(() => stopping || tell(say("yours_waiting")), WAIT);
    bar.removeAttribute("value");
    place(null);
    tell(say("yours_sent"));
    look("busy");
    document.querySelector("#yours-stop")?.focus({ preventScroll: true });
    return { photo: sent, run: ++run };
  };

  function rest() {
    clearTimeout(waiting);
    const focused = document.activeElement?.id === "yours-stop";
    busy = false;
    if (!item) picture.removeAttribute("src");
    look(item ? "done" : photo ? "ready" : "empty");
    if (focused) document.querySelector("#yours-find")?.focus({ preventScroll: true });
  }

  flowers.yours.failed = () => { // the framework shows what the server says
    if (!busy) return;
    rest();
    tell(say("yours_ready"));
  };

  const cancel = () => document.querySelector("#yours-cancel")?.click();

  function end() {
    run += 1;
    cancel();
    rest();
    tell(say("yours_stopped"));
  }

  // Only what the framework has a number for can be cancelled, and it has one soon after the request was sent.
  flowers.yours.stop = () => {
    if (!busy) return;
    const mine = run, wait = begun ? 0 : Math.max(0, asked + WAIT - performance.now());
    if (wait) tell(say("yours_stopping"));
    stopping = wait > 0;
    if (stopping) setTimeout(() => busy && run === mine && end(), wait);
    else end();
  };

  function tell(words, fault = false) {
    said.textContent = words;
    said.classList.toggle("fault", fault);
  }

  function look(state) {
    room.dataset.state = state;
    room.closest(".bench")?.classList.toggle("yours-busy", state === "busy");
    pick.hidden = Boolean(photo);
    canvas.hidden = !photo;
    zoom.disabled = busy;
    const found = state === "done";
    flower.disabled = !found;
    over.hidden = !(found && photo);
    wipe.value = 0;
    lay();
    explore.hidden = !places.some(([to]) => to === "explore");
    caption.textContent = found ? say("yours_moved", { flower: label(item) }) : say("yours_nearest");
    picture.alt = found ? label(item) : "";
  }

  const lay = () => { over.style.clipPath = `inset(0 ${100 - wipe.value}% 0 0)`; };

  function place(percent) {
    near.hidden = typeof percent !== "number";
    if (near.hidden) return;
    mark.style.left = `${Math.min(100, percent)}%`;
    near.setAttribute("aria-label", say("yours_scale", { percent }));
  }

  function take() {
    const value = props.value || {};
    if (value.run === undefined ? photo || busy : value.run !== run) {
      if (value.state === "begun" && !busy) cancel(); // it was stopped before it could be cancelled
      return; // what this page has not asked for, or no longer
    }
    clearTimeout(waiting);
    begun = true;
    if (stopping) return busy && end();
    if (value.state === "begun" && busy) tell(say("yours_begun"));
    else if (value.state === "running" && busy) {
      bar.value = value.share;
      picture.src = value.src;
      place(value.percent);
      tell(say(value.percent === null ? "yours_begun" : "yours_running", { share: Math.round(100 * value.share) }));
    } else if (value.state === "refused") {
      rest();
      tell(value.sentence, true);
    } else if (value.state === "done") {
      item = value.item;
      over.src = picture.src = item.src;
      rest();
      place(value.percent);
      tell(value.sentence ?? say("yours_kept"));
    } else if (value.state === "") look("empty");
    if (value.address) remember(value.address);
  }

  place(null);
  look("empty");
  take();
  watch("value", take);
};
