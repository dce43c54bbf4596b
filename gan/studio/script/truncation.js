// The Truncation tab: a row of flowers for each truncation, and the curves of the model's evaluation.
flowers.kit.places.push(["truncation", "", "tab_truncation"]);
flowers.stages.truncation = (element, props, watch) => {
  "use strict";
  const { make, meadow, remember, say } = flowers.kit;
  const place = element.querySelector(".rows");
  const list = make("div", { class: "ranks" }), curves = make("div", { class: "curves" });
  place.append(list, curves);
  const ranks = [];

  function rank() {
    const name = make("h3"), field = make("div"), figure = make("section", { class: "rank" }, name, field);
    const grid = meadow(field);
    const show = ({ level, current, items }) => {
      const words = level === null ? say("truncation_off") : say("truncation_row", { level });
      name.textContent = current ? say("truncation_now", { words }) : words;
      figure.classList.toggle("current", Boolean(current));
      field.setAttribute("aria-label", name.textContent);
      grid.show({ items: items ?? [], side: 6 });
    };
    return { figure, show, empty: () => grid.show({ items: [], side: 6, count: 6 }) };
  }

  function draw() {
    const { rows = [], plots = [], address } = props.value || {};
    if (address) remember(address);
    while (ranks.length < Math.max(rows.length, 3)) ranks.push(rank());
    if (rows.length) ranks.length = rows.length;
    list.replaceChildren(...ranks.map((one) => one.figure));
    if (rows.length) rows.forEach((row, number) => ranks[number].show(row));
    else ranks.forEach((one) => one.empty());
    curves.replaceChildren(...(plots.length ? plots : []).map(({ svg, about }) => {
      const figure = make("figure");
      figure.innerHTML = svg; // drawn by the server from numbers and its own words
      figure.append(make("figcaption", {}, about));
      return figure;
    }));
    if (address && !plots.length) curves.append(make("p", { class: "none" }, say("truncation_unjudged")));
  }

  draw();
  watch("value", draw);
};
