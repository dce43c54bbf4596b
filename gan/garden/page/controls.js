// What a visitor sets: chips, segments, sliders with a number, numbers, switches, buttons. Each is { element, set(value) } and
// calls `changed` with its new value. Their classes are those of the app's controls, so that one style serves both.
const { classes, make, say, title } = window.flowers.kit;
const MOST_CHIPS = 24; // with more classes, one list

let count = 0;
const unique = () => `control-${(count += 1)}`;
const hint = (key, id) => (key ? [make("p", { class: "info-text", id }, say(key))] : []);

// One of several [value, words] pairs, as buttons of a group.
export function choice(label, pairs, changed, look = "chips") {
  const name = unique(), inputs = [];
  const wrap = make("div", { class: "wrap" }, ...pairs.map(([value, words], number) => {
    const input = make("input", { type: "radio", name, value: number, onchange: () => { mark(); changed(value); } });
    inputs.push([value, input]);
    return make("label", {}, input, make("span", {}, words));
  }));
  const mark = () => inputs.forEach(([, input]) => input.parentElement.classList.toggle("selected", input.checked));
  return {
    element: make("fieldset", { class: `block ${look}` }, make("legend", {}, label), wrap),
    set(value) {
      for (const [own, input] of inputs) input.checked = own === value;
      mark();
    },
  };
}

// One of the model's classes; with `all`, null stands for each of them.
export function classChoice(label, changed, all = false) {
  const pairs = [...(all ? [[null, say("all")]] : []), ...classes.map((one, number) => [number, title(one)])];
  if (pairs.length <= MOST_CHIPS) return choice(label, pairs, changed);
  const id = unique(), select = make("select", { id, onchange: () => changed(pairs[select.selectedIndex][0]) }, ...pairs.map(([, words]) => make("option", {}, words)));
  return {
    element: make("div", { class: "block" }, make("label", { class: "name", for: id }, label), select),
    set: (value) => { select.selectedIndex = pairs.findIndex(([own]) => own === value); },
  };
}

// A number in a range as a slider and a field; `changed` hears it while it is dragged.
export function level(label, { low, high, step, info, look = "" }, changed) {
  const about = info ? unique() : null, range = { min: low, max: high, step, "aria-describedby": about };
  const slider = make("input", { type: "range", "aria-label": label, ...range, oninput: () => { field.value = slider.value; changed(Number(slider.value)); } });
  const field = make("input", { type: "number", "aria-label": label, ...range, onchange: () => {
    const value = Math.min(high, Math.max(low, Number(field.value)));
    field.value = slider.value = field.value === "" || Number.isNaN(value) ? slider.value : String(step >= 1 ? Math.round(value) : value);
    changed(Number(field.value));
  } });
  const name = make("span", { class: "name" }, label);
  return {
    element: make("div", { class: `block level ${look}` }, make("div", { class: "head" }, name, field), ...hint(info, about), slider),
    set(value) { slider.value = field.value = value; },
    disable(off) { slider.disabled = field.disabled = off; },
    rename(words) {
      name.textContent = words;
      for (const input of [slider, field]) input.setAttribute("aria-label", words);
    },
  };
}

export function number(label, { low, high, under = false }, changed) {
  const id = unique(), field = make("input", { type: "number", id, min: low, max: high, step: 1, onchange: () => {
    if (field.value === "" || Number.isNaN(Number(field.value))) field.value = last;
    field.value = Math.round(Math.min(high, Math.max(low, Number(field.value))));
    last = field.value;
    changed(Number(field.value));
  } });
  let last = "0";
  return {
    element: make("div", { class: `block seed ${under ? "under" : ""}` }, make("label", { for: id, class: "name" }, label), field),
    set(value) { last = field.value = String(value); },
  };
}

export function toggle(label, changed) {
  const box = make("input", { type: "checkbox", onchange: () => changed(box.checked) });
  return { element: make("div", { class: "block switch" }, make("label", {}, box, make("span", { class: "label-text" }, label))), set: (on) => { box.checked = on; } };
}

export const button = (label, pressed, look = "") => make("button", { type: "button", class: look, onclick: pressed }, label);

// The truncation and the switch that turns it off: null where it is.
export function truncation(standard, changed, info) {
  let value = standard, off = false;
  const tell = () => changed(off ? null : value);
  const slider = level(say("truncation"), { low: 0.01, high: 3, step: 0.01, info }, (now) => { value = now; tell(); });
  const none = toggle(say("truncation_off"), (on) => { off = on; slider.disable(on); tell(); });
  return {
    elements: [slider.element, none.element],
    set(now) {
      off = now === null;
      value = now ?? value;
      slider.set(value);
      slider.disable(off);
      none.set(off);
    },
  };
}

export const heading = (key, text) => make("div", { class: "block part" }, make("h3", {}, say(key)), make("p", { class: "aside" }, say(text)));
