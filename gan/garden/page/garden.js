// The page: its words, its tabs, the worker that draws, and what a visitor is told while that is being fetched.
import { Address } from "./address.js";
import { levelText, withExtras, flower } from "./flower.js";
import { Explore, Generate, Interpolate } from "./tabs.js";

const { kit } = window.flowers;
const { make, say } = kit;
const garden = document.querySelector(".garden");
const facts = prepared(window.FLOWERS.garden);

// Directions as vectors: they come as base64 of float32.
function prepared(given) {
  const { directions } = given;
  if (!directions) return given;
  const bytes = Uint8Array.from(atob(directions.steps), (letter) => letter.charCodeAt(0)), values = new Float32Array(bytes.buffer);
  const steps = directions.names.map((_, i) => values.subarray(i * given.width, (i + 1) * given.width));
  return { ...given, directions: { ...directions, steps } };
}

// ---------------------------------------------------------------------------------------------------------- the worker

class Artist {
  constructor(progress) {
    this.progress = progress;
    this.waiting = new Map();
    this.last = 0;
  }

  // Fetch the runtime and the model, and begin; what it draws with.
  start() {
    this.worker?.terminate();
    this.worker = new Worker("worker.js", { type: "module" });
    const query = new URLSearchParams(location.search), wish = {};
    if (["wasm", "webgpu"].includes(query.get("engine"))) wish.kind = query.get("engine");
    if (/^[1-8]$/.test(query.get("threads"))) wish.threads = Number(query.get("threads"));
    this.worker.onmessage = ({ data }) => this.#heard(data);
    this.ready = new Promise((done, failed) => {
      this.worker.onerror = () => failed({ key: "garden_no_worker", values: {} });
      const { directions, ...plain } = facts;
      this.#send({ task: "start", facts: plain, wish }).then(done, failed);
    });
    return this.ready;
  }

  #send(message, seen) {
    const id = (this.last += 1);
    return new Promise((done, failed) => {
      this.waiting.set(id, { done, failed, seen });
      this.worker.postMessage({ ...message, id });
    });
  }

  // Pictures, each handed to seen(index, src) as it comes. A later call ends this one with the key "cancelled".
  async draw(message, seen) {
    await this.ready;
    return this.#send(message, seen);
  }

  ask = (message) => this.draw(message);

  #heard({ kind, id, ...data }) {
    if (kind === "progress") return this.progress(data.came, data.of);
    const wish = this.waiting.get(id);
    if (kind === "picture") return wish.seen(data.index, data.src);
    this.waiting.delete(id);
    if (kind === "done") wish.done(data);
    else wish.failed(data);
  }
}

// ------------------------------------------------------------------------------------------------------------ the page

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const notices = make("div", { class: "notices" });

// Say what went wrong in a sentence, with a button where trying again may help; a browser that cannot film never can.
function complain({ key, values }) {
  console.warn(key, values);
  const sentence = make("p", { class: "notice", role: "alert" }, say(key in window.FLOWERS.text.en ? key : "garden_failed", values));
  const again = kit.make("button", { type: "button", onclick: begin }, say("garden_again"));
  if (key !== "garden_no_film") sentence.append(" ", again);
  notices.replaceChildren(sentence);
}

const bar = make("progress", { max: 1, value: 0, "aria-label": say("garden_loading") }), count = make("output", { "aria-live": "off" });
const loading = make("div", { class: "loading", role: "status" }, make("p", {}, say("garden_loading")), bar, count);
const status = make("p", { id: "status" }, "");

function progress(came, of) {
  bar.value = came / of;
  count.textContent = say("garden_megabytes", { came: megabytes(came), of: megabytes(of) });
}

const artist = new Artist(progress);
const tabs = [Generate, Interpolate, Explore].map((Kind) => new Kind(facts, artist, complain));
let open;

function header() {
  const other = Object.keys(window.FLOWERS.text).filter((name) => name !== document.documentElement.lang);
  const links = other.map((name) => make("a", {
    class: "tongue", lang: name, hreflang: name, href: `?lang=${name}`, onclick: (event) => { event.preventDefault(); window.flowers.speak(name); },
  }, window.FLOWERS.text[name].in_this_language));
  const head = document.querySelector("#head header");
  head.append(make("div", {}, make("h1", {}, say("title")), make("p", {}, say("garden_tagline"))), ...links);
  document.title = say("title");
  document.querySelector('meta[name="description"]').content = say("description");
}

function build() {
  const list = make("div", { class: "tab-container", role: "tablist", "aria-label": say("garden_tabs"), onkeydown: arrows });
  const rooms = tabs.map((tab) => {
    tab.handle = make("button", {
      type: "button", role: "tab", id: `tab-${tab.id}`, "aria-controls": `room-${tab.id}`, onclick: () => { show(tab); if (!tab.complete) tab.redraw(); },
    }, say(`tab_${tab.id}`));
    tab.room = make("section", { class: "room", role: "tabpanel", id: `room-${tab.id}`, "aria-labelledby": `tab-${tab.id}` });
    list.append(tab.handle);
    tab.mount(tab.room);
    return tab.room;
  });
  document.querySelector("#tabs").append(make("div", { class: "tab-wrapper" }, list), loading, ...rooms);
  document.querySelector("#head").append(notices);
  document.querySelector("#foot footer").append(status, make("p", { class: "aside" }, say("garden_private")));
}

function show(tab) {
  open = tab;
  for (const one of tabs) {
    const selected = one === tab;
    one.room.hidden = !selected;
    one.handle.classList.toggle("selected", selected);
    one.handle.setAttribute("aria-selected", String(selected));
    one.handle.tabIndex = selected ? 0 : -1;
  }
  window.flowers.opened(tab.id);
}

function arrows(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = tabs[(tabs.indexOf(open) + step + tabs.length) % tabs.length];
  next.handle.focus();
  next.handle.click();
}

// The settings that an address describes, in every tab; the tab that it names is opened.
function restore(query) {
  const address = new Address(query, facts);
  for (const tab of tabs) tab.begin(tab.settings.read(address));
  show(tabs.find((tab) => tab.id === address.text("tab")) ?? tabs[0]);
}

// A flower that was sent to a tab from where it is shown large.
const letter = {};
window.flowers.mail(letter, () => {
  const { to, end, flower: sent } = letter.value, tab = tabs.find((one) => one.id === to);
  const plain = flower(Math.max(0, facts.classes.indexOf(sent.class)), sent.seed, sent.truncation);
  tab.begin(tab.receive(withExtras(plain, sent.extras, facts), end));
  show(tab);
  tab.redraw();
  window.flowers.delivered();
});
kit.places.unshift(["generate", "", "tab_generate"]);

// A link to one flower: as itself, or in Explore where more than its class and seed makes it.
function link(item) {
  const several = facts.classes.length > 1, level = levelText(item.truncation);
  const pairs = item.extras
    ? { tab: "explore", "explore-seed": item.seed, "explore-truncation": level, "explore-extras": item.extras, ...(several ? { "explore-class": item.class } : {}) }
    : { tab: "generate", seed: item.seed, truncation: level, grid: 1, ...(several ? { class: item.class } : {}) };
  return `${location.origin}${location.pathname}?${new URLSearchParams({ ...pairs, model: facts.title })}`;
}

kit.extra.push((item) => {
  const words = say(navigator.share ? "garden_share" : "garden_copy");
  const one = make("button", { type: "button", class: "link", onclick: async () => {
    try {
      if (navigator.share) await navigator.share({ title: kit.label(item), url: link(item) });
      else {
        await navigator.clipboard.writeText(link(item));
        one.textContent = say("garden_copied");
      }
    } catch (error) {
      if (error.name !== "AbortError") one.replaceWith(make("input", { class: "link", readonly: "", "aria-label": say("garden_copy"), value: link(item) }));
    }
  } }, words);
  return one;
});

async function begin() {
  notices.replaceChildren();
  loading.hidden = false;
  try {
    const { engine, threads } = await artist.start();
    loading.hidden = true;
    const drawn = say(engine === "webgpu" ? "garden_by_gpu" : threads > 1 ? "garden_by_threads" : "garden_by_thread", { threads });
    status.textContent = say("status", { name: facts.title, source: drawn, revision: facts.revision, size: facts.size });
    garden.dataset.engine = `${engine} ${threads}`;
    for (const tab of tabs) tab.complete = false; // what another worker drew, this one has not got
    open.redraw();
  } catch (trouble) {
    loading.hidden = true;
    complain(trouble);
  }
}

// Only what differs from here is asked of a host later: a page that is open keeps what it has.
function keepForOffline() {
  navigator.serviceWorker?.register("sw.js").catch((error) => console.warn("no service worker:", error));
}

// An address that was entered or followed while the page stays: what it describes is drawn.
addEventListener("popstate", () => {
  restore(location.search);
  open.redraw();
});

header();
build();
restore(location.search);
window.flowers.restored();
keepForOffline();
begin();
