// The Gallery tab: flowers kept in this browser's own storage, compared, filmed, put on a sheet, and carried in a file.
flowers.gallery = (() => {
  "use strict";
  const { begin, classes, extra, facts, label, make, meadow, model, player, remember, say, showFlower, size } = flowers.kit;
  const { revision } = window.FLOWERS;
  const KEY = "flowers.favourites.1", FORMAT = "this-flower-does-not-exist/favourites";
  const MOST = 200, LEAST_COMPARED = 2, MOST_COMPARED = 4, LEAST_FILMED = 2, MOST_FILMED = 12, THUMBNAIL = 128;
  const LONGEST = 20_000; // letters of a thumbnail: 200 of them fit into the five million that a browser keeps
  const LABEL = 1000, CHANGES = 16_384; // letters of a class, and of what was done to a flower of hundreds of classes or a wide style
  const FILE = 8 << 20; // bytes of a list that is read

  // ------------------------------------------------------------------------------------------------ what is kept

  let kept = [], memory = false; // the newest first; whether only this page remembers it
  let answered = () => {}; // nothing that is kept waits to be opened any more
  const chosen = new Set(); // ids
  const views = []; // what shows them again

  const id = (one) => JSON.stringify([one.model, one.revision, one.class, one.seed, one.truncation, one.extras ?? ""]);
  const bare = ({ class: name, seed, truncation, extras = "" }) => ({ class: name, seed, truncation, extras });
  const ours = (one) => one.model === model && one.revision === revision && classes.includes(one.class);
  const here = (item) => id({ ...item, model, revision });
  const has = (name) => kept.some((one) => id(one) === name);
  const text = (value, most) => typeof value === "string" && value.length <= most;

  // A kept flower out of whatever stands in the storage or a file; null for anything else.
  function read(one) {
    if (!one || !text(one.class, LABEL) || !text(one.model, 200) || !text(one.revision, 64)) return null;
    if (!Number.isInteger(one.seed) || one.seed < 0 || one.seed >= 2 ** 32) return null;
    if (one.truncation !== null && !(Number.isFinite(one.truncation) && one.truncation >= 0.01 && one.truncation <= 3)) return null;
    if (one.extras !== undefined && !(text(one.extras, CHANGES) && /^[\w.:~-]*$/.test(one.extras))) return null;
    if (!text(one.thumbnail, LONGEST) || !/^data:image\/(png|jpeg|webp);base64,[\w+/=]*$/.test(one.thumbnail)) return null;
    if (!Number.isFinite(Date.parse(one.kept))) return null;
    const { class: name, seed, truncation, model: of, revision: at, thumbnail, kept: when } = one;
    return { class: name, seed, truncation, ...(one.extras ? { extras: one.extras } : {}), model: of, revision: at, thumbnail, kept: when };
  }

  const parse = (words) => {
    try {
      return JSON.parse(words);
    } catch {
      return null;
    }
  };

  const list = (value) => (value?.format === FORMAT && value.version === 1 && Array.isArray(value.flowers) ? value.flowers : null);
  const written = () => JSON.stringify({ format: FORMAT, version: 1, flowers: kept });

  function load() {
    if (memory) return;
    try {
      kept = (list(parse(localStorage.getItem(KEY))) ?? []).map(read).filter(Boolean).slice(0, MOST);
    } catch { // switched off
      memory = true;
    }
  }

  // Change the list as it stands in the storage now: another window may have changed it. Gives whether it was kept.
  function change(edit) {
    load();
    const before = kept;
    kept = edit([...kept]);
    try {
      if (!memory) localStorage.setItem(KEY, written());
    } catch {
      kept = before;
      tell(say("gallery_no_room"));
      return false;
    } finally {
      show();
    }
    return true;
  }

  try {
    localStorage.setItem(`${KEY}.trial`, "");
    localStorage.removeItem(`${KEY}.trial`);
  } catch {
    memory = true;
  }
  load();
  addEventListener("storage", ({ key }) => { // of another window
    if (key !== KEY && key !== null) return;
    load();
    show();
  });

  function show() {
    for (const name of chosen) if (!has(name)) chosen.delete(name);
    views.forEach((view) => view());
  }

  // ---------------------------------------------------------------------------------------------- keep one, in its sheet

  async function thumbnail(src) {
    const picture = new Image();
    picture.src = src;
    await picture.decode();
    const side = Math.min(THUMBNAIL, picture.naturalWidth);
    const canvas = make("canvas", { width: side, height: side });
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, 0, 0, side, side);
    return [0.85, 0.6, 0.2].map((quality) => canvas.toDataURL("image/jpeg", quality)).find((url) => url.length <= LONGEST);
  }

  let busy = false;

  async function toggle(item) {
    const name = here(item);
    if (busy) return;
    if (has(name)) return take(name);
    if (kept.length >= MOST) return tell(say("gallery_full", { most: MOST }));
    busy = true;
    const picture = await thumbnail(item.src).finally(() => { busy = false; });
    const one = { ...bare(item), model, revision, thumbnail: picture, kept: new Date().toISOString() };
    tell(memory ? say("gallery_no_storage") : "");
    change((all) => [one, ...all.filter((other) => id(other) !== name)].slice(0, MOST));
  }

  function take(name) {
    const place = kept.findIndex((one) => id(one) === name), one = kept[place];
    if (!one) return;
    const was = chosen.has(name);
    const undo = () => {
      if (was) chosen.add(name);
      change((all) => (all.some((other) => id(other) === name) || all.length >= MOST ? all : all.toSpliced(place, 0, one)));
      tell("");
      document.querySelector(`#gallery-kept figure:nth-child(${place + 1}) button`)?.focus();
    };
    if (change((all) => all.filter((other) => id(other) !== name))) tell(say("gallery_removed", { flower: label(one) }), undo);
  }

  let keep; // the button of the sheet that is open
  extra.push((item) => {
    const button = make("button", { type: "button", title: say("gallery_keep_hint"), "aria-keyshortcuts": "K", onclick: () => toggle(item) });
    const line = make("p", { class: "told", role: "status" });
    keep = { item, line, button, show() {
      const is = has(here(item));
      button.textContent = say(is ? "gallery_kept" : "gallery_keep");
      button.setAttribute("aria-pressed", is);
    } };
    keep.show();
    return make("div", { class: "keep" }, button, line);
  });
  views.push(() => keep?.show());
  document.addEventListener("keydown", (event) => {
    const wanted = event.code === "KeyK" || event.key === "k"; // by place, so that it works on a Cyrillic layout too
    if (!wanted || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (keep?.button.closest("dialog[open]")) keep.button.click();
  });

  // ------------------------------------------------------------------------------------------------- what there is to say

  let told = { words: "" };

  // One sentence, where the visitor is looking: in the sheet while it is open, otherwise above the list.
  function tell(words, undo) {
    told = { words, undo };
    if (keep) keep.line.textContent = keep.button.closest("dialog[open]") && !undo ? words : "";
    lines.forEach((line) => line());
  }
  const lines = [];

  // ------------------------------------------------------------------------------------------------------------ the list

  const flag = (one) => (ours(one) ? (one.extras ? say("gallery_changed") : "") : say("gallery_other"));
  const version = (of, at) => say("gallery_model", { model: of, revision: at.slice(0, 12) });

  function keptView(element, props, watch, trigger) {
    const place = element.querySelector(".kept");
    const words = make("span"), undo = make("button", { type: "button", class: "quiet", onclick: () => told.undo?.() }, say("gallery_undo"));
    const line = make("div", { class: "told" }, make("span", { role: "status" }, words), undo);
    const none = make("p", { class: "none" }, say("gallery_empty")), field = make("div"), bar = chooser();
    place.append(line, none, bar, field);
    const grid = meadow(field, { name: say("gallery_list"), press: open });

    function speak() {
      words.textContent = told.words || (memory ? say("gallery_no_storage") : "");
      undo.hidden = !told.undo;
      line.classList.toggle("silent", !words.textContent); // it stays on the page, or no screen reader would hear it change
    }

    function draw() {
      none.hidden = kept.length > 0;
      field.hidden = bar.hidden = !kept.length;
      if (kept.length) grid.show({ items: kept.map((one) => ({ ...one, src: one.thumbnail })), side: 5 }, 1);
      else field.replaceChildren();
      kept.forEach((one, number) => mark(field.children[number], one));
      speak();
    }

    function mark(figure, one) {
      const name = id(one);
      figure.classList.toggle("other", !ours(one));
      figure.classList.remove("waiting");
      const tick = make("input", { type: "checkbox", "aria-label": say("gallery_choose", { flower: label(one) }), onchange: () => {
        if (tick.checked) chosen.add(name);
        else chosen.delete(name);
        show();
      } });
      tick.checked = chosen.has(name);
      const cross = make("button", { type: "button", class: "cross", "aria-label": say("gallery_remove", { flower: label(one) }), onclick: () => { take(name); undo.focus(); } }, "×");
      const about = flag(one), parts = [make("label", { class: "tick" }, tick), cross, ...(about ? [make("span", { class: "flag" }, about)] : [])];
      const old = figure.querySelector(".tools");
      if (old?.dataset.of === name) { // the one that has the focus stays
        old.querySelector("input").checked = tick.checked;
        return;
      }
      old?.remove();
      figure.append(make("div", { class: "tools", "data-of": name }, ...parts));
    }

    function open(item) {
      const number = kept.findIndex((one) => id(one) === id(item));
      if (!ours(item)) {
        return tell(say("gallery_other_long", { flower: label(item), theirs: version(item.model, item.revision), ours: version(model, revision) }));
      }
      field.children[number]?.classList.add("waiting");
      props.value = { flowers: [bare(item)] };
      trigger("submit");
    }

    views.push(draw);
    lines.push(speak);
    answered = () => field.querySelectorAll(".waiting").forEach((figure) => figure.classList.remove("waiting")); // also when refused
    watch("value", () => {
      if (!props.value?.item) return;
      answered();
      if (element.offsetParent) showFlower(props.value.item);
    });
    draw();
  }

  // ------------------------------------------------------------------------------------------------------ the comparison

  let compare = () => {};

  function comparison(element, props, watch, trigger) {
    const place = element.querySelector(".compared");
    const row = make("div", { class: "row", role: "list", "aria-label": say("gallery_compared"), "aria-busy": "true" });
    const head = make("div", { class: "head" }, make("h2", { tabindex: "-1" }, say("gallery_compared")),
      make("button", { type: "button", class: "quiet", onclick: () => compare([]) }, say("gallery_close")));
    place.append(head, row);
    // Its place is there before the pictures are.
    const coming = new URLSearchParams(location.search).get("gallery-compare")?.split("*").length / 2 || 0;
    let asked = false, first = true;

    function empty(count) {
      place.hidden = count === 0;
      row.style.setProperty("--count", count || 1);
      row.replaceChildren(...Array.from({ length: count }, () => make("div", { class: "blank" })));
    }

    function draw() {
      const { items, address } = props.value ?? {};
      if (!items) return;
      remember(address);
      row.removeAttribute("aria-busy");
      empty(items.length);
      row.replaceChildren(...items.map((item) => make("figure", { role: "listitem", "data-seed": item.seed },
        make("button", { type: "button", "aria-label": label(item), title: say("details"), onclick: () => showFlower(item) },
          make("img", { src: item.src, alt: "", width: size, height: size })),
        make("figcaption", {}, facts(item)))));
      if (first && items.length) { // those that an address compares are chosen, as they were when it was made
        items.map(here).filter(has).forEach((name) => chosen.add(name));
        show();
      }
      first = false;
      if (asked && items.length) head.firstChild.focus();
      asked = false;
    }

    compare = (all) => {
      asked = true;
      props.value = { flowers: all.map(bare) };
      trigger("submit");
    };
    empty(Math.min(MOST_COMPARED, Math.floor(coming)));
    draw();
    watch("value", draw);
  }

  // ------------------------------------------------------------------------------------------------------------ the film

  let roll = () => {}, filmed = () => {};

  function film(element, props, watch, trigger) {
    const place = element.querySelector(".film"), cinema = make("div", { class: "cinema empty" });
    const files = () => document.querySelector("#gallery-film-files");
    const title = make("h2", { tabindex: "-1" }, say("gallery_film_title")), line = make("p", { class: "hint", role: "status" });
    place.append(make("div", { class: "head" }, title, make("button", { type: "button", class: "quiet", onclick: close }, say("gallery_film_close"))), line, cinema);
    const screen = player(cinema, { film: "gallery_film_label" });
    let shown = 0, asked = false; // flowers of the film that is there; whether one is to be shown
    place.hidden = true;

    function settle() {
      place.hidden = !shown;
      files()?.toggleAttribute("data-shown", shown > 0);
      line.textContent = shown ? say("gallery_film_about", { count: shown }) : "";
    }

    function close() {
      [shown, asked] = [0, false];
      screen.load({});
      settle();
    }

    roll = (all) => {
      place.hidden = false;
      asked = true;
      line.textContent = say("gallery_film_drawing");
      title.focus();
      props.value = { flowers: all.map(bare) };
      trigger("submit");
    };
    filmed = settle; // also when it could not be drawn
    watch("value", () => {
      const { frames: sources, rate, count } = props.value ?? {};
      if (!sources || !asked) return; // it was closed meanwhile
      shown = count;
      screen.load({ sources, rate, loop: true });
      settle();
    });
  }

  // ------------------------------------------------------------------------------------------------------------ controls

  const button = (key, action) => make("button", { type: "button", onclick: action }, say(key));
  const picked = () => kept.filter((one) => chosen.has(id(one)));
  const wished = () => (chosen.size ? picked() : kept);

  // How many are kept and chosen, and what can be done with the chosen ones.
  function chooser() {
    const count = make("p", { class: "count", role: "status" });
    const side = button("gallery_compare", () => {
      const all = picked();
      if (!all.every(ours)) tell(say("gallery_compare_other"));
      else if (all.length < LEAST_COMPARED || all.length > MOST_COMPARED) tell(say("gallery_compare_hint"));
      else {
        tell("");
        compare(all);
      }
    });
    const reel = button("gallery_film", () => {
      const all = wished().filter(ours);
      if (all.length < LEAST_FILMED || all.length > MOST_FILMED) return tell(say("gallery_film_hint"));
      tell("");
      roll(all);
    });
    const every = button("gallery_choose_all", () => {
      if (chosen.size < kept.length) kept.forEach((one) => chosen.add(id(one)));
      else chosen.clear();
      show();
    });
    const hint = make("p", { class: "hint", id: "gallery-compare-hint" }, say("gallery_compare_hint"));
    side.setAttribute("aria-describedby", hint.id);
    function draw() {
      count.textContent = say(chosen.size ? "gallery_chosen" : "gallery_count", { count: kept.length, chosen: chosen.size });
      every.textContent = say(chosen.size < kept.length ? "gallery_choose_all" : "gallery_choose_none");
      hint.hidden = chosen.size >= LEAST_COMPARED && chosen.size <= MOST_COMPARED;
    }
    views.push(draw);
    draw();
    return make("div", { class: "chooser" }, count, side, reel, every, hint);
  }

  function tools(element) {
    const place = element.querySelector(".tools");
    const picker = make("input", { type: "file", accept: ".json,application/json", hidden: "", "aria-label": say("gallery_load"), onchange: async () => {
      const [file] = picker.files;
      picker.value = "";
      if (file) await take_in(file);
    } });
    const save = button("gallery_save", hand_out), open = button("gallery_load", () => picker.click());
    const sheet = make("p", { class: "hint" });
    place.append(make("h3", {}, say("gallery_file")), make("p", { class: "hint" }, say("gallery_where")), make("div", { class: "pair" }, save, open), picker,
      make("h3", {}, say("gallery_sheet")), sheet);

    views.push(draw);
    function draw() {
      const left = wished().filter((one) => !ours(one)).length;
      save.disabled = !kept.length;
      sheet.textContent = !kept.length ? say("gallery_sheet_none") : [
        say(chosen.size ? "gallery_sheet_chosen" : "gallery_sheet_all", { count: wished().length - left }),
        ...(left ? [say("gallery_sheet_left", { count: left })] : []),
      ].join(" ");
    }
    draw();
  }

  // How many there are, on the tab itself; the framework has it twice, once to measure.
  function badge() {
    for (const tab of document.querySelectorAll("#tabs .tab-wrapper button")) {
      if (tab.textContent.trim() === say("tab_gallery") && kept.length) tab.dataset.kept = kept.length;
      else delete tab.dataset.kept; // the framework takes a button for another tab, too
    }
  }
  begin.push(() => {
    views.push(badge);
    badge();
    const tabs = document.querySelector("#tabs .tab-wrapper");
    if (tabs) new MutationObserver(badge).observe(tabs, { childList: true, subtree: true, characterData: true });
  });

  // ------------------------------------------------------------------------------------------------------ the list as a file

  function hand_out() {
    const url = URL.createObjectURL(new Blob([written()], { type: "application/json" }));
    flowers.save({ url, orig_name: "flowers-gallery.json" });
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  async function take_in(file) {
    const found = file.size <= FILE ? list(parse(await file.text())) : null;
    if (!found) return tell(say("gallery_bad_file"));
    const good = found.map(read).filter(Boolean);
    let fresh = [], left = 0, there = 0;
    const done = change((all) => {
      const names = new Set(all.map(id));
      for (const one of good) {
        if (names.has(id(one))) there += 1;
        else if (all.length + fresh.length >= MOST) left += 1;
        else {
          names.add(id(one));
          fresh.push(one);
        }
      }
      return [...all, ...fresh].sort((a, b) => Date.parse(b.kept) - Date.parse(a.kept));
    });
    if (!done) return;
    const bad = found.length - good.length;
    tell([
      say("gallery_loaded", { added: fresh.length, there }),
      ...(bad ? [say("gallery_loaded_bad", { bad })] : []),
      ...(left ? [say("gallery_loaded_full", { left })] : []),
    ].join(" "));
  }

  // ------------------------------------------------------------------------------------------------------------ the sheet

  let rest = () => {}, stopped = false;

  function progress(element, props, watch, trigger) {
    const place = element.querySelector(".progress");
    const bar = make("progress", { max: 1, "aria-label": say("gallery_sheet") }), words = make("span");
    const cancel = make("button", { type: "button", onclick: () => { stopped = true; rest(); tell(say("gallery_cancelled")); trigger("submit"); } }, say("gallery_cancel"));
    place.append(words, bar, cancel);
    rest = () => { place.hidden = true; };
    rest();
    watch("value", () => {
      const { done, of } = props.value ?? {};
      if (stopped || !(done < of)) return rest();
      words.textContent = say("gallery_drawing", { done, of });
      bar.value = done / of;
      place.hidden = false;
    });
  }

  return {
    kept: keptView, tools, progress, comparison, film,
    answered: () => answered(), filmed: () => filmed(),
    wanted() {
      stopped = false;
      tell("");
      return { flowers: wished().filter(ours).map(bare) };
    },
    made: (file) => { if (!stopped && file) flowers.save(file); },
    ended: () => rest(),
  };
})();
flowers.stages.gallery = flowers.gallery.comparison;
