// Three steps for whoever opens the page for the first time, beside the pictures; once closed they do not come again.
flowers.kit.begin.push(() => {
  "use strict";
  const { make, say } = flowers.kit;
  const KEY = "flowers.welcomed";

  function known() {
    try {
      return localStorage.getItem(KEY) !== null;
    } catch {
      return true; // what cannot be remembered would come again and again
    }
  }

  function close() {
    card.remove();
    document.removeEventListener("keydown", escape);
    try {
      localStorage.setItem(KEY, "1");
    } catch { /* then it comes again with the next visit */ }
  }

  const escape = ({ key }) => key === "Escape" && !document.querySelector("dialog[open]") && close();
  if (known()) return;
  const step = (key) => make("li", {}, say(key));
  const card = make("section", { class: "welcome", "aria-labelledby": "welcome" },
    make("h2", { id: "welcome" }, say("welcome_title")),
    make("ol", {}, step("welcome_first"), step("welcome_second"), step("welcome_third")),
    make("button", { type: "button", onclick: close }, say("welcome_close")));
  document.addEventListener("keydown", escape);
  document.querySelector(".gradio-container").append(card);
});
