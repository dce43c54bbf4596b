// The Explore tab: a flower and its eight neighbors; a press on one of them goes there.
flowers.kit.places.push(["explore", "", "tab_explore"]);
flowers.stages.explore = (element, props, watch, trigger) => {
  "use strict";
  const { label, make, meadow, remember, say, showFlower } = flowers.kit;
  const walk = element.querySelector(".walk");
  const across = make("p", { class: "axis across", "aria-hidden": "true" }), down = make("p", { class: "axis down", "aria-hidden": "true" });
  const field = make("div", { class: "neighbors" });
  const bar = make("progress", { max: 1 }), words = make("p", { role: "status" });
  const button = make("button", { type: "button", class: "quiet", onclick: () => (stopped ? look() : stop()) });
  const search = make("div", { class: "search", hidden: "" }, words, bar, button);
  walk.append(across, make("div", { class: "map" }, down, field, search));
  const around = meadow(field, { press: (item) => (item === here() ? showFlower(item) : go(item)), name: say("explore_neighbors") });
  const later = (event, data) => setTimeout(() => trigger(event, data)); // not while the framework hands over a value
  let items = [], names = [], labelled = false, looking = false, stopped = false, progress = 0;

  const here = () => items[4];
  const go = (item) => trigger("select", { at: item.at });
  const called = (number) => say(names[number] ? `explore_does_${names[number]}` : `explore_direction_${number + 1}`);
  const signed = (value) => (value > 0 ? `+${value}` : String(value).replace("-", "−"));

  function look() {
    [looking, stopped] = [true, false];
    show_search();
    later("submit");
  }

  function stop() {
    [looking, stopped] = [false, true];
    show_search();
    trigger("stop");
  }

  function show_search() {
    search.hidden = !looking && !stopped;
    bar.hidden = stopped;
    bar.value = progress;
    bar.setAttribute("aria-label", say("explore_finding"));
    const said = stopped ? say("explore_stopped") : say("explore_finding");
    if (words.textContent !== said) words.textContent = said; // a screen reader hears it once
    button.textContent = say(stopped ? "explore_again" : "explore_stop");
  }

  // While the directions are looked for only the flower itself can be shown.
  function wait(shown) {
    if (shown.address) remember(shown.address);
    if (shown.progress) progress = shown.progress;
    if (shown.items) {
      items = shown.items.length ? Array(9).fill(shown.items[0]) : [];
      around.show({ items, side: 3 }, 3);
      walk.classList.add("waiting");
      mark({});
    }
    if (!looking && !stopped) look();
    else show_search();
  }

  function mark(shown) {
    for (const [number, cell] of [...field.querySelectorAll("figure button")].entries()) {
      const item = items[number], middle = number === 4;
      const end = !middle && item && String(item.at) === String(here().at);
      cell.disabled = !item || end || (!middle && walk.classList.contains("waiting"));
      cell.parentElement.classList.toggle("here", middle);
      cell.parentElement.classList.toggle("end", Boolean(end));
      cell.title = say(end ? "explore_end" : middle ? "details" : "explore_go");
      if (!item?.at) continue;
      const at = (direction) => `${called(direction)} ${signed(item.at[direction])}`;
      cell.setAttribute("aria-label", end ? say("explore_end") : `${label(item)}: ${at(shown.across)}, ${at(shown.down)}`);
    }
  }

  // A flower without neighbors, of a model for whose directions too few flowers stand.
  function draw_alone(shown) {
    walk.classList.add("alone");
    meadow(field).show(shown, 1);
  }

  function draw() {
    const shown = props.value || {};
    if (shown.alone) return draw_alone(shown);
    if (shown.found) { // what had to wait for it
      looking = false;
      labelled = true;
      later("apply");
      return;
    }
    if (shown.waiting) return wait(shown);
    walk.classList.remove("waiting");
    items = shown.items ?? [];
    names = shown.names ?? names;
    around.show(shown, 3);
    mark(shown);
    if (!items.length) return;
    [looking, stopped] = [false, false];
    show_search();
    across.textContent = `${called(shown.across)} →`;
    down.textContent = `${called(shown.down)} →`;
    if (!labelled) { // the sliders' names come with the search, which is over at once where another visitor's has found them
      labelled = true;
      later("submit");
    }
  }

  draw();
  watch("value", draw);
};
