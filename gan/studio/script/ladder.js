// The Ladder tab, a tree: the paper's six steps are the trunk, the models of other papers branch off by year.
flowers.kit.places.push(["ladder", "", "tab_ladder"]);
flowers.stages.ladder = (element, props, watch, trigger) => {
  "use strict";
  const { make, remember, say } = flowers.kit;
  const place = element.querySelector(".tree");
  const trunk = make("div", { class: "stages trunk", role: "list" });
  const branches = make("div", { class: "branches" });

  function card() {
    const flower = make("img", { class: "flower", alt: "", width: 128, height: 128 });
    const spectrum = make("img", { class: "spectrum", alt: "", width: 128, height: 128 });
    const name = make("h3"), what = make("p"), list = make("ul");
    const figure = make("article", { class: "stage-card", role: "listitem" },
      flower, make("div", { class: "facts" }, name, what, make("div", { class: "grid-seen" }, spectrum, list)));
    const show = (stage) => {
      flower.src = stage.src;
      flower.alt = say("ladder_flower", { title: stage.title });
      if (stage.spectrum) spectrum.src = stage.spectrum; // it may come after the flower
      spectrum.alt = say("ladder_spectrum", { title: stage.title });
      name.textContent = stage.title;
      what.textContent = `${stage.size}×${stage.size} · ${stage.new}`;
      list.replaceChildren(...[...stage.scores, ...stage.peaks].map((words) => make("li", {}, words)));
    };
    return { figure, show };
  }

  const cards = Array.from({ length: 6 }, card);
  const grown = new Map(); // the cards of the branches by the name of their model

  function branch(year, stages) {
    const list = make("div", { class: "stages", role: "list" });
    for (const stage of stages) {
      if (!grown.has(stage.title)) grown.set(stage.title, card());
      grown.get(stage.title).show(stage);
      list.append(grown.get(stage.title).figure);
    }
    return make("section", { class: "branch" }, make("h2", {}, String(year)), list);
  }

  function draw() {
    const { stages = [], branches: others = [], address, more } = props.value || {};
    if (address) remember(address);
    const come = address || stages.length || others.length; // a step has no address yet
    trunk.classList.toggle("empty", !come);
    if (address && !stages.length && !others.length) {
      place.replaceChildren(make("p", { class: "none" }, say("ladder_none")));
      return;
    }
    if (come) cards.length = Math.min(cards.length, stages.length);
    stages.forEach((stage, number) => cards[number].show(stage));
    trunk.replaceChildren(...cards.map((one) => one.figure));
    const years = [...new Set(others.map((one) => one.year))];
    place.style.setProperty("--rows", Math.max(1, Math.ceil(years.length / 2))); // two years stand in a row of the tree
    branches.replaceChildren(...years.map((year) => branch(year, others.filter((one) => one.year === year))));
    place.replaceChildren(trunk, branches);
    if (more) trigger("submit"); // the spectra
  }

  draw();
  watch("value", draw);
};
