// Understand: what a finished run found, the images it gets wrong, and labels that look wrong.
import { ask, command, h, percent, Refused, say } from "/static/shared/base.js";
import { panelFigure } from "/static/studio/panel.js";
import { styled } from "/static/studio/part_styles.js";
import { enlarge, fileName, pager, PictureGrid } from "/static/studio/picture_grid.js";

const PAGE = 24;
const POLL = 700; // milliseconds

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const link = (run) => `#understand/${encodeURIComponent(run)}`;
const titled = (id, title, ...nodes) => h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...nodes);

export const show = async (main, words) => {
  styled("/static/studio/data.css");
  styled("/static/studio/understand.css");
  const run = words[0];
  let timer = 0;
  let left = false;
  if (!run) { await list(main); return null; }
  const body = h("div");
  main.append(h("h1", {}, "Understand ", h("bdi", {}, run)), body);
  const refresh = async () => {
    const answer = await ask(`/api/understand/run?${new URLSearchParams({ run })}`);
    if (left) return;
    if (answer.found) { await told(body, run, answer.found); return; }
    const what = answer.task.progress?.step ?? answer.task.what;
    body.replaceChildren(h("p", {}, `${what}…`), h("progress", { "aria-label": what }));
    timer = setTimeout(() => refresh().catch(refused), POLL);
  };
  const refused = (error) => {
    if (!(error instanceof Refused)) throw error;
    body.replaceChildren(h("p", { class: "alert" }, error.message));
  };
  await refresh().catch(refused);
  return () => { left = true; clearTimeout(timer); };
};

/** All runs of the place, as links. */
const list = async (main) => {
  const { runs } = await ask("/api/understand/runs");
  main.append(h("h1", {}, "Understand"));
  if (!runs.length) { main.append(h("p", {}, "There is no run here yet: begin one under ", h("a", { href: "#runs" }, "Runs"), ".")); return; }
  main.append(h("p", {}, "Which run?"), h("ul", { class: "choices" }, ...runs.map((run) => h("li", {}, h("a", { href: link(run) }, h("bdi", {}, run))))));
};

const told = async (body, run, found) => {
  const fact = (title, value, meaning) => h("div", {}, h("dt", {}, title), h("dd", {}, value), meaning ? h("dd", { class: "meaning quiet" }, meaning) : null);
  const [first, ...rest] = found.answer;
  body.replaceChildren(
    h("p", { class: "lead" }, first),
    ...rest.map((each) => h("p", {}, each)),
    h("dl", { class: "facts" },
      ...found.expected.map((each) => fact(`Expected ${each.metric}`, each.words, found.expected_words)),
      fact("Held-out images", found.images.toLocaleString("en"), found.measured_on),
      fact("Of these wrong", `${found.wrong.toLocaleString("en")} (${percent(found.wrong / found.images)})`, `by ${found.answered_by}`)),
    mistakes(run, found),
    helped(run),
    ...(found.backbones ? [backbones(found.backbones)] : []),
    titled("calibration", "Calibration", h("p", { class: "quiet" }, "Is “90 % sure” right nine times in ten? Points on the dashed line would be."),
      h("div", { class: "panels" }, ...found.panels.map(panelFigure)), ...[found.calibration, found.risk].filter(Boolean).map((each) => h("p", {}, each))),
    titled("verdict", "Verdict", ...found.verdict.map((each) => h("p", {}, each)), ...(found.comparisons.length ? [comparisons(found.comparisons)] : []), ...found.tables.map(table)),
    titled("more", "More", h("p", {}, h("a", { href: `#use/${encodeURIComponent(run)}` }, "Use the model"), " · ", h("a", { href: link("") }, "Other runs")),
      ...(found.kind === "study" ? [command(`manyheads report ${quoted(run)}`)] : []), command(found.test)));
};

const quoted = (text) => /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\"'\"'")}'`;

const table = (what) => h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": what.caption || "Table" }, h("table", {}, h("caption", {}, what.caption),
  h("thead", {}, h("tr", {}, ...what.columns.map((each) => h("th", { scope: "col", class: each.number ? "number" : "" }, each.title)))),
  h("tbody", {}, ...what.rows.map((row) => h("tr", {}, ...row.map((cell, place) => h("td", { class: what.columns[place].number ? "number" : "" }, cell)))))));

/** What accuracy costs, where several backbones were tried. */
const backbones = ({ sentences, panels, caption, tables }) => titled("backbones", "Accuracy and cost", ...sentences.map((each) => h("p", {}, each)),
  ...(panels.length ? [h("div", { class: "panels" }, ...panels.map(panelFigure)), h("p", { class: "quiet" }, caption)] : []), ...tables.map(table));

const comparisons = (entries) => h("details", {}, h("summary", {}, `All ${count(entries.length, "comparison")}`),
  table({ caption: "First less second, with the adjusted 95 % interval", columns: ["first", "second", "metric", "difference", "outcome"].map((title) => ({ title, number: title === "difference" })),
    rows: entries.map((each) => [each.first, each.second, each.metric, each.difference, each.outcome]) }));

/** The confusion matrix and the images of one of its cells, or all wrong ones. */
const mistakes = (run, found) => {
  let cell = null;
  let start = 0;
  const title = h("h3", { id: "shown", tabindex: "-1" });
  const pages = h("div");
  const notes = h("div");
  const address = (item, size) => `/api/understand/pictures/${item.image}?${new URLSearchParams({ run, size })}`;
  const state = (item) => item.out ? "left out by now" : item.now && item.now !== item.label ? `labelled ${item.now} by now` : "";

  const doubt = async (items, kind, value) => {
    for (const item of items) {
      try {
        const answer = await ask("/api/understand/decide", { run, image: item.image, kind, value: value(item) });
        say(answer.said);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        say(error.message);
        return;
      }
    }
    await reload();
  };
  const grid = new PictureGrid({
    label: "Images", address: (item) => address(item, 192),
    name: (item) => `${item.name}: ${item.label} ${percent(item.given)}, taken for ${item.predicted} ${percent(item.confidence)} ${state(item)}`,
    caption: (item) => [
      h("p", {}, h("bdi", {}, item.label), ` ${percent(item.given)}`), item.label === item.predicted ? "" : h("p", {}, "→ ", h("bdi", {}, item.predicted), ` ${percent(item.confidence)}`),
      item.doubtful ? h("span", { class: "chip" }, "label doubtful") : "", state(item) ? h("p", { class: "decided" }, state(item)) : "",
      fileName(item.name)],
    onSelect: (chosen) => { bar.querySelector(".count").textContent = `${chosen.length} selected`; },
    onOpen: (item) => look(item),
    onKey: (key, items) => {
      if (!items.length) return false;
      if (key === "s") doubt(items, "relabel", (item) => item.predicted);
      else if (key === "x") doubt(items, "leave out", () => "");
      else if (key === "g") doubt(items, "as given", () => "");
      else return false;
      return true;
    },
  });

  const look = (item) => {
    const where = h("div", { class: "looks", role: "status" }, h("p", { class: "quiet" }, "Where did the model look? It is asked…"));
    enlarge(address(item, 480), item.name,
      h("p", {}, "Labelled ", h("bdi", {}, item.label), ` (${percent(item.given)}), taken for `, h("bdi", {}, item.predicted), ` (${percent(item.confidence)}).`), where);
    ask(`/api/understand/pictures/${item.image}/explanation?${new URLSearchParams({ run })}`).then(
      (seen) => where.replaceChildren(
        h("div", { class: "sides" }, h("img", { src: seen.picture, alt: "What the model saw" }), h("img", { src: seen.overlay, alt: `Where it looked for ${seen.label}` })),
        h("p", {}, seen.words), h("p", { class: "quiet" }, `The model itself answers ${seen.label} (${percent(seen.confidence)}).${found.folds ? " It was trained on this image too; what is said above was not." : ""}`)),
      (error) => where.replaceChildren(h("p", { class: "alert" }, error.message)));
  };

  const names = `labels-${Math.random().toString(36).slice(2)}`;
  const field = h("input", { type: "text", list: names, placeholder: "class, or a new name", "aria-label": "Right class", autocomplete: "off" });
  const button = (words, act) => h("button", { type: "button", onclick: () => (grid.meant.length ? act(grid.meant) : say("Select images first.")) }, words);
  const relabel = (items) => field.value.trim() ? doubt(items, "relabel", () => field.value.trim()) : (field.focus(), say("Name the right class first."));
  const bar = h("div", { class: "controls actions", role: "group", "aria-label": "The label looks wrong" },
    h("output", { class: "count" }, "0 selected"), button("Where it looked", (items) => look(items[0])), button("Label as predicted", (items) => doubt(items, "relabel", (item) => item.predicted)),
    h("span", { class: "pair" }, field, h("datalist", { id: names }, ...found.classes.map((value) => h("option", { value }))), button("Relabel", relabel)),
    button("Leave out", (items) => doubt(items, "leave out", () => "")), button("As given", (items) => doubt(items, "as given", () => "")));

  let asked = 0;
  const reload = async () => {
    const mine = ++asked;
    const query = new URLSearchParams({ run, start, count: PAGE });
    if (cell) { query.set("label", cell[0]); query.set("answer", cell[1]); }
    const answer = await ask(`/api/understand/images?${query}`);
    if (mine !== asked) return; // others were asked for meanwhile
    const what = !cell ? "Wrong images, the most confident first" : cell[0] === cell[1] ? `${cell[0]}, recognised` : `${cell[0]} taken for ${cell[1]}`;
    title.textContent = `${what}: ${answer.total.toLocaleString("en")}`;
    grid.show(answer.images);
    pages.replaceChildren(pager(start, PAGE, answer.total, (to) => { start = to; reload(); }));
    bar.hidden = !answer.total;
  };
  const open = async (to) => { cell = to; start = 0; await reload(); title.focus(); title.scrollIntoView({ block: "nearest" }); };

  notes.append(...(found.pictures ? [] : [h("p", { class: "alert" }, "The files of these images are not where they were: there are no pictures.")]),
    ...(found.known < found.images ? [h("p", { class: "quiet" }, found.open === null ? "Labels can be changed here once the data are open. " : `${count(found.known, "image")} of these are in the open data, ${found.open}. `,
      found.data && found.data !== found.open ? h("button", { type: "button", onclick: async () => { await ask("/api/data/open", { name: found.data }); say(`${found.data} is open.`); notes.replaceChildren(); } }, `Open ${found.data}`) : "")] : []));
  const section = titled("mistakes", "Mistakes", h("p", {}, `Rows are labels, columns answers; a cell opens its images. ${found.confusion.of > found.confusion.classes.length ? `Of ${found.confusion.of} classes, the most confused are shown.` : ""}`),
    matrix(found.confusion, open), h("p", {}, h("button", { type: "button", onclick: () => open(null) }, "All wrong images")), notes, title, grid.node, bar, pages,
    h("p", { class: "quiet" }, "Enter or a double click shows an image in large, and where the model looked. Keys: s labels it as predicted, x leaves it out, g is as given. What you decide is listed under ", h("a", { href: "#data" }, "Data"), "."));
  reload();
  return section;
};

const matrix = (confusion, open) => h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Confusion matrix" }, h("table", { class: "confusion" },
  h("caption", {}, "Images of a label (row) by the answer (column)"),
  h("thead", {}, h("tr", {}, h("td"), ...confusion.classes.map((name) => h("th", { scope: "col", class: "answer" }, h("span", {}, h("bdi", {}, name)))))),
  h("tbody", {}, ...confusion.classes.map((label, row) => h("tr", {}, h("th", { scope: "row" }, h("bdi", {}, label)), ...confusion.classes.map((answer, column) => {
    const images = confusion.counts[row][column];
    if (!images) return h("td", { class: "none" }, "·");
    const td = h("td", { class: row === column ? "right" : "" }, h("button", { type: "button", "aria-label": `${label} taken for ${answer}: ${count(images, "image")}`, onclick: () => open([label, answer]) }, images.toLocaleString("en")));
    td.style.setProperty("--share", String(images / Math.max(1, confusion.totals[row])));
    return td;
  }))))));

/** Whether relabelling helped: another run beside this one, by the labels of the later. */
const helped = (run) => {
  const before = h("select", { "aria-label": "Earlier run" });
  const after = h("select", { "aria-label": "Later run" });
  const answer = h("div", { role: "status" });
  const compare = async () => {
    answer.replaceChildren(h("p", {}, "Comparing…"));
    try {
      const found = await ask(`/api/understand/compare?${new URLSearchParams({ a: before.value, b: after.value })}`);
      const [first, ...rest] = found.sentences;
      answer.replaceChildren(h("p", { class: "lead" }, first), ...rest.map((each) => h("p", {}, each)),
        ...(found.command ? [h("p", { class: "quiet" }, "This command compares the images whose labels are the same in both:"), command(found.command)] : []));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      answer.replaceChildren(h("p", { class: "alert" }, error.message));
    }
  };
  const section = titled("helped", "Did relabelling help?",
    h("p", {}, "Both runs are judged on the images that both held out, by the labels of the later run. Images whose labels were changed are reported apart: judging on labels that a model helped to choose favours the model."),
    h("div", { class: "controls" }, before, h("span", {}, "before,"), after, h("span", {}, "after"), h("button", { type: "button", onclick: compare }, "Compare")), answer);
  ask("/api/understand/runs").then(({ runs }) => {
    const others = runs.filter((each) => each !== run);
    section.hidden = !others.length;
    for (const select of [before, after]) select.replaceChildren(...runs.map((each) => h("option", {}, each)));
    if (others.length) { before.value = others[0]; after.value = run; }
    // The run that is listed first changed last.
    if (others.length && runs.indexOf(run) > runs.indexOf(others[0])) { before.value = run; after.value = others[0]; }
  }, () => { section.hidden = true; });
  return section;
};
