// What is known of a model: what it was trained on, what to expect of it, and its limits.
import { command, h } from "/static/shared/base.js";
import { percent, things } from "/static/service/photos.js";

const SHOWN = 12; // classes named at the top of the page
const ROWS = 30; // of the table of classes before it is folded

const OTHER_SCORES = [["balanced_accuracy", "balanced accuracy"], ["macro_f1", "macro F1"]]; // that may select

const number = (value) => value.toLocaleString("en");

/** `95 % interval 80.3 to 88.1 %`; "" if there is none. */
const shareInterval = ({ low, high }) => {
  if (typeof low !== "number" || typeof high !== "number") return "";
  return `95\u00a0% interval ${percent(low).slice(0, -2)} to ${percent(high)}`;
};

/** `84.6 % (95 % interval 80.3 to 88.1 %)`. */
const share = (score) => {
  const interval = shareInterval(score);
  return `${percent(score.value)}${interval ? ` (${interval})` : ""}`;
};

const lossInterval = ({ low, high }) => {
  if (typeof low !== "number" || typeof high !== "number") return "";
  return `95\u00a0% interval ${low.toFixed(3)} to ${high.toFixed(3)}`;
};

const isKnown = (score) => typeof score?.value === "number";

/** What the model does and how well, in a sentence. */
export const leadWords = (about) => {
  const several = Boolean(about.thresholds);
  const does = several
    ? `It says which of ${things(about.classes.length, "label")} a photograph has`
    : `It tells ${things(about.classes.length, "class").replace("classs", "classes")} apart`;
  const of = several ? "of all labels in" : "of";
  const { test, expect } = about;
  if (isKnown(test?.accuracy)) return `${does} and was right on ${share(test.accuracy)} ${of} ${things(test.images, "test image")}.`;
  if (!isKnown(expect?.accuracy)) return `${does}; how often it is right is not known here.`;
  if (/^new images/.test(expect.on ?? "")) return `${does} and should be right on about ${share(expect.accuracy)} ${of} ${expect.on}.`;
  return `${does}. It was right on ${share(expect.accuracy)} ${of} ${expect.on ?? "held-out images"}.`;
};

/** The classes in words: all, or the first of many. */
export const classWords = (classes) => {
  const more = classes.length > SHOWN ? ` and ${number(classes.length - SHOWN)} more` : "";
  return `${classes.slice(0, SHOWN).join(", ")}${more}.`;
};

const fact = (name, value, ...words) =>
  h("div", {}, h("dt", {}, name), h("dd", {}, value),
    words.filter(Boolean).map((line) => h("dd", { class: "quiet small" }, line)));

const facts = (about) => {
  const { data, expect, test, made } = about;
  const all = [];
  if (data?.name || data?.images) {
    const splits = Object.entries(data.splits ?? {});
    const parts = splits.map(([name, { images }]) => `${name} ${number(images)}`).join(", ");
    const words = splits.length === 1 ? splits[0][0] : parts;
    all.push(fact("Trained on", data.name || "–", data.images ? things(data.images, "image") : "", words));
  }
  if (isKnown(expect?.accuracy)) all.push(fact("Expected accuracy", percent(expect.accuracy.value), shareInterval(expect.accuracy), `on ${expect.on}`));
  if (isKnown(expect?.log_loss)) {
    const guess = Math.log(about.thresholds ? 2 : about.classes.length).toFixed(2);
    all.push(fact("Expected log loss", expect.log_loss.value.toFixed(3), lossInterval(expect.log_loss), `in nats: 0 is perfect, ${guess} is guessing`));
  }
  for (const [name, words] of OTHER_SCORES) {
    if (isKnown(expect?.[name])) all.push(fact(`Expected ${words}`, percent(expect[name].value), shareInterval(expect[name]), `on ${expect.on}`));
  }
  if (test) {
    all.push(fact("On the test images", isKnown(test.accuracy) ? percent(test.accuracy.value) : "–",
      isKnown(test.accuracy) ? shareInterval(test.accuracy) : "", `${things(test.images, "image")}, opened${test.date ? ` on ${test.date}` : ""}`));
  } else {
    all.push(fact("On test images", "not measured", "manyheads test measures it, once"));
  }
  if (about.backbone) all.push(fact("Backbone", about.backbone, about.licence ? `weights under ${about.licence}` : ""));
  if (about.image) all.push(fact("Sees", `${about.image.size} × ${about.image.size} pixels`, about.image.words?.split(", ").slice(1).join(", ")));
  if (made?.date || made?.version) all.push(fact("Made", made.date || "–", made.version ? `with manyheads ${made.version}` : ""));
  return h("dl", { class: "facts" }, all);
};

/** A score as `0.83 (0.78 to 0.87)`. */
const scoreWords = (score) => {
  if (!isKnown(score)) return "–";
  const interval = typeof score.low === "number" ? ` (${score.low.toFixed(2)} to ${score.high.toFixed(2)})` : "";
  return `${score.value.toFixed(2)}${interval}`;
};

const folded = (table, rows, noun) => (rows.length <= ROWS ? table
  : h("details", {}, h("summary", {}, `All ${number(rows.length)} ${noun}`), table));

const labelTable = (about, splits) => {
  const titles = [...splits.map(([name]) => name), "average precision", "F1", "threshold"];
  const rows = about.labels.map(({ label, average_precision: precision, f1 }) => {
    const counts = splits.map(([, { classes }]) => number(Object.hasOwn(classes, label) ? classes[label] : 0));
    const cells = [...counts, scoreWords(precision), scoreWords(f1), percent(about.thresholds[about.classes.indexOf(label)])];
    return h("tr", {}, h("th", { scope: "row" }, label), cells.map((cell) => h("td", { class: "number" }, cell)));
  });
  const words = "Images with each label; its average precision and F1 on held-out images, with 95 % intervals; and the probability above which it is said";
  return folded(h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Labels" },
    h("table", {}, h("caption", {}, words),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "label"), titles.map((title) => h("th", { scope: "col", class: "number" }, title)))),
      h("tbody", {}, rows))), rows, "labels");
};

const classTable = (about) => {
  const splits = Object.entries(about.data?.splits ?? {});
  if (about.labels) return labelTable(about, splits);
  const recalls = new Map((about.recalls ?? []).map((each) => [each.class, each]));
  if (!splits.length && !recalls.size) return null;
  const head = h("tr", {}, h("th", { scope: "col" }, "class"),
    splits.map(([name]) => h("th", { scope: "col", class: "number" }, name)),
    recalls.size ? h("th", { scope: "col", class: "number" }, "recognised") : null,
    recalls.size ? h("th", { scope: "col" }, "95 % interval") : null);
  const rows = about.classes.map((name) => {
    const recall = recalls.get(name);
    const isMeasured = isKnown(recall);
    return h("tr", {}, h("th", { scope: "row" }, name),
      splits.map(([, { classes }]) => h("td", { class: "number" }, number(Object.hasOwn(classes, name) ? classes[name] : 0))),
      recalls.size ? h("td", { class: "number" }, isMeasured ? percent(recall.value, 0) : "–") : null,
      recalls.size ? h("td", {}, isMeasured && typeof recall.low === "number" ? `${percent(recall.low, 0).slice(0, -2)} to ${percent(recall.high, 0)}` : "") : null);
  });
  const words = recalls.size
    ? "Images of each class, and the share of a class's held-out images that the model recognises" : "Images of each class";
  const table = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Classes" },
    h("table", {}, h("caption", {}, words), h("thead", {}, head), h("tbody", {}, rows)));
  return folded(table, rows, "classes");
};

const limits = (about) => {
  const lines = [
    about.thresholds
      ? "It knows no other labels than these, whatever a photograph shows, and confidence can be high on what it has never seen."
      : "It answers with one of these classes whatever a photograph shows, and confidence can be high on what it has never seen.",
    ...(about.image ? [`It sees each photograph at ${about.image.size} × ${about.image.size} pixels; what is small in a large photograph may be lost.`] : []),
    ...(about.warnings ?? []),
  ];
  return [h("h3", {}, "Limits"), h("ul", {}, lines.map((line) => h("li", {}, line)))];
};

const fromProgram = (address) => [
  h("h3", {}, "The same from a program"),
  command(`curl -F image=@photo.jpg '${address}'`),
  h("p", { class: "quiet" }, "Folders of any size, from a terminal, with MODEL as this service was given it:"),
  command("manyheads predict MODEL FOLDER --out answers.csv"),
];

/** Fill `place` with all that is known; `address` is where a program asks, or null. */
export const showCard = (place, about, address) => {
  const table = classTable(about);
  place.replaceChildren(
    facts(about),
    ...(table ? [h("h3", {}, about.thresholds ? "Labels" : "Classes"), table] : []),
    ...limits(about),
    ...(address ? fromProgram(address) : []),
  );
};
