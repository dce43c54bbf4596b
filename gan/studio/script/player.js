// A player with a filmstrip, for every tab that shows a film.
"use strict";
flowers.kit.player = (cinema, { film = "player_label", moved = () => {} } = {}) => {
  const { make, say, size, still } = flowers.kit;
  const canvas = make("canvas", { width: 512, height: 512, role: "img", "aria-label": say(film) });
  const play = make("button", { type: "button", class: "play", onclick: () => run(!running) });
  const scrub = make("input", { type: "range", min: 0, max: 1, value: 0, step: 1, "aria-label": say("position"), oninput: () => go(+scrub.value) });
  const count = make("output", {});
  const strip = make("div", { class: "strip", role: "list", "aria-label": say("strip_label") });
  cinema.append(make("div", { class: "screen" }, canvas, make("div", { class: "bar" }, play, scrub, count)), strip);
  const pen = canvas.getContext("2d");
  let frames = [], captions = null, position = 0, running = false, due = 0, rate = 12, loops = false;

  function show(index) {
    position = index;
    const frame = frames[index];
    if (frame?.complete && frame.naturalWidth) {
      fit(frame);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(frame, 0, 0, canvas.width, canvas.height);
    }
    scrub.value = index;
    count.textContent = frames.length ? captions?.[index] ?? `${index + 1} / ${frames.length}` : "";
    scrub.setAttribute("aria-valuetext", count.textContent);
    strip.querySelector("[aria-current]")?.removeAttribute("aria-current");
    strip.children[index]?.firstChild.setAttribute("aria-current", "true");
  }

  // A film of many is wider than high, and has more pixels than one of a flower.
  function fit({ naturalWidth: wide, naturalHeight: high }) {
    const width = Math.max(512, wide), height = Math.round((width * high) / wide);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    cinema.style.setProperty("--frame", wide / high);
  }

  // Stand still where the visitor wants to.
  function go(index) {
    run(false);
    show(index);
    moved(index);
  }

  function run(on) {
    running = on && frames.length > 1;
    play.textContent = running ? "❚❚" : "▶";
    play.setAttribute("aria-label", say(running ? "pause" : "play"));
    due = 0;
    if (running) requestAnimationFrame(tick);
  }

  function tick(now) {
    if (!running) return;
    if (now >= due && canvas.offsetParent) { // nothing moves in a tab that is not open
      if (due) show((position + 1) % frames.length);
      const pause = !loops && (position === 0 || position === frames.length - 1) ? 500 : 0; // a moment at either end
      due = now + 1000 / rate + pause;
    }
    requestAnimationFrame(tick);
  }

  // Show the pictures `sources`, `rate` a second; `captions` say what each is, `first` is where it stands still.
  async function load({ sources = [], names = null, rate: speed = 12, loop = false, first = 0, plays = true }) {
    cinema.classList.toggle("empty", !sources.length);
    run(false);
    captions = names;
    frames = sources.map((src, index) =>
      make("img", { src, alt: names?.[index] ?? say("frame_label", { number: index + 1, count: sources.length }), width: size, height: size }));
    strip.replaceChildren(...frames.map((frame, index) =>
      make("div", { role: "listitem" }, make("button", { type: "button", onclick: () => go(index) }, frame))));
    scrub.max = Math.max(1, sources.length - 1);
    [rate, loops] = [speed, loop];
    const mine = frames;
    await Promise.all(mine.map((frame) => frame.decode().catch(() => {})));
    if (mine !== frames) return; // another film came meanwhile
    show(first);
    run(plays && !still.matches);
  }

  run(false);
  return { load };
};
