// The Generate tab: a grid of flowers.
flowers.stages.generate = (element, props, watch) => {
  "use strict";
  const { meadow } = flowers.kit;
  const field = meadow(element.querySelector(".meadow"));
  const draw = () => field.show(props.value || {}, 4);
  draw();
  watch("value", draw);
};
