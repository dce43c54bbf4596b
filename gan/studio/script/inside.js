// The Inside tab: the steps from numbers to one flower, and the spectrum of its picture.
flowers.kit.places.push(["inside", "", "tab_inside"]);
flowers.stages.inside = (element, props, watch) => {
  "use strict";
  const { make, remember, say, showFlower } = flowers.kit;
  const place = element.querySelector(".inside");
  const list = make("ol", { class: "way", "aria-label": say("inside_list") });
  const spectrum = make("section", { class: "spectrum-of-one" });
  place.append(list, spectrum);

  function figure({ src, name, caption, wide, opens }, item) {
    const picture = make("img", { src, alt: opens ? "" : name, style: `aspect-ratio: ${wide}` });
    const shown = opens ? make("button", { type: "button", "aria-label": name, title: say("details"), onclick: () => showFlower(item) }, picture) : picture;
    return make("figure", {}, shown, ...(caption ? [make("figcaption", {}, caption)] : []));
  }

  const step = ({ title, layer, shape, about, pictures }, item) => make("li", {},
    make("div", { class: "pictures" }, ...pictures.map((picture) => figure(picture, item))),
    make("div", { class: "words" },
      make("h3", {}, ...(layer ? [make("code", {}, title)] : [title])),
      ...(shape ? [make("span", { class: "shape" }, shape)] : []),
      make("p", {}, about)));

  function draw() {
    const { steps = [], kind = "", item, spectrum: seen, address } = props.value || {};
    if (address) remember(address);
    place.dataset.kind = kind;
    list.classList.toggle("empty", !steps.length);
    list.replaceChildren(...(steps.length ? steps.map((one) => step(one, item)) : Array.from({ length: 6 }, () => make("li", { class: "blank" }))));
    if (!seen) return spectrum.replaceChildren();
    const plot = make("figure", { class: "curve" });
    plot.innerHTML = seen.svg; // drawn by the server from numbers and its own words
    spectrum.replaceChildren(make("h2", {}, say("inside_spectrum")), make("p", {}, seen.about),
      make("div", { class: "seen" }, make("div", { class: "pictures" }, ...seen.pictures.map((one) => figure(one))), plot),
      ...(seen.without ? [make("p", {}, seen.without)] : []),
      ...(seen.peaks.length ? [make("p", {}, say("inside_peaks")), make("ul", {}, ...seen.peaks.map((words) => make("li", {}, words)))] : []));
  }

  draw();
  watch("value", draw);
};
