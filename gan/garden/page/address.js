// Settings of the tabs in the page's address: the same keys and values as the app's (gan/studio/address.py), so that a link
// shows the same flowers there and here. A missing or bad value takes its default; nothing raises.
import { flower, levelText, mainClass, MAX_SEED, MAX_TRUNCATION, MIN_TRUNCATION, extras, resolved, withExtras } from "./flower.js";

export const COUNT = 6, REACH = 3; // directions, and how far each goes
const { seed: fresh } = window.flowers.kit;

export class Address {
  constructor(query, facts) {
    this.found = new URLSearchParams(query);
    this.facts = facts;
  }

  text = (key) => this.found.getAll(key).at(-1) ?? "";

  whole(key, low, high, standard) {
    const text = this.text(key), value = Number(text);
    return /^\d{1,10}$/.test(text) && value >= low && value <= high ? value : standard;
  }

  seed = (key) => this.whole(key, 0, MAX_SEED, null) ?? fresh();

  number(key, low, high, standard) {
    const text = this.text(key), value = Number(text);
    return text.trim() && value >= low && value <= high ? value : standard;
  }

  level = (key) => (this.text(key) === "off" ? null : this.number(key, MIN_TRUNCATION, MAX_TRUNCATION, this.facts.truncation));

  // The index of a class, null for all of them; `standard` where there is none.
  label(key, standard) {
    const { classes, every } = this.facts, name = this.text(key).normalize("NFC");
    if (classes.length === 1) return 0;
    const at = classes.findIndex((one) => one.normalize("NFC") === name);
    return at >= 0 ? at : name === every ? null : standard;
  }

  choice = (key, choices, standard) => (choices.includes(this.text(key)) ? this.text(key) : standard);
}

const name = (label, { classes, every }) => (label === null ? every : classes[label]);
const named = (pairs, { classes }) => (classes.length > 1 ? pairs : {});

export const generate = {
  read: (address) => ({
    label: address.label("class", address.facts.classes.length > 1 ? null : 0), seed: address.seed("seed"),
    truncation: address.level("truncation"), side: address.whole("grid", 1, 7, 4),
  }),
  write: ({ label, seed, truncation, side }, facts) => ({
    ...named({ class: name(label, facts) }, facts), seed, truncation: levelText(truncation), grid: side,
  }),
};

export const interpolate = {
  read(address) {
    const end = (key, standard, more) => withExtras(
      resolved(flower(address.label(key, standard), address.seed(`${key}-seed`), address.level("film-truncation")), address.facts.classes.length),
      address.text(more), address.facts);
    return {
      from: end("from", 0, "from-extras"), to: end("to", address.facts.classes.length - 1, "to-extras"),
      truncation: address.level("film-truncation"), path: address.choice("path", ["spherical", "straight"], "spherical"),
      steps: address.whole("steps", 2, 60, 24), loop: address.text("loop") === "yes",
    };
  },
  write: ({ from, to, truncation, path, steps, loop }, facts) => ({
    ...named({ from: name(mainClass(from), facts), to: name(mainClass(to), facts) }, facts), "from-seed": from.seed, "to-seed": to.seed,
    "film-truncation": levelText(truncation), path, steps, loop: loop ? "yes" : "no", "from-extras": extras(from), "to-extras": extras(to),
  }),
};

const tenths = (value) => Math.round(value * 10) / 10 + 0;

export const explore = {
  read(address) {
    const { classes, scales } = address.facts, label = address.label("explore-class", 0);
    const start = withExtras(
      resolved(flower(label, address.seed("explore-seed"), address.level("explore-truncation")), classes.length), address.text("explore-extras"), address.facts);
    const across = address.whole("explore-across", 1, COUNT, 1) - 1;
    const at = address.text("explore-at").split("_").map(Number);
    const good = address.text("explore-at") && at.length === COUNT && at.every((one) => Math.abs(one) <= REACH);
    return {
      start, sliders: good ? at.map(tenths) : Array(COUNT).fill(0),
      second: address.label("explore-second", (mainClass(start) + 1) % classes.length) ?? 0, degree: address.whole("explore-degree", 0, 100, 0),
      fine: { label: address.label("explore-fine", mainClass(start)) ?? 0, seed: address.seed("explore-fine-seed"), scales: address.whole("explore-scales", 0, Math.max(0, scales - 1), 0) },
      across, down: address.whole("explore-down", 1, COUNT, ((across + 1) % COUNT) + 1) - 1, step: tenths(address.number("explore-step", 0.2, 2, 1)),
    };
  },
  write({ start, sliders, second, degree, fine, across, down, step }, facts) {
    const { classes, scales } = facts, several = classes.length > 1;
    return {
      "explore-class": several ? classes[mainClass(start)] : "", "explore-seed": start.seed, "explore-truncation": levelText(start.truncation),
      "explore-extras": extras(start), "explore-at": sliders.some(Boolean) ? sliders.join("_") : "",
      "explore-second": several ? classes[second] : "", "explore-degree": several ? degree : "",
      "explore-fine": scales && several ? classes[fine.label] : "", "explore-fine-seed": scales ? fine.seed : "",
      "explore-scales": scales ? fine.scales : "", "explore-across": across + 1, "explore-down": down + 1, "explore-step": step,
    };
  },
};
