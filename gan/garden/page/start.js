// Read before all else, by every browser: the colors of the system, and a sentence where this page cannot work.
(function () {
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var choose = function () { document.documentElement.classList.toggle("dark", dark.matches); };
  choose();
  if (dark.addEventListener) dark.addEventListener("change", choose);
  var lacks = location.protocol === "file:" ? "garden_by_file"
    : typeof WebAssembly !== "object" || typeof Worker !== "function" || typeof CompressionStream !== "function" ? "garden_old_browser" : "";
  if (!lacks) return;
  document.addEventListener("DOMContentLoaded", function () {
    var text = window.FLOWERS.text, language = (navigator.language || "en").slice(0, 2), sentence = document.createElement("p");
    sentence.className = "notice";
    sentence.setAttribute("role", "alert");
    sentence.textContent = (text[language] || text.en)[lacks];
    document.getElementById("head").appendChild(sentence);
  });
})();
