// The Growth tab: a film through the training, the images seen for a caption.
flowers.stages.growth = (element, props, watch) => {
  "use strict";
  const { make, player, remember, say, showFlower } = flowers.kit;
  const cinema = element.querySelector(".cinema");
  const screen = player(cinema, { film: "growth_film", moved: (moment) => remember({ "growth-moment": String(moment) }) });
  const none = make("p", { class: "none", hidden: "" }, say("growth_none"));
  const open = make("button", { type: "button", class: "quiet", hidden: "", onclick: () => item && showFlower(item) }, say("growth_open"));
  cinema.append(make("div", { class: "downloads" }, open));
  cinema.after(none);
  const number = new Intl.NumberFormat(document.documentElement.lang);
  let item = null;

  function draw() {
    const value = props.value || {};
    const { frames: sources = [], images = [], address } = value;
    if (address) remember(address);
    const empty = address && !sources.length;
    none.hidden = !empty;
    cinema.hidden = Boolean(empty);
    item = value.item ?? null;
    open.hidden = !item;
    const asked = new URLSearchParams(location.search).get("growth-moment"); // where the visitor, or the link, stood still
    const still = asked !== null && +asked in sources;
    const names = images.map((count) => say("growth_images", { count: number.format(count) }));
    screen.load({ sources, names, rate: 1.5, first: still ? +asked : Math.max(0, sources.length - 1), plays: !still });
  }

  draw();
  watch("value", draw);
};
