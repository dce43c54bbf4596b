// What the page does by itself: shows pictures, plays films, keeps the settings in the address, listens for R.
// Every word comes from gan/text.py by way of window.FLOWERS; every picture and setting from the server.
window.flowers = (() => {
  "use strict";
  const { text, model, size, classes } = window.FLOWERS;
  const say = (key, values = {}) => text[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const title = (name) => name.replaceAll("_", " ").replace(/^./u, (first) => first.toUpperCase());
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // ---------------------------------------------------------------------------------------------------- address

  const arrived = location.search; // as it was opened: drawing rewrites it
  const address = () => [arrived];
  let ready = false; // the framework reports its first tab as opened before the address has been read

  // Keys of other tabs, and those of the framework (__theme), stay as they are.
  function remember(pairs) {
    const query = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries({ ...pairs, model })) query.set(key, value);
    history.replaceState(history.state, "", `${location.pathname}?${query}${location.hash}`);
    // A Space shows the app in a frame, and keeps its own address in step with the frame's by this message.
    if (window.parent !== window && location.hostname.endsWith(".hf.space")) {
      window.parent.postMessage({ queryString: String(query) }, "https://huggingface.co");
    }
  }

  // Whether the tab that was just opened has nothing to show yet.
  function opened(tab) {
    if (!ready) return false;
    remember({ tab });
    return !document.querySelector(`#${tab}-pictures img[src]`);
  }

  function restored() {
    ready = true;
    const theirs = new URLSearchParams(arrived).get("model");
    if (!theirs || theirs === model) return;
    const notice = make("p", { class: "notice", role: "status" });
    notice.textContent = say("other_model", { theirs: theirs.slice(0, 80), ours: model });
    document.querySelector("#head header")?.after(notice);
  }

  const seed = () => crypto.getRandomValues(new Uint32Array(1))[0];

  // ------------------------------------------------------------------------------------------- one flower, large

  let sheet;

  function showFlower(item) {
    sheet ??= document.querySelector(".gradio-container").appendChild(make("dialog", { class: "sheet", onclick: (event) => event.target === sheet && sheet.close() }));
    const row = (key, value) => [make("dt", {}, say(key)), make("dd", {}, String(value))];
    const send = (end) => () => { sheet.close(); post({ end, ...item, src: undefined }); };
    const button = (key, action) => make("button", { type: "button", class: "quiet", onclick: action }, say(key));
    const named = item.class && classes.length > 1;
    sheet.setAttribute("aria-label", label(item));
    sheet.replaceChildren(
      make("img", { src: item.src, alt: label(item), width: size, height: size }),
      make("div", { class: "facts" },
        make("dl", {},
          ...(named ? row("detail_class", title(item.class)) : []),
          ...row("detail_seed", item.seed),
          ...row("detail_truncation", item.truncation ?? say("none"))),
        make("a", { class: "go", href: item.src, download: item.name }, say("download_one")),
        button("as_start", send("from")), button("as_end", send("to")),
        button("close", () => sheet.close())));
    sheet.showModal();
  }

  const label = (item) => say(classes.length > 1 ? "picture_label" : "plain_label", { class: title(item.class), seed: item.seed });

  // ------------------------------------------------------------------------------------------------------ Generate

  function grid(element, props, watch) {
    const meadow = element.querySelector(".meadow");
    meadow.setAttribute("role", "list");
    meadow.setAttribute("aria-label", say("pictures_label"));
    const cells = [];

    function cell() {
      const picture = make("img", { alt: "", width: size, height: size, decoding: "sync", draggable: "true" });
      const kind = make("span", { class: "kind" });
      const number = make("span", { class: "number" });
      const button = make("button", { type: "button", title: say("details"), onclick: () => entry.item && showFlower(entry.item) }, picture);
      const figure = make("figure", { role: "listitem" }, button, make("figcaption", {}, kind, number));
      const entry = { figure, show };
      function show(item, mixed) {
        entry.item = item;
        picture.src = item.src;
        button.setAttribute("aria-label", label(item));
        figure.dataset.seed = item.seed;
        figure.dataset.class = item.class;
        kind.textContent = mixed ? title(item.class) : "";
        number.textContent = item.seed;
      }
      return entry;
    }

    function draw() {
      const { items = [], side = 4, address: pairs } = props.value || {};
      meadow.style.setProperty("--side", side);
      meadow.classList.toggle("empty", !items.length);
      while (cells.length < side * side) cells.push(cell());
      cells.length = side * side;
      meadow.replaceChildren(...cells.map((entry) => entry.figure));
      const mixed = items.some((item) => item.class !== items[0].class); // one class for all goes without saying
      items.forEach((item, position) => cells[position].show(item, mixed));
      if (pairs) remember(pairs);
    }

    draw();
    watch("value", draw);
  }

  // --------------------------------------------------------------------------------------------------- Interpolate

  function film(element, props, watch) {
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
  }

  // ------------------------------------------------------------------------------------- from one tab to another

  let post = () => {};

  function mail(props, submit) {
    post = (letter) => { props.value = letter; submit(); };
  }

  // The values of the Interpolate tab after a flower has arrived as one of its ends.
  function deliver(letter, fromLabel, fromSeed, toLabel, toSeed, level, off) {
    const { end, class: name, seed: number, truncation } = letter;
    const tab = { selected: "interpolate", __type__: "update" };
    const cut = [truncation ?? level, truncation === null];
    return end === "from" ? [tab, name, number, toLabel, toSeed, ...cut] : [tab, fromLabel, fromSeed, name, number, ...cut];
  }

  function save(file) {
    const link = make("a", { href: file.url, download: file.orig_name ?? "" });
    document.body.append(link);
    link.click();
    link.remove();
  }

  // --------------------------------------------------------------------------------------------------------- keys

  const typing = (element) =>
    element?.isContentEditable || element?.matches?.("textarea, select, input:not([type=range], [type=radio], [type=checkbox], [type=button])");

  document.addEventListener("keydown", (event) => {
    const wanted = event.code === "KeyR" || event.key === "r"; // by place, so that it works on a Cyrillic layout too
    if (!wanted || event.repeat || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (sheet?.open) return;
    const buttons = [...document.querySelectorAll("#new-flowers, #new-pair")];
    buttons.find((button) => button.offsetParent)?.click();
  });

  // The framework reports a slider as set when the pointer lets go of it; keys have to say so themselves.
  document.addEventListener("keyup", ({ target, key }) => {
    if (target.matches?.(".level input[type=range]") && /^(Arrow|Page|Home|End)/.test(key)) {
      target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    }
  });
  // A number typed beside a slider is brought into its range before the framework sees it as set.
  document.addEventListener("blur", ({ target }) => {
    if (!target.matches?.(".level input[type=number]") || target.value === "") return;
    const near = Math.min(+target.max, Math.max(+target.min, +target.value));
    const value = String(+target.step >= 1 ? Math.round(near) : near);
    if (value === target.value) return;
    target.value = value;
    target.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
  document.addEventListener("keydown", ({ target, key }) => {
    if (key === "Enter" && target.matches?.(".level input[type=number]")) {
      target.blur();
      target.focus();
    }
  });

  return { address, deliver, film, grid, mail, opened, restored, save, seed };
})();
