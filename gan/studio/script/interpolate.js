// The Interpolate tab: a player and a filmstrip.
flowers.kit.places.push(["interpolate", "from", "as_start"], ["interpolate", "to", "as_end"]);
flowers.stages.interpolate = (element, props, watch) => {
  "use strict";
  const { player, remember } = flowers.kit;
  const screen = player(element.querySelector(".cinema"));

  function draw() {
    const { frames: sources, rate, address } = props.value || {};
    if (address) remember(address);
    screen.load({ sources, rate, loop: address?.loop === "yes" });
  }

  draw();
  watch("value", draw);
};
