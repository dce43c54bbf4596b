// The Interpolate tab: a player and a filmstrip.
flowers.kit.places.push(["interpolate", "from", "as_start"], ["interpolate", "to", "as_end"]);
flowers.stages.interpolate = (element, props, watch) => {
  "use strict";
  const { make, say, size, still, remember } = flowers.kit;
  const cinema = element.querySelector(".cinema");
  const canvas = make("canvas", { width: 512, height: 512, role: "img", "aria-label": say("player_label") });
  const play = make("button", { type: "button", class: "play", onclick: () => run(!running) });
  const scrub = make("input", { type: "range", min: 0, max: 1, value: 0, step: 1, "aria-label": say("position"), oninput: () => { run(false); show(+scrub.value); } });
  const count = make("output", {});
  const strip = make("div", { class: "strip", role: "list", "aria-label": say("strip_label") });
  cinema.append(make("div", { class: "screen" }, canvas, make("div", { class: "bar" }, play, scrub, count)), strip);
  const pen = canvas.getContext("2d");
  let frames = [], position = 0, running = false, due = 0, rate = 12, loops = false;

  function show(index) {
    position = index;
    const frame = frames[index];
    if (frame?.complete && frame.naturalWidth) {
      pen.imageSmoothingQuality = "high";
      pen.drawImage(frame, 0, 0, canvas.width, canvas.height);
    }
    scrub.value = index;
    count.textContent = frames.length ? `${index + 1} / ${frames.length}` : "";
    strip.querySelector("[aria-current]")?.removeAttribute("aria-current");
    strip.children[index]?.firstChild.setAttribute("aria-current", "true");
  }

  function run(on) {
    running = on && frames.length > 0;
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

  async function draw() {
    const { frames: sources = [], address: pairs } = props.value || {};
    cinema.classList.toggle("empty", !sources.length);
    if (pairs) remember(pairs);
    run(false);
    frames = sources.map((src, index) => make("img", { src, alt: say("frame_label", { number: index + 1, count: sources.length }), width: size, height: size }));
    strip.replaceChildren(...frames.map((frame, index) =>
      make("div", { role: "listitem" }, make("button", { type: "button", onclick: () => { run(false); show(index); } }, frame))));
    scrub.max = Math.max(1, sources.length - 1);
    rate = props.value?.rate ?? rate;
    loops = pairs?.loop === "yes";
    const mine = frames;
    await Promise.all(mine.map((frame) => frame.decode().catch(() => {})));
    if (mine !== frames) return; // another film came meanwhile
    show(0);
    run(sources.length > 0 && !still.matches);
  }

  draw();
  watch("value", draw);
};
