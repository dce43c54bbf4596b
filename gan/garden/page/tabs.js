// The tabs: their settings, their controls, and what the worker has to draw for them. The stages are the app's own scripts.
import * as address from "./address.js";
import { button, choice, classChoice, heading, level, number, toggle, truncation } from "./controls.js";
import { describe, extras, following, MAX_SEED, mainClass, readShift, stem, withExtras, writeShift } from "./flower.js";
import { film } from "./film.js";

const { make, say, seed: fresh } = window.flowers.kit;
const BLANK = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="; // what is not drawn yet
const { COUNT, REACH } = address;

// What all tabs have. A subclass sets `id`, `stage` (the class of the element that its script fills) and `settings` (address.js),
// and has build() for its controls, fill() to set them, draw(), and receive() for a flower that another tab sends.
class Tab {
  constructor(facts, artist, complain) {
    Object.assign(this, { facts, artist, complain, value: {}, complete: false });
  }

  mount(room) {
    this.pictures = make("div", { class: "html-container", id: `${this.id}-pictures` }, make("div", { class: this.stage }));
    this.below = make("div", { class: "below" });
    const controls = make("div", { class: "column controls" }, ...this.build());
    room.append(make("div", { class: "bench" }, make("div", { class: "column stage" }, this.pictures, this.below), controls));
    const watch = (_, draw) => { this.show = draw; };
    this.props = { value: {} };
    window.flowers.stages[this.id](this.pictures, this.props, watch, (event, data) => this.told(event, data));
  }

  told() {} // by the script of the stage

  // New settings: into the controls, and drawn.
  begin(wanted) {
    this.wanted = wanted;
    this.fill();
  }

  change(more) {
    this.wanted = { ...this.wanted, ...more };
    this.redraw();
  }

  put(value) {
    const address = value.items || value.frames ? this.settings.write(this.wanted, this.facts) : null;
    const news = value.frames || (address && JSON.stringify(address) !== JSON.stringify(this.said)); // not with every picture
    this.said = address ?? this.said;
    this.props.value = { ...value, ...(news ? { address } : {}) };
    this.show();
  }

  async redraw() {
    this.complete = false;
    this.pictures.classList.add("pending");
    try {
      await this.draw();
      this.complete = true;
    } catch (trouble) {
      if (trouble.key === "cancelled") return; // something newer is being drawn
      this.complain(trouble);
    }
    this.pictures.classList.remove("pending");
  }

  item = (one, src = BLANK) => ({ src, name: `${stem(one, this.facts.classes)}.png`, ...describe(one, this.facts.classes) });
  about = (one) => ({ model: this.facts.title, revision: this.facts.revision, ...(one ? describe(one, this.facts.classes) : {}) });

  // Draw flowers into items, which `seen` hears of one by one; until then a place shows what it showed before.
  async items(flowers, before, seen) {
    const items = flowers.map((one, i) => before[i] ?? this.item(one));
    if (items.every((one) => one.src === BLANK)) seen(items);
    await this.artist.draw({ task: "draw", flowers, settings: flowers.map(this.about) }, (index, src) => {
      items[index] = this.item(flowers[index], src);
      seen(items);
    });
  }

  save(name, bytes, type) {
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    window.flowers.save({ url, orig_name: name });
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  dice = (key, id, pressed) => {
    const one = button(say(key), pressed, "primary dice");
    one.id = id;
    return one;
  };
}

export class Generate extends Tab {
  id = "generate";
  stage = "meadow";
  settings = address.generate;

  build() {
    const { classes } = this.facts;
    this.label = classChoice(say("class"), (label) => this.change({ label }), true);
    this.seed = level(say("seed"), { low: 0, high: MAX_SEED, step: 1, info: "seed_hint", look: "seed" }, (seed) => this.change({ seed }));
    this.level = truncation(this.facts.truncation, (value) => this.change({ truncation: value }), "truncation_hint");
    this.side = choice(say("grid"), [1, 2, 3, 4, 5, 6, 7].map((side) => [side, String(side)]), (side) => this.change({ side }), "segments");
    const roll = this.dice("new_flowers", "new-flowers", () => { this.seed.set(this.wanted.seed = fresh()); this.redraw(); });
    const all = button(say("download_all"), () => this.archive().catch(this.complain));
    all.id = "download-all";
    return [roll, ...(classes.length > 1 ? [this.label.element] : []), this.seed.element, ...this.level.elements, this.side.element, all];
  }

  fill() {
    const { label, seed, truncation: value, side } = this.wanted;
    if (!this.shown) this.put({ side }); // empty places
    this.label.set(label);
    this.seed.set(seed);
    this.level.set(value);
    this.side.set(side);
  }

  async draw() {
    const { label, seed, truncation: value, side } = this.wanted;
    const flowers = following(label, seed, value, side ** 2, this.facts.classes.length);
    await this.items(flowers, (this.shown ?? []).slice(0, side ** 2), (items) => {
      this.shown = [...items];
      this.put({ items: this.shown, side });
    });
  }

  async archive() {
    if (!this.complete) return;
    const bytes = (src) => Uint8Array.from(atob(src.split(",")[1]), (letter) => letter.charCodeAt(0));
    const { file } = await this.artist.ask({ task: "archive", files: this.shown.map((item) => [item.name, bytes(item.src)]) });
    this.save(`flowers-${this.wanted.seed}-${this.wanted.side}x${this.wanted.side}.zip`, file, "application/zip");
  }

  receive = (one) => ({ ...this.wanted, label: mainClass(one), seed: one.seed, truncation: one.truncation });
}

export class Interpolate extends Tab {
  id = "interpolate";
  stage = "cinema";
  settings = address.interpolate;

  build() {
    const end = (which) => {
      const plain = (more) => this.change({ [which]: { ...this.wanted[which], label: mainClass(this.wanted[which]), shift: "", fine: null, ...more } });
      const label = classChoice(say(which), (value) => plain({ label: value }));
      return { label, seed: number(say(`${which}_seed`), { low: 0, high: MAX_SEED, under: this.facts.classes.length > 1 }, (seed) => plain({ seed })) };
    };
    this.ends = { from: end("from"), to: end("to") };
    this.level = truncation(this.facts.truncation, (value) => {
      const { from, to } = this.wanted;
      this.change({ truncation: value, from: { ...from, truncation: value }, to: { ...to, truncation: value } });
    });
    this.path = choice(say("path"), ["spherical", "straight"].map((path) => [path, say(`path_${path}`)]), (path) => this.change({ path }));
    this.steps = level(say("steps"), { low: 2, high: 60, step: 1 }, (steps) => this.change({ steps }));
    this.loop = toggle(say("loop"), (loop) => this.change({ loop }));
    const roll = this.dice("new_pair", "new-pair", () => {
      const [from, to] = ["from", "to"].map((which) => ({ ...this.wanted[which], label: mainClass(this.wanted[which]), shift: "", fine: null, seed: fresh() }));
      this.begin({ ...this.wanted, from, to });
      this.redraw();
    });
    this.bar = make("progress", { max: 1, value: 0, hidden: "", "aria-label": say("garden_drawing") });
    const saves = { film: [say("garden_film"), () => this.record()], gif: [say("download_gif"), () => this.gif().catch(this.complain)], png: [say("download_png"), () => this.sheet().catch(this.complain)] };
    this.saves = Object.entries(saves).map(([kind, [words, pressed]]) => Object.assign(button(words, pressed), { id: `download-${kind}` }));
    this.below.append(this.bar, make("div", { class: "downloads" }, ...this.saves));
    const several = this.facts.classes.length > 1;
    const ends = Object.values(this.ends).flatMap(({ label, seed }) => [...(several ? [label.element] : []), seed.element]);
    return [roll, ...ends, ...this.level.elements, this.path.element, this.steps.element, this.loop.element];
  }

  fill() {
    for (const [which, { label, seed }] of Object.entries(this.ends)) {
      label.set(mainClass(this.wanted[which]));
      seed.set(this.wanted[which].seed);
    }
    this.level.set(this.wanted.truncation);
    this.path.set(this.wanted.path);
    this.steps.set(this.wanted.steps);
    this.loop.set(this.wanted.loop);
  }

  async draw() {
    const { from, to, path, steps, loop } = this.wanted, frames = [];
    this.allow(false);
    this.bar.value = 0;
    this.bar.hidden = false;
    await this.artist.draw({ task: "path", start: from, end: to, way: path, steps, loop, settings: this.about() }, (index, src) => {
      frames.push(src);
      this.bar.value = frames.length / steps;
      if (frames.length === 1 && !this.frames) this.put({ frames: [src], rate: 12 });
    });
    this.bar.hidden = true;
    this.frames = frames;
    this.allow(true);
    this.put({ frames, rate: 12 });
  }

  name = () => `${stem(this.wanted.from, this.facts.classes)}-to-${stem(this.wanted.to, this.facts.classes)}`;

  async sheet() {
    const { file } = await this.artist.ask({ task: "strip", settings: { ...this.about(), ...this.settings.write(this.wanted, this.facts) } });
    this.save(`${this.name()}.png`, file, "image/png");
  }

  allow(on) {
    for (const one of this.saves) one.disabled = !on;
  }

  // Pictures for which the last one stays, where the film does not go on from it.
  still = () => (this.wanted.loop ? 0 : 6);

  async gif() {
    const { file } = await this.artist.ask({ task: "gif", still: this.still() });
    this.save(`${this.name()}.gif`, file, "image/gif");
  }

  async record() {
    this.allow(false);
    try {
      const made = await film(this.frames, { size: this.facts.size, rate: 12, still: this.still() });
      this.save(`${this.name()}.webm`, made, "video/webm");
    } catch (error) {
      console.warn("no film:", error);
      this.complain({ key: "garden_no_film", values: {} });
    }
    this.allow(this.complete);
  }

  receive = (one, end) => {
    const other = end === "from" ? "to" : "from";
    return { ...this.wanted, truncation: one.truncation, [end]: one, [other]: { ...this.wanted[other], truncation: one.truncation } };
  };
}

const OFFSETS = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((across) => [across, down]));
const tenths = (value) => Math.round(Math.min(REACH, Math.max(-REACH, value)) * 10) / 10 + 0;

export class Explore extends Tab {
  id = "explore";
  stage = "walk";
  settings = address.explore;

  build() {
    const { classes, scales, directions } = this.facts, several = classes.length > 1;
    const start = (more) => this.change({ start: { ...this.wanted.start, ...more } });
    const plain = (more) => start({ label: mainClass(this.wanted.start), shift: "", fine: null, ...more });
    this.label = classChoice(say("class"), (label) => plain({ label }));
    this.seed = number(say("seed"), { low: 0, high: MAX_SEED }, (seed) => plain({ seed }));
    this.level = truncation(this.facts.truncation, (value) => start({ truncation: value }));
    this.sliders = Array.from({ length: COUNT }, (_, i) => level(this.called(i), { low: -REACH, high: REACH, step: 0.1 }, (value) =>
      this.change({ sliders: this.wanted.sliders.map((one, k) => (k === i ? tenths(value) : one)) })));
    this.second = classChoice(say("explore_second"), (second) => this.change({ second }));
    this.degree = level(say("explore_degree"), { low: 0, high: 100, step: 1 }, (degree) => this.change({ degree }));
    const fine = (more) => this.change({ fine: { ...this.wanted.fine, ...more } });
    this.fine = classChoice(say("explore_fine"), (label) => fine({ label }));
    this.fineSeed = number(say("explore_fine_seed"), { low: 0, high: MAX_SEED }, (seed) => fine({ seed }));
    this.scales = level(say("explore_scales"), { low: 0, high: Math.max(1, scales - 1), step: 1 }, (kept) => fine({ scales: kept }));
    const roll = this.dice("explore_roll", "new-walk", () => {
      this.begin({ ...this.wanted, start: { ...this.wanted.start, label: mainClass(this.wanted.start), shift: "", fine: null, seed: fresh() } });
      this.redraw();
    });
    const back = button(say("explore_back"), () => {
      this.begin({ ...this.wanted, sliders: Array(COUNT).fill(0), degree: 0, fine: { ...this.wanted.fine, scales: 0 } });
      this.redraw();
    });
    if (directions) this.#axes();
    return [
      roll, ...(several ? [this.label.element] : []), this.seed.element, ...this.level.elements,
      heading("explore_directions", directions ? "explore_directions_hint" : "explore_directions_none"),
      ...(directions ? [...this.sliders.map((one) => one.element), back] : []),
      ...(several ? [heading("explore_mix", "explore_mix_hint"), this.second.element, this.degree.element] : []),
      ...(scales ? [heading("explore_cross", "explore_cross_hint"), ...(several ? [this.fine.element] : []), this.fineSeed.element, this.scales.element] : []),
    ];
  }

  // The two directions of the neighbors, which differ, and how far these are.
  #axes() {
    const numbers = Array.from({ length: COUNT }, (_, i) => [i, String(i + 1)]);
    const set = (mine, other) => (value) => {
      this.begin({ ...this.wanted, [mine]: value, [other]: this.wanted[other] === value ? (value + 1) % COUNT : this.wanted[other] });
      this.redraw();
    };
    this.across = choice(say("explore_across"), numbers, set("across", "down"), "segments");
    this.down = choice(say("explore_down"), numbers, set("down", "across"), "segments");
    this.step = level(say("explore_step"), { low: 0.2, high: 2, step: 0.1 }, (step) => this.change({ step: tenths(step) }));
    this.below.append(make("div", { class: "steps" }, this.across.element, this.down.element, this.step.element));
  }

  called(number) {
    const name = this.facts.directions?.names[number];
    return name ? `${number + 1} · ${say(`explore_does_${name}`)}` : say(`explore_direction_${number + 1}`);
  }

  fill() {
    const { start, sliders, second, degree, fine, across, down, step } = this.wanted;
    this.label.set(mainClass(start));
    this.seed.set(start.seed);
    this.level.set(start.truncation);
    sliders.forEach((value, i) => this.sliders[i].set(value));
    this.second.set(second);
    this.degree.set(degree);
    this.fine.set(fine.label);
    this.fineSeed.set(fine.seed);
    this.scales.set(fine.scales);
    this.across?.set(across);
    this.down?.set(down);
    this.step?.set(step);
  }

  // The flower that the controls describe, its values rounded as in an address.
  flower(sliders) {
    const { start, second, degree, fine } = this.wanted, { classes, directions, width } = this.facts;
    const main = { ...start, label: mainClass(start) };
    const changed = { ...start, label: this.#mixed(start.label, second, degree), fine: fine.scales ? fine : start.fine };
    if (sliders.some(Boolean)) {
      const shift = readShift(start.shift, width);
      sliders.forEach((value, i) => directions.steps[i].forEach((one, k) => { shift[k] += value * one; }));
      changed.shift = writeShift(shift);
    }
    const text = extras(changed), label = mainClass(changed);
    return text ? withExtras({ ...main, label, shift: "", fine: null }, text, { ...this.facts, classes }) : { ...changed, label };
  }

  #mixed(label, second, degree) {
    if (!degree || label === second) return label;
    if (degree === 100) return second;
    const weights = Array.isArray(label) ? label : this.facts.classes.map((_, i) => (i === label ? 1 : 0));
    const total = weights.reduce((sum, one) => sum + one, 0);
    return weights.map((one, i) => ((100 - degree) * one / total + (i === second ? degree : 0)) / 100);
  }

  async draw() {
    const { sliders, across, down, step } = this.wanted, { directions } = this.facts;
    if (!directions) return this.items([this.flower(sliders)], [], ([item]) => this.put({ items: [item], alone: true, side: 1 }));
    const places = OFFSETS.map(([x, y]) => sliders.map((one, i) => tenths(one + step * ((i === across ? x : 0) + (i === down ? y : 0)))));
    const order = [4, 1, 3, 5, 7, 0, 2, 6, 8], flowers = places.map((place) => this.flower(place)); // the middle first
    const before = this.shown ?? [];
    await this.items(order.map((i) => flowers[i]), order.map((i) => before[i]), (drawn) => {
      this.shown = [];
      order.forEach((i, k) => { this.shown[i] = { ...drawn[k], at: places[i] }; });
      this.put({ items: this.shown, side: 3, across, down, names: directions.names });
    });
  }

  told(event, data) {
    if (event !== "select") return;
    this.begin({ ...this.wanted, sliders: data.at });
    this.redraw();
  }

  receive = (one) => ({ ...this.wanted, start: one, sliders: Array(COUNT).fill(0), degree: 0, fine: { ...this.wanted.fine, scales: 0 } });
}
