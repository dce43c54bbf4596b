// A survey: one picture after another in an order of this visitor's own, two buttons, and a JSON file at the end.
// SURVEY stands before this script. Nothing is kept and nothing is sent.
"use strict";
const $ = (id) => document.getElementById(id);
const LANGUAGES = Object.keys(SURVEY.text.title);
let language = navigator.languages.map((one) => one.split("-")[0]).find((one) => LANGUAGES.includes(one)) ?? LANGUAGES[0];
const say = (key, values = {}) => SURVEY.text[key][language].replace(/\{(\w+)\}/g, (_, name) => values[name]);

const random = (below) => Math.floor(crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32 * below);
const order = SURVEY.pictures.map((_, number) => number);
for (let end = order.length - 1; end > 0; end--) {
  const other = random(end + 1);
  [order[end], order[other]] = [order[other], order[end]];
}
const sheet = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const answers = [];
let since = 0, part = "begin";
const UNSEEN = 250;  // ms in which nobody has seen a picture yet: the second half of a double click is no answer to it

function write() {
  const other = LANGUAGES.find((one) => one !== language);
  document.documentElement.lang = language;
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text, { count: order.length });
  for (const answer of SURVEY.answers) $(answer).textContent = say(answer);
  $("tongue").textContent = SURVEY.text.tongue[other];
  $("tongue").lang = other;
  if (part === "ask") show(false);
}

function turn(to) {
  part = to;
  for (const id of ["begin", "ask", "end"]) $(id).hidden = id !== to;
}

function show(fresh = true) {
  const done = answers.length;
  if (done === order.length) return finish();
  $("count").textContent = say("count", { number: done + 1, count: order.length });
  $("bar").max = order.length;
  $("bar").value = done;
  $("bar").setAttribute("aria-label", say("progress"));
  $("back").disabled = done === 0;
  $("picture").src = SURVEY.pictures[order[done]];
  $("picture").alt = say("alt", { number: done + 1 });
  if (fresh) since = performance.now();
}

function choose(answer) {
  if (part !== "ask" || performance.now() - since < UNSEEN) return;
  answers.push({ picture: order[answers.length], answer, milliseconds: Math.round(performance.now() - since) });
  show();
}

function finish() {
  turn("end");
  $("sheet").value = JSON.stringify({ format: SURVEY.format, survey: SURVEY.survey, sheet, language, answers });
  document.querySelector("#end h2").focus();
}

$("start").onclick = () => { turn("ask"); show(); $("photo").focus({ focusVisible: false }); };
for (const answer of SURVEY.answers) $(answer).onclick = () => choose(answer);
$("back").onclick = () => { answers.pop(); show(); };
$("tongue").onclick = () => { language = $("tongue").lang; write(); };
$("save").onclick = () => {
  const address = URL.createObjectURL(new Blob([$("sheet").value], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: `answers-${SURVEY.survey}-${sheet}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
};
$("copy").onclick = async () => {
  $("sheet").select();
  try {
    await navigator.clipboard.writeText($("sheet").value);
    $("copied").textContent = say("copied");
  } catch {
    $("copied").textContent = say("by_hand");
  }
};
document.addEventListener("keydown", (event) => {
  if (part !== "ask" || event.repeat || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "1" || event.key === "2") choose(SURVEY.answers[event.key - 1]);
  if (event.key === "Backspace" && answers.length) { answers.pop(); show(); }
});
write();
