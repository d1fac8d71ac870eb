// Photographs in, answers out, and what is known of the model: on a service's page, and in the studio.
import { ask, h, say } from "/static/shared/base.js";
import { Camera } from "/static/service/camera.js";
import { download, table } from "/static/service/csv.js";
import { Detail } from "/static/service/detail.js";
import { Grid } from "/static/service/grid.js";
import { MOST, leftOut, listen } from "/static/service/intake.js";
import { classWords, leadWords, showCard } from "/static/service/model_card.js";
import { WAITING, counted, things, told } from "/static/service/photos.js";
import { Sender } from "/static/service/sending.js";
import { Threshold } from "/static/service/threshold.js";

const place = (id) => document.getElementById(id);

let setting = null; // where the page stands, as `begin` was told
let models = [];
let about = null; // of the model that answers
let photos = [];
let former = []; // what was cleared
let filter = "all";
let began = 0; // when the present sending did, and how many were answered then
let before = 0;
let frame = 0;

const address = () => {
  const asked = new URL(setting.predict(about), location.href);
  asked.searchParams.set("top", about.classes.length);
  if (about.unknown) asked.searchParams.set("unknown", about.unknown.rate);
  return asked.href;
};

let detail = null;
let grid = null;
let threshold = null;

const answered = () => photos.reduce((sum, photo) => sum + Number(photo.state !== WAITING), 0);

const sender = new Sender(address, {
  rows: (some, rows) => {
    some.forEach((photo, at) => photo.take(rows[at], about));
    some.forEach(changed);
  },
  failed: (photo, why) => {
    photo.fail(why);
    changed(photo);
  },
  busy: (seconds) => say(`The service is busy; trying again in ${Math.ceil(seconds)} s.`),
  halted: (why) => {
    say(why || "Stopped.");
    refresh();
  },
  done: () => {
    say(summary());
    refresh();
  },
});

const changed = (photo) => {
  grid.update(photo);
  detail.refresh(photo);
  refreshSoon();
};

const summary = () => {
  const { all, answered: known, without } = counted(photos, threshold.value);
  const rest = without ? `, ${without.toLocaleString("en")} without an answer` : "";
  return `${things(all)}: ${known.toLocaleString("en")} answered${rest}.`;
};

/** Add what was found, and ask about it. */
const take = (found) => {
  const room = Math.max(0, MOST - photos.length);
  const more = found.photos.slice(0, room);
  const notes = [leftOut(found)];
  if (found.photos.length > room) notes.push(`The page takes ${things(MOST)}; for more, use manyheads predict.`);
  if (!more.length) {
    say(notes.join(" ").trim() || "No photographs there.");
    return;
  }
  former = [];
  if (!sender.left) {
    began = performance.now();
    before = answered();
  }
  photos.push(...more);
  say([`Asking about ${things(more.length)}.`, ...notes].join(" ").trim());
  sender.add(more.filter((photo) => photo.state === WAITING));
  refresh();
};

const clear = () => {
  sender.clear();
  detail.close();
  former = photos;
  photos = [];
  filter = "all";
  grid.clear();
  refresh();
  say(`${things(former.length)} cleared.`);
  place("pick-files").focus();
};

const bringBack = () => {
  const back = former;
  former = [];
  take({ photos: back, left: 0, unread: 0 });
  if (!sender.left) say(summary());
};

const save = () => {
  const rows = table(photos, about.classes, threshold.value);
  download(rows, `${about.name}-answers.csv`, "text/csv;charset=utf-8");
  say(`A table of ${things(photos.length)} was saved.`);
};

// ---- what is shown

const refreshSoon = () => { frame ||= requestAnimationFrame(() => refresh()); };

const refresh = () => {
  cancelAnimationFrame(frame);
  frame = 0;
  const hasAny = photos.length > 0;
  place("results").hidden = !hasAny;
  document.body.classList.toggle("busy", hasAny);
  const counts = counted(photos, threshold.value);
  showRunning();
  showFilters(counts);
  grid.show(photos, filter, threshold.value);
  place("none").hidden = !hasAny || grid.shown.length > 0;
  place("shown").textContent = hasAny ? shownWords(counts) : "";
};

const shownWords = (counts) => {
  const sure = counts.answered - counts.unsure - counts.unknown;
  const share = Math.round((100 * sure) / counts.answered);
  const answers = counts.answered
    ? `Here it answers for ${sure.toLocaleString("en")} of ${things(counts.answered)} (${share}\u00a0%).` : "";
  return filter === "all" ? answers : `${things(grid.shown.length)} shown. ${answers}`;
};

const progressWords = (done) => {
  const seconds = (performance.now() - began) / 1000;
  const rate = (done - before) / seconds;
  const words = `${done.toLocaleString("en")} of ${things(photos.length)} answered`;
  if (seconds < 2 || !(rate > 0)) return words;
  const left = Math.ceil((photos.length - done) / rate);
  const time = left < 90 ? `${left} s` : `${Math.ceil(left / 60)} min`;
  return `${words} · ${rate < 10 ? rate.toFixed(1) : Math.round(rate)} a second · about ${time} left`;
};

const running = {
  words: h("span", { class: "quiet number" }),
  stop: h("button", { type: "button", onclick: () => {
    sender.halt(`Stopped; ${things(photos.length - answered())} not asked about yet.`);
    running.goOn.focus();
  } }, "Stop"),
  goOn: h("button", { type: "button", class: "main", onclick: () => {
    began = performance.now();
    before = answered();
    say("");
    sender.goOn();
    refresh();
    running.stop.focus();
  } }, "Go on"),
  back: h("button", { type: "button", onclick: () => bringBack() }),
};

const showRunning = () => {
  const hadFocus = document.activeElement;
  const done = answered();
  const isLeft = done < photos.length;
  const bar = place("progress");
  bar.hidden = !isLeft;
  bar.max = photos.length || 1;
  bar.value = done;
  running.words.textContent = isLeft ? progressWords(done) : "";
  running.stop.hidden = !isLeft || sender.isHalted;
  running.goOn.hidden = !isLeft || !sender.isHalted;
  running.back.hidden = !former.length;
  running.back.textContent = former.length ? `Bring ${things(former.length)} back` : "";
  if (hadFocus?.hidden && place("running").contains(hadFocus)) place(photos.length ? "results-title" : "pick-files").focus();
};

const buttons = new Map(); // of filters

const showFilters = (counts) => {
  const wanted = [
    ["all", "All", counts.all], ["unknown", "unknown", counts.unknown], ["unsure", "unsure", counts.unsure], ["without", "without an answer", counts.without],
    ...[...counts.classes].map(([name, count]) => [`class ${name}`, name, count]),
  ];
  const present = new Map(wanted.map(([key, , count]) => [key, count]));
  for (const [key, words] of wanted) {
    if (buttons.has(key)) continue;
    const count = h("span", { class: "number quiet" });
    const button = h("button", { type: "button", onclick: () => { filter = key; refresh(); } }, words, " ", count);
    buttons.set(key, { button, count, isClass: key.startsWith("class ") });
  }
  for (const [key, { button, count }] of buttons) {
    const there = present.get(key) ?? 0;
    count.textContent = there.toLocaleString("en");
    button.hidden = !there && key !== filter && key !== "all";
    button.setAttribute("aria-pressed", String(key === filter));
  }
  const rank = (key) => (key.startsWith("class ") ? 4 + about.classes.indexOf(key.slice(6)) : ["all", "unknown", "unsure", "without"].indexOf(key));
  const order = [...buttons.keys()].sort((a, b) => rank(a) - rank(b)).map((key) => buttons.get(key).button);
  order.forEach((button, at) => {
    const row = place("filters");
    if (row.children[at] !== button) row.insertBefore(button, row.children[at] ?? null);
  });
};

// ---- which model

const use = (name) => {
  about = models.find((each) => each.name === name);
  setting.shown(about);
  place("lead").textContent = leadWords(about);
  place("classes").textContent = classWords(about.classes);
  grid.classes = about.classes;
  place("grid").classList.toggle("several", Boolean(about.thresholds));
  buttons.clear();
  place("filters").replaceChildren();
  filter = "all";
  if (!about.unknown) told.unknown = false;
  threshold.show(about);
  showCard(place("about-model"), about, setting.program ? new URL(setting.predict(about), location.href).href : null);
  for (const id of ["intake", "about"]) place(id).hidden = false;
};

/** Ask another model about the same photographs. */
const change = (name) => {
  sender.clear();
  detail.close();
  former = [];
  photos.forEach((photo) => photo.forget());
  grid.clear();
  use(name);
  const again = photos;
  photos = [];
  if (again.length) take({ photos: again, left: 0, unread: 0 });
  refresh();
};

const start = async (signal) => {
  say(setting.opening);
  place("running").replaceChildren();
  try {
    const answer = await ask(setting.models, undefined, { signal });
    if (signal.aborted) return;
    ({ models } = answer);
  } catch (error) {
    if (signal.aborted) return;
    say(error.message);
    place("running").replaceChildren(h("button", { type: "button", onclick: () => start(signal) }, "Try again"));
    return;
  }
  say("");
  if (!models.length) {
    say("This service has no model.");
    return;
  }
  place("running").replaceChildren(running.words, running.stop, running.goOn, running.back);
  const which = place("which");
  which.replaceChildren(...models.map(({ name }) => h("option", { value: name }, name)));
  which.addEventListener("change", () => change(which.value));
  place("choose").hidden = models.length < 2;
  place("actions").replaceChildren(
    h("button", { type: "button", onclick: save }, "Download CSV"),
    h("button", { type: "button", onclick: clear }, "Clear all"),
  );
  use(models[0].name);
  refresh();
  listen(take, signal);
};

/**
 * Let the places of index.html work, wherever they stand; one page at a time does. `models` is the address that
 * tells of the models, `predict(about)` the address where one is asked, and `program` says whether programs
 * may ask there too. `shown(about)` hears which model answers, `opening` is said while models are opened.
 * Returns what ends it: nothing is heard and sent any more.
 */
export const begin = ({ models: known, predict, program = false, shown = () => {}, opening = "" }) => {
  const ended = new AbortController();
  const { signal } = ended;
  setting = { models: known, predict, program, shown, opening };
  [photos, former, filter] = [[], [], "all"];
  told.unknown = false;
  detail = new Detail(place("detail"), () => grid.shown, (photo) => grid.focus(photo), signal);
  grid = new Grid(place("grid"), (photo) =>
    detail.open(photo, { about, address: address(), threshold: threshold.value }));
  threshold = new Threshold(place("threshold"), (value) => {
    grid.updateAll(value);
    refresh();
  });
  const camera = new Camera((photo) => { if (!signal.aborted) take({ photos: [photo], left: 0, unread: 0 }); }, signal);
  start(signal);
  return () => {
    ended.abort();
    cancelAnimationFrame(frame);
    frame = 0;
    sender.clear();
    detail.close();
    camera.close();
    grid.clear();
    [photos, former] = [[], []];
    document.body.classList.remove("busy");
  };
};
