// The Mixing tab: a table whose rows give the layout of a flower and whose columns give its colors and texture.
flowers.kit.places.push(["mixing", "from", "mixing_as_row"], ["mixing", "to", "mixing_as_column"]);
flowers.stages.mixing = (element, props, watch) => {
  "use strict";
  const { label, make, remember, say, showFlower, size } = flowers.kit;
  const place = element.querySelector(".mixing");
  const table = make("table", { "aria-label": say("mixing_table") });
  place.append(table);

  const flower = (item, name) => make("button", { type: "button", title: say("details"), "aria-label": name, onclick: () => showFlower(item) },
    make("img", { src: item.src, alt: "", width: size, height: size }));
  const blank = () => make("span", { class: "blank" });

  function draw() {
    const { rows = [], columns = [], cells = [], trouble, address } = props.value || {};
    if (address) remember(address);
    place.classList.toggle("empty", !cells.length && !trouble);
    if (trouble) return place.replaceChildren(make("p", { class: "none" }, trouble));
    const wide = columns.length || 4, high = rows.length || 3;
    place.style.setProperty("--columns", wide + 1);
    place.style.setProperty("--rows", high + 1);
    const head = make("tr", {}, make("td"), ...Array.from({ length: wide }, (_, number) => make("th", { scope: "col" },
      columns[number] ? flower(columns[number], say("mixing_column", { flower: label(columns[number]) })) : blank())));
    const lines = Array.from({ length: high }, (_, row) => make("tr", {},
      make("th", { scope: "row" }, rows[row] ? flower(rows[row], say("mixing_row", { flower: label(rows[row]) })) : blank()),
      ...Array.from({ length: wide }, (__, column) => {
        const item = cells[row * wide + column];
        return make("td", {}, item ? flower(item, say("mixing_cell", { row: label(rows[row]), column: label(columns[column]) })) : blank());
      })));
    table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...lines));
  }

  draw();
  watch("value", draw);
};
