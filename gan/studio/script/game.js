// The game tab: four pictures cut out of one file, a choice that the server checks, and a score that this browser keeps.
{
// The way to the server and back; its element may be there before the stage is, or after it.
const bench = { send() {}, judged() {}, done() {} };
flowers.kit.referee = (box, watch, submit) => {
  bench.send = (letter) => { box.value = letter; submit(); };
  watch("value", () => box.value?.item && bench.judged(box.value));
};
flowers.kit.refereed = () => bench.done();

flowers.stages.game = (element, props, watch) => {
  "use strict";
  const { classes, make, remember, say, size, save, showFlower, title } = flowers.kit;
  const KEY = "flowers-game", MOST = 5000, ENOUGH = 10;
  const COLUMNS = ["model", "revision", "round", "class", "seed", "truncation", "choice", "drawn", "right", "milliseconds"];
  const place = element.querySelector(".game");
  const source = make("img", { alt: "", hidden: "" });
  const question = make("h3"), verdict = make("p", { class: "verdict", role: "status" });
  const cards = [0, 1, 2, 3].map((number) => {
    const canvas = make("canvas", { width: size, height: size, "aria-hidden": "true" }), badge = make("span", { class: "badge" });
    const button = make("button", { type: "button", onclick: () => choose(number) }, canvas, badge);
    return { button, badge, pen: canvas.getContext("2d") };
  });
  const button = (key, action) => make("button", { type: "button", onclick: action }, say(key));
  const next = button("game_next", () => document.getElementById("game-next").click());
  const large = button("game_show", () => showFlower(answer.item));
  const board = make("section", { class: "score" });
  const off = make("p", { class: "none" });
  const field = make("div", { class: "four", role: "group", "aria-label": say("game_pictures") }, ...cards.map((card) => card.button));
  const after = make("div", { class: "after" }, next, large);
  place.append(off, question, field, verdict, after, board, source);
  let round = null, answer = null, waiting = false, since = 0;

  // -------------------------------------------------------------------------------------------------- the answers kept

  const fits = (one) => one && COLUMNS.every((key) => key in one) && typeof one.right === "boolean";
  let kept = null; // where the browser keeps nothing for us, they last as long as the page
  function answers() {
    if (kept) return kept;
    try {
      const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
      return Array.isArray(found) ? found.filter(fits) : [];
    } catch {
      return [];
    }
  }
  function keep(all) {
    try {
      localStorage.setItem(KEY, JSON.stringify(all.slice(-MOST)));
      kept = null;
    } catch {
      kept = all;
    }
  }
  const ours = () => answers().filter((one) => one.model === round.model && one.revision === round.revision);

  // Wilson 1927: where a share lies with 95 % confidence.
  function interval(right, count) {
    const z = 1.96, share = right / count, scale = 1 + z * z / count;
    const middle = (share + z * z / (2 * count)) / scale;
    const half = z * Math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / scale;
    return [middle - half, middle + half].map((end) => Math.round(100 * Math.min(1, Math.max(0, end))));
  }

  function streaks(all) {
    let now = 0, best = 0;
    for (const one of all) best = Math.max(best, now = one.right ? now + 1 : 0);
    return { now, best };
  }

  function score() {
    const all = ours(), right = all.filter((one) => one.right).length, count = all.length;
    const [low, high] = count ? interval(right, count) : [];
    const reset = make("button", { type: "button", onclick: () => {
      if (reset.dataset.sure) { keep(answers().filter((one) => !all.some((mine) => mine.model === one.model && mine.revision === one.revision))); score(); }
      else { reset.dataset.sure = "yes"; reset.textContent = say("game_really", { count }); }
    } }, say("game_reset"));
    const rows = classes.length > 1 ? classes.map((name) => [name, all.filter((one) => one.class === name)]).filter(([, some]) => some.length) : [];
    board.replaceChildren(make("h3", {}, say("game_score")), ...(count ? [
      make("p", {}, say("game_share", { right, count, share: Math.round(100 * right / count) }), ...(count >= ENOUGH ? [" ", say("game_interval", { low, high })] : [])),
      make("p", {}, say("game_streak", streaks(all))),
      make("dl", {}, ...rows.flatMap(([name, some]) => [make("dt", {}, title(name)),
        make("dd", {}, say("game_of", { right: some.filter((one) => one.right).length, count: some.length }))])),
      make("div", { class: "keeps" }, button("game_csv", () => hand("csv", csv(all))), button("game_json", () => hand("json", JSON.stringify(all, null, 1))), reset),
    ] : [make("p", {}, say("game_none"))]));
  }

  const cell = (value) => typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : String(value ?? "");
  const csv = (all) => [COLUMNS, ...all.map((one) => COLUMNS.map((key) => one[key]))].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  function hand(kind, content) {
    const url = URL.createObjectURL(new Blob([content], { type: kind === "csv" ? "text/csv" : "application/json" }));
    save({ url, orig_name: `real-or-not.${kind}` });
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  // --------------------------------------------------------------------------------------------------------- a round

  bench.judged = judged;
  bench.done = () => { waiting = false; paint(); };

  function choose(choice) {
    if (!round?.sheet || answer || waiting || !since) return;
    waiting = true;
    round.choice = choice;
    round.milliseconds = Math.round(performance.now() - since);
    paint();
    bench.send({ ...round.asked, choice });
  }

  function judged(found) {
    if (answer || found.tag !== round?.asked?.tag) return; // of a round that was left meanwhile
    answer = found;
    const { item } = found, all = answers();
    const one = {
      model: round.model, revision: round.revision, round: round.asked.round, class: item.class, seed: item.seed,
      truncation: item.truncation ?? null, choice: found.choice + 1, drawn: found.place + 1, right: found.right, milliseconds: round.milliseconds,
    };
    const same = (other) => ["model", "revision", "round", "class", "seed", "truncation"].every((key) => other[key] === one[key]);
    answer.again = all.some(same);
    if (!answer.again) keep([...all, one]);
    paint();
    score();
  }

  function paint() {
    const said = !answer ? [] : [say(answer.right ? "game_right" : "game_wrong", { place: answer.place + 1 }), answer.again ? say("game_again") : ""];
    verdict.textContent = said.join(" ");
    verdict.classList.toggle("right", Boolean(answer?.right));
    after.classList.toggle("ready", Boolean(answer));
    field.classList.toggle("done", Boolean(answer));
    cards.forEach(({ button: one, badge }, number) => {
      const drawn = answer?.place === number;
      one.classList.toggle("drawn", drawn);
      one.classList.toggle("chosen", (answer?.choice ?? (waiting ? round.choice : -1)) === number);
      one.setAttribute("aria-disabled", String(Boolean(answer || waiting)));
      badge.textContent = answer ? say(drawn ? "game_drawn" : "game_photo") : String(number + 1);
      one.setAttribute("aria-label", say("game_picture", { number: number + 1 }) + (answer ? `: ${badge.textContent}` : ""));
    });
  }

  async function draw() {
    const value = props.value || {};
    place.classList.toggle("empty", !value.sheet && !value.off);
    place.classList.toggle("off", Boolean(value.off));
    off.textContent = value.off ?? "";
    if (value.address) remember(value.address);
    [round, answer, since] = [{ ...value }, null, 0];
    paint();
    if (!value.sheet) return;
    question.textContent = classes.length > 1 ? say("game_which", { class: title(value.class) }) : say("game_which_plain");
    score();
    source.src = value.sheet;
    await source.decode().catch(() => {});
    if (round.sheet !== value.sheet) return; // another round came meanwhile
    cards.forEach(({ pen }, number) => pen.drawImage(source, number * size, 0, size, size, 0, 0, size, size));
    since = performance.now();
  }

  document.addEventListener("keydown", (event) => {
    const number = ["1", "2", "3", "4"].indexOf(event.key);
    if (number < 0 || event.repeat || event.ctrlKey || event.metaKey || event.altKey || !field.offsetParent) return;
    if (event.target.matches?.("textarea, select, input:not([type=range], [type=radio], [type=checkbox])") || document.querySelector("dialog[open]")) return;
    choose(number);
  });

  draw();
  watch("value", draw);
};
}
