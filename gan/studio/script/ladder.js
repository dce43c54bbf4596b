// The Ladder tab: six stages, each with its flower, its spectrum and the strength of its grid.
flowers.kit.places.push(["ladder", "", "tab_ladder"]);
flowers.stages.ladder = (element, props, watch) => {
  "use strict";
  const { make, remember, say } = flowers.kit;
  const place = element.querySelector(".stages");
  place.setAttribute("role", "list");

  function card() {
    const flower = make("img", { class: "flower", alt: "", width: 128, height: 128 });
    const spectrum = make("img", { class: "spectrum", alt: "", width: 128, height: 128 });
    const name = make("h3"), what = make("p"), list = make("ul");
    const figure = make("article", { class: "stage-card", role: "listitem" },
      flower, make("div", { class: "facts" }, name, what, make("div", { class: "grid-seen" }, spectrum, list)));
    const show = (stage) => {
      flower.src = stage.src;
      flower.alt = say("ladder_flower", { title: stage.title });
      spectrum.src = stage.spectrum;
      spectrum.alt = say("ladder_spectrum", { title: stage.title });
      name.textContent = stage.title;
      what.textContent = `${stage.size}×${stage.size} · ${stage.new}`;
      list.replaceChildren(...stage.peaks.map((words) => make("li", {}, words)));
    };
    return { figure, show };
  }

  const cards = Array.from({ length: 6 }, card);

  function draw() {
    const { stages = [], address } = props.value || {};
    if (address) remember(address);
    place.classList.toggle("empty", !address);
    if (address && !stages.length) {
      place.replaceChildren(make("p", { class: "none" }, say("ladder_none")));
      return;
    }
    if (stages.length) cards.length = stages.length;
    stages.forEach((stage, number) => cards[number].show(stage));
    place.replaceChildren(...cards.map((one) => one.figure));
  }

  draw();
  watch("value", draw);
};
