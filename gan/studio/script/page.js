// What every tab has: words, the settings in the address, flowers in a grid and one of them large, letters between tabs, keys.
// Every word comes from gan/studio/text by way of window.FLOWERS; every picture and setting from the server. The stage of a tab
// is filled by a function in a file of its own: flowers.stages.<tab>(element, props, watch, trigger).
window.flowers = (() => {
  "use strict";
  const { model, size, classes, names } = window.FLOWERS;
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // ------------------------------------------------------------------------------------------------------ words

  // The server chose the language, by the address, the cookie or the browser's wish, and says so among its words.
  const language = () => {
    const words = window.gradio_config?.i18n_translations ?? {};
    const told = Object.values(words)[0]?.page_language;
    const asked = new URLSearchParams(location.search).get("lang");
    return [told, asked, document.cookie.match(/(?:^|; )language=(\w+)/)?.[1]].find((name) => name in window.FLOWERS.text) ?? guess();
  };
  const guess = () => navigator.languages.map((name) => name.toLowerCase().split("-")[0]).find((name) => name in window.FLOWERS.text) ?? "en";
  const tongue = language();
  const text = window.FLOWERS.text[tongue];
  const say = (key, values = {}) => text[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const title = (name) => (Object.hasOwn(names, name) ? names[name] : text[`class_${name}`] ?? name.replaceAll("_", " "));
  document.documentElement.lang = tongue;
  document.documentElement.style.setProperty("--pixels", size);

  function speak(name) {
    const year = 365 * 24 * 3600;
    document.cookie = `language=${name}; path=${location.pathname}; max-age=${year}; samesite=lax`;
    const query = new URLSearchParams(location.search);
    query.set("lang", name);
    location.search = query;
  }

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
    for (const [key, value] of Object.entries({ ...pairs, model })) {
      if (value === "") query.delete(key);
      else query.set(key, value);
    }
    try {
      history.replaceState(history.state, "", `${location.pathname}?${query}${location.hash}`);
    } catch { /* Safari allows a hundred in half a minute; a later one says it all */ }
    // A Space shows the app in a frame, and keeps its own address in step with the frame's by this message.
    if (window.parent !== window && location.hostname.endsWith(".hf.space")) {
      window.parent.postMessage({ queryString: String(query) }, "https://huggingface.co");
    }
  }

  // ---------------------------------------------------------------------------------------------- tabs and stages

  const stages = {}, asks = {}; // by the names of tabs: what fills a stage, and what asks the server for its pictures
  const states = document.documentElement.classList;
  let current, timer; // the open tab
  let awaited = new URLSearchParams(arrived).get("tab"); // the tab that an answer on its way will open and fill

  function stage(tab, script, element, props, watch, trigger) {
    stages[script](element, props, watch, trigger);
    const empty = () => !props.value?.address && !element.querySelector("img[src]");
    asks[tab] = () => empty() && trigger("retry");
    if (tab === current) setTimeout(fill); // it was opened before it had a stage; not while the framework hands over a value
  }

  // Only an empty stage asks: what is asked while the server closes the stream of an earlier answer can be lost.
  function fill() {
    if (ready && current !== awaited) asks[current]?.();
  }

  function opened(tab) {
    current = tab;
    if (!ready) return;
    remember({ tab });
    fill();
  }

  // While an answer is awaited that will open another tab, a line runs below the tabs. A page whose address names a tab opens
  // with the first one, which stays unseen until the server has read the address.
  const settle = () => states.remove("waiting", "arriving");
  if (awaited !== null) {
    states.add("waiting", "arriving");
    setTimeout(settle, 20_000); // whatever has become of the answer
  }

  function expect(tab) {
    clearTimeout(timer);
    awaited = tab;
    states.add("waiting");
  }

  // The answer has come. The framework may lose the value of a stage that it was still making.
  function answered() {
    clearTimeout(timer);
    settle();
    timer = setTimeout(() => {
      awaited = null;
      fill();
    }, 1000);
  }

  const begin = []; // what other scripts do once the page is there

  function restored() {
    ready = true;
    answered();
    document.title = say("title"); // the framework has given the page its own by now
    begin.forEach((start) => start());
    const theirs = new URLSearchParams(arrived).get("model");
    if (!theirs || theirs === model) return;
    const notice = make("p", { class: "notice", role: "status" });
    notice.textContent = say("other_model", { theirs: theirs.slice(0, 80), ours: model });
    document.querySelector("#head header")?.after(notice);
  }

  const seed = () => crypto.getRandomValues(new Uint32Array(1))[0];

  // ------------------------------------------------------------------------------------------- one flower, large

  let sheet;

  // Where a flower can be sent: [tab, end, words], `end` saying which of two it becomes there; every tab's file adds its own.
  const places = [];

  function showFlower(item) {
    sheet ??= document.querySelector(".gradio-container").appendChild(make("dialog", { class: "sheet", onclick: (event) => event.target === sheet && sheet.close() }));
    const button = (key, action) => make("button", { type: "button", class: "quiet", onclick: action }, say(key));
    const sends = places.map(([to, end, key]) => button(key, () => { sheet.close(); send(to, item, end); }));
    sheet.setAttribute("aria-label", label(item));
    const picture = large(item), link = make("a", { class: "go", role: "link", download: item.name }, say("download_one"));
    const offer = () => {
      link.href = item.src;
      link.removeAttribute("aria-disabled");
    };
    arrived_whole = async (whole) => {
      Object.assign(item, whole, { preview: false });
      await decoded(item.src); // the preview stays until then
      picture.replaceWith(large(item));
      offer();
    };
    asked += 1; // what was asked for another flower comes too late
    if (item.preview) {
      link.setAttribute("aria-disabled", "true");
      ask_whole(item);
    } else offer();
    sheet.replaceChildren(
      picture,
      make("div", { class: "facts" },
        facts(item),
        link,
        ...extra.map((add) => add(item, sheet)),
        make("div", { class: "sends", role: "group", "aria-label": say("send") }, make("p", {}, say("send")), ...sends)),
      make("button", { type: "button", class: "shut", "aria-label": say("close"), title: say("close"), onclick: () => sheet.close() }, "✕"));
    sheet.showModal();
  }

  // A grid may have a preview of the flower: the sheet asks for the whole PNG file, and shows it when it comes.
  let ask_whole = () => {}, arrived_whole = () => {}, asked = 0;

  function whole(props, watch, submit) {
    ask_whole = (item) => { props.value = { flower: bare(item), asked }; submit(); };
    watch("value", () => {
      const { item, asked: number } = props.value ?? {};
      if (item && number === asked) arrived_whole(item);
    });
  }

  function decoded(src) {
    return Object.assign(new Image(), { src }).decode().catch(() => {});
  }

  const bare = ({ class: name, seed, truncation, extras = "" }) => ({ class: name, seed, truncation, extras });

  // A flower enlarged smoothly: browsers enlarge a picture in a page by the nearest two pixels, and on a canvas by more of them.
  function large(item) {
    const picture = make("img", { src: item.src, alt: label(item), width: size, height: size });
    const frame = make("div", { class: "large" }, picture);
    picture.decode().then(() => {
      const side = Math.min(1024, Math.max(picture.naturalWidth, Math.ceil(frame.clientWidth * devicePixelRatio)));
      if (side <= picture.naturalWidth) return;
      const canvas = make("canvas", { width: side, height: side, "aria-hidden": "true" });
      const pen = canvas.getContext("2d");
      pen.imageSmoothingQuality = "high";
      pen.drawImage(picture, 0, 0, side, side);
      frame.prepend(canvas);
    }, () => {}); // the picture stays as it is
    return frame;
  }

  // What a flower is, as a list of terms.
  function facts(item) {
    const row = (key, value) => [make("dt", {}, say(key)), make("dd", {}, String(value))];
    return make("dl", {},
      ...(item.class && classes.length > 1 ? row("detail_class", title(item.class)) : []),
      ...row("detail_seed", item.seed),
      ...row("detail_truncation", item.truncation ?? say("none")),
      ...(item.extras ? row("detail_changed", changes(item)) : []));
  }

  const extra = []; // other tabs' additions to the sheet: functions of an item and the sheet, giving an element

  // What was done to a flower beyond its class and seed, in words; the text is written by gan/sampling/flower.py.
  function changes({ extras }) {
    const [, mix, shift, fine] = extras.match(/^[\d.]+(?:~m([\d.:-]+))?(~s[\w-]+)?(?:~f([\d:]+))?$/) ?? [];
    const weights = mix?.split(":").map((one, place) => (one.includes("-") ? one.split("-") : [place, one]).map(Number)) ?? [];
    const total = weights.reduce((sum, [, one]) => sum + one, 0);
    const shares = weights.map(([number, one]) => [Math.round((100 * one) / total), classes[number]]).filter(([share]) => share > 0);
    const [other, seed] = fine?.split(":") ?? [];
    return [
      ...shares.map(([share, name]) => say("and", { share, class: title(name) })),
      ...(shift ? [say("changed_shift")] : []),
      ...(fine ? [say("changed_fine", { class: title(classes[other] ?? ""), seed })] : []),
    ].join(", ");
  }

  const label = (item) => say(classes.length > 1 ? "picture_label" : "plain_label", { class: title(item.class), seed: item.seed });

  // ------------------------------------------------------------------------------------------------------ a grid

  // Fill an element with flowers, each a button that shows it large (or does `press` instead).
  function meadow(field, { press = showFlower, name = say("pictures_label"), hint = say("details") } = {}) {
    field.classList.add("meadow");
    field.setAttribute("role", "list");
    field.setAttribute("aria-label", name);
    const cells = [];

    function cell() {
      const picture = make("img", { alt: "", width: size, height: size, decoding: "sync", draggable: "true" });
      const kind = make("span", { class: "kind" });
      const number = make("span", { class: "number" });
      const button = make("button", { type: "button", title: hint, onclick: () => entry.item && press(entry.item) }, picture);
      const figure = make("figure", { role: "listitem" }, button, make("figcaption", {}, kind, number));
      const entry = { figure, show };
      function show(item, mixed) {
        entry.item = item;
        if (picture.src !== item.src) picture.src = item.src; // the same one would be decoded again
        button.setAttribute("aria-label", label(item));
        figure.dataset.seed = item.seed;
        figure.dataset.class = item.class;
        kind.textContent = mixed ? title(item.class) : "";
        number.textContent = item.seed;
      }
      return entry;
    }

    // `items` in rows of `side`, and their address; while there are none, empty places for them. `of`: how many there will be.
    function show({ items = [], side, of, count: places, address: pairs }, least) {
      const columns = side ?? least, count = of || items.length || (places ?? columns * columns);
      field.style.setProperty("--side", columns);
      field.classList.toggle("empty", !items.length);
      while (cells.length < count) cells.push(cell());
      cells.length = count;
      const figures = cells.map((entry) => entry.figure);
      if (field.children.length !== count || figures.some((figure, i) => figure !== field.children[i])) field.replaceChildren(...figures); // else the focus stays
      const mixed = items.some((item) => item.class !== items[0].class); // one class for all goes without saying
      items.forEach((item, position) => cells[position].show(item, mixed));
      field.classList.toggle("coming", items.length < of);
      cells.forEach((entry, position) => entry.figure.classList.toggle("coming", position >= items.length && items.length > 0));
      if (pairs) remember(pairs);
    }

    return { show };
  }

  // ------------------------------------------------------------------------------------- from one tab to another

  let post = () => {};

  function mail(props, submit) {
    post = (letter) => { props.value = letter; submit(); };
  }

  // Send a flower to a tab; `end` says which of two it becomes there.
  function send(to, item, end = "to") {
    expect(to);
    post({ to, end, flower: bare(item) });
  }

  function delivered() {
    answered();
    const tab = document.querySelector('#tabs [role="tab"][aria-selected="true"]');
    tab?.scrollIntoView({ block: "nearest" });
  }

  function save(file) {
    const link = make("a", { href: file.url, download: file.orig_name ?? "" });
    document.body.append(link);
    link.click();
    link.remove();
  }

  // The framework's messages have a button around the one that closes them, which no screen reader can tell (it only folds
  // them), and a title that is English in every language.
  new MutationObserver(() => {
    for (const head of document.querySelectorAll(".toast-header[role]")) {
      head.removeAttribute("role");
      head.removeAttribute("tabindex");
      const name = head.querySelector(".toast-title.error")?.firstChild;
      if (name) name.textContent = say("error_title");
    }
  }).observe(document.documentElement, { childList: true, subtree: true });

  // --------------------------------------------------------------------------------------------------------- keys

  const typing = (element) =>
    element?.isContentEditable || element?.matches?.("textarea, select, input:not([type=range], [type=radio], [type=checkbox], [type=button])");

  document.addEventListener("keydown", (event) => {
    const wanted = event.code === "KeyR" || event.key === "r"; // by place, so that it works on a Cyrillic layout too
    if (!wanted || event.repeat || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (sheet?.open) return;
    const buttons = [...document.querySelectorAll("button.dice")];
    buttons.find((button) => button.offsetParent)?.click();
  });

  // A class is looked for by what is typed, not by what is typed after the one chosen now.
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches?.(".finder input")) setTimeout(() => target.select());
  });

  // The framework reports a slider as set when the pointer lets go of it; keys have to say so themselves.
  document.addEventListener("keyup", ({ target, key }) => {
    if (target.matches?.(".level input[type=range]") && /^(Arrow|Page|Home|End)/.test(key)) {
      target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    }
  });
  // While a slider is dragged, too: then pictures follow, and the server answers the last of what it was asked meanwhile.
  document.addEventListener("input", ({ target, isTrusted }) => {
    if (isTrusted && target.matches?.(".level input[type=range]")) target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
  });
  // A number typed beside a slider, or a seed, is brought into its range before the framework sees it as set; an emptied field
  // gets back what it had.
  const NUMBER = ".level input[type=number], .seed input[type=number]";
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches?.(NUMBER)) target.dataset.had = target.value;
  });
  document.addEventListener("blur", ({ target }) => {
    if (!target.matches?.(NUMBER) || target.max === "") return;
    const near = Math.min(+target.max, Math.max(+target.min, +target.value));
    const value = target.value === "" ? target.dataset.had : String(+target.step >= 1 ? Math.round(near) : near);
    if (value === target.value) return;
    target.value = value;
    target.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
  // The framework's menu of the tabs that have no room opens and closes by its button alone.
  document.addEventListener("keydown", ({ key }) => {
    const menu = document.querySelector("#tabs .overflow-menu");
    if (key === "Escape" && menu?.querySelector(".overflow-dropdown:not(.hide)")) menu.querySelector(":scope > button").click();
  });
  document.addEventListener("keydown", ({ target, key }) => {
    if (key === "Enter" && target.matches?.(".level input[type=number]")) {
      target.blur();
      target.focus();
    }
  });

  return {
    address, delivered, mail, opened, restored, save, seed, speak, stage, stages, whole,
    kit: { begin, classes, extra, facts, label, make, meadow, model, places, remember, save, say, seed, send, showFlower, size, still, title },
  };
})();
