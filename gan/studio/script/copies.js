// The copies tab: a flower, where its distance stands among those of photos never shown, and the training photos nearest to it.
flowers.kit.places.push(["copies", "", "tab_copies"]);
flowers.stages.copies = (element, props, watch) => {
  "use strict";
  const { make, meadow, remember, say, size, title } = flowers.kit;
  const place = element.querySelector(".twins");
  const field = make("div", { class: "one" }), words = make("div", { class: "words", role: "status" });
  const curve = make("figure", { class: "curve" }), near = make("section", { class: "near" });
  place.append(make("div", { class: "pair" }, field, make("div", { class: "judged" }, words, curve)), near);
  const one = meadow(field);

  function photo({ src, distance, class: name }) {
    const about = say("copies_photo", { class: title(name), distance });
    const picture = src ? make("img", { src, alt: about, width: size, height: size })
      : make("span", { class: "missing" }, say("copies_photo_missing"));
    return make("figure", {}, picture, make("figcaption", {}, make("span", {}, title(name)), make("b", {}, distance)));
  }

  const plain = ({ distance, class: name }) => make("li", {}, make("b", {}, distance), ` ${title(name)}`);

  function draw() {
    const { item, trouble, distance, words: sentences = [], plot = "", near: photos = [], photos: shown, network = "", address } = props.value || {};
    place.classList.toggle("empty", !item);
    one.show({ items: item ? [item] : [], side: 1, address });
    words.replaceChildren(...(trouble ? [make("p", { class: "none" }, trouble)] : distance ? [make("h3", {}, distance)] : []),
      ...sentences.map((sentence) => make("p", {}, sentence)));
    curve.innerHTML = plot; // drawn by the server from numbers and its own words
    near.replaceChildren(...(photos.length ? [
      make("h3", {}, say("copies_nearest")),
      shown ? make("div", { class: "photos" }, ...photos.map(photo)) : make("ul", {}, ...photos.map(plain)),
      ...(shown ? [] : [make("p", {}, say("copies_no_photos"))]),
      make("p", {}, network)] : []));
  }

  draw();
  watch("value", draw);
};
