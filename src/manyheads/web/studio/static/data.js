// Data: open a folder or a manifest, see what is in it, and decide about its images.
import { ask, command, h, percent, Refused, say } from "/static/shared/base.js";
import { checkPart } from "/static/studio/check_part.js";
import { actionBar, Decider, keyHelp } from "/static/studio/deciding.js";
import { styled } from "/static/studio/part_styles.js";
import { enlarge, fileName, pager, PictureGrid } from "/static/studio/picture_grid.js";

const PAGE = 60;
const POLL = 700; // milliseconds

const plural = (count, noun, ending = "s") => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : ending}`;

export const show = async (main) => {
  styled("/static/studio/data.css");
  let stop = () => {};
  let timer = 0;
  let left = false;
  const body = h("div");
  main.append(h("h1", {}, "Data"), body);

  const refresh = async () => {
    const answer = await ask("/api/data");
    if (left) return;
    stop();
    if (answer.current) { stop = await opened(body, answer.current, refresh, answer.backbones); return; }
    stop = () => {};
    await unopened(answer.opening);
  };

  const unopened = async (opening) => {
    if (opening?.running) {
      const { progress } = opening;
      const words = progress?.unit ? `${progress.step}: ${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")} ${progress.unit}` : opening.what;
      body.replaceChildren(h("p", {}, words), h("progress", { "aria-label": words }),
        h("button", { type: "button", onclick: async () => { await ask("/api/data/open/stop", {}); } }, "Stop"));
      timer = setTimeout(refresh, POLL);
      return;
    }
    body.replaceChildren(
      ...(opening?.error ? [h("p", { class: "alert" }, opening.error)] : []),
      h("p", {}, "Open a folder with a folder of images for each class, or a table that names images and labels. Nothing in it is ever changed."),
      await choices(refresh));
  };

  await refresh();
  return () => { left = true; clearTimeout(timer); stop(); };
};

/** What could be opened, as a list of buttons. */
const choices = async (refresh) => {
  const { choices: found } = await ask("/api/data/choices");
  if (!found.length) return h("p", { class: "alert" }, "There is no folder of images by class here, and no table with the columns path and label.");
  const open = async (name) => {
    try {
      await ask("/api/data/open", { name });
      await refresh();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(error.message);
    }
  };
  return h("ul", { class: "choices" }, ...found.map((each) => h("li", {},
    h("button", { type: "button", onclick: () => open(each.name) }, "Open ", h("bdi", {}, each.name === "." ? "this folder" : each.name)),
    h("span", { class: "quiet" }, each.kind === "manifest" ? "table" : plural(each.classes, "class folder")))));
};

/** Everything about the opened data; returns what ends its timers. */
const opened = async (body, first, refresh, backbones) => {
  let state = first;
  const facts = h("dl", { class: "facts" });
  const notes = h("div");
  const table = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Classes by split" });
  const log = h("section", { "aria-labelledby": "log-title" });
  const address = (number, size) => `/api/data/pictures/${number}?of=${state.token}&size=${size}`;

  const changed = async (now) => {
    state = now;
    summary();
    await Promise.all([grid.reload(), check.heard(state.check)]);
  };
  const decider = new Decider(() => state, changed);
  const check = checkPart(decider, address, backbones);
  const grid = gridPart(decider, address);

  const summary = () => {
    const fact = (title, value) => h("div", {}, h("dt", {}, title), h("dd", {}, value));
    facts.replaceChildren(
      fact("Open", state.title), fact("Images", (state.images - state.out).toLocaleString("en")),
      fact("Classes", state.classes.filter((each) => each.counts.some(Boolean)).length), fact("Decided", plural(state.changed, "image")));
    notes.replaceChildren(
      ...(state.problem ? [h("p", { class: "alert" }, state.problem)] : []),
      ...(state.missing ? [h("p", { class: "alert" }, `${plural(state.missing, "decided image")} changed or gone since: the decisions about them do not hold.`)] : []),
      ...state.remarks.map((each) => h("p", { class: "quiet" }, each)),
      ...(state.left_out ? [h("p", { class: "quiet" }, `Left out: ${state.left_out}`)] : []));
    classes();
    steps();
  };

  const classes = () => {
    const used = state.splits.map((_, place) => state.classes.some((each) => each.counts[place]));
    const splits = state.splits.filter((_, place) => used[place]);
    const total = (each) => each.counts.reduce((sum, count) => sum + count, 0);
    const most = Math.max(1, ...state.classes.map(total));
    const all = state.classes.reduce((sum, each) => sum + total(each), 0);
    const row = (each) => {
      const bar = h("span", {});
      bar.style.setProperty("--share", `${(100 * total(each)) / most}%`);
      return h("tr", {},
        h("th", { scope: "row" }, h("button", { type: "button", class: "plain", onclick: () => grid.only(each.name) }, h("bdi", {}, each.name)), each.new ? h("span", { class: "chip" }, "new") : ""),
        ...each.counts.filter((_, place) => used[place]).map((count) => h("td", { class: "number" }, count.toLocaleString("en"))),
        h("td", { class: "number" }, percent(total(each) / Math.max(1, all))), h("td", {}, h("span", { class: "bar", "aria-hidden": "true" }, bar)));
    };
    table.replaceChildren(h("table", { class: "classes" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "class"), ...splits.map((name) => h("th", { scope: "col", class: "number" }, name)), h("th", { scope: "col", class: "number" }, "share"), h("td"))),
      h("tbody", {}, ...state.classes.map(row))));
  };

  const steps = () => {
    const more = state.step_count - state.steps.length;
    log.replaceChildren(h("h2", { id: "log-title" }, "Decisions"),
      h("p", { class: "quiet" }, "Your files stay as they are: what you decide becomes a new table, which every command takes as data."),
      h("div", { class: "controls" },
        h("button", { type: "button", disabled: !state.step_count, onclick: () => decider.undo() }, "Undo"),
        h("button", { type: "button", disabled: !state.redo, title: state.redo ?? "", onclick: () => decider.redo() }, "Redo"),
        h("button", { type: "button", class: "main", disabled: !state.changed || Boolean(state.manifest), onclick: () => decider.manifest() }, state.manifest ? `Written: ${state.manifest}` : "Write the table")),
      ...(state.steps.length ? [h("ol", { class: "log", start: String(more + 1), tabindex: "0", "aria-label": "Decisions in order" }, ...state.steps.map((each) => h("li", {}, each.words)))] : [h("p", {}, "Nothing is decided yet.")]),
      ...(state.changed && !state.manifest ? [h("p", { class: "quiet" }, "The commands below take the data as they were; write the table to have your decisions in them.")] : []),
      ...state.commands.map((each) => command(each)));
  };

  body.replaceChildren(facts, notes,
    h("details", { ontoggle: async (event) => { if (event.target.open) event.target.lastChild.replaceWith(await choices(refresh)); } }, h("summary", {}, "Open other data"), h("div")),
    h("section", { "aria-labelledby": "classes-title" }, h("h2", { id: "classes-title" }, "Classes"), table),
    check.node, grid.node, log);
  const keys = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input, textarea")) return;
    if (event.key === "z" && !event.shiftKey) decider.undo();
    else if (event.key === "y" || event.key === "Z") decider.redo();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", keys);
  summary();
  await Promise.all([grid.reload(), check.heard(state.check)]);
  return () => { check.leave(); document.removeEventListener("keydown", keys); };
};

/** All images in pages, by split, class and state. */
const gridPart = (decider, address) => {
  let start = 0;
  const pages = h("div");
  const total = h("p", { class: "quiet", role: "status" });
  const actions = h("div");
  const select = (label, ...options) => h("select", { "aria-label": label, onchange: () => { start = 0; reload(); } }, ...options);
  const option = (value, words) => h("option", { value }, words);
  const split = select("Split");
  const label = select("Class");
  const state = select("State", option("all", "all images"), option("changed", "decided"), option("out", "left out"));
  const grid = new PictureGrid({
    label: "Images", address: (item) => address(item.number, 192),
    name: (item) => `${item.name}, ${item.label}, ${item.split}${item.out ? ", left out" : ""}${item.label === item.given ? "" : `, was ${item.given}`}`,
    caption: (item) => [
      h("p", {}, h("bdi", { class: item.label === item.given ? "" : "decided" }, item.label), item.label === item.given ? "" : [" (was ", h("bdi", {}, item.given), ")"]),
      h("p", { class: item.split === item.given_split && !item.out ? "quiet" : "decided" }, item.out ? "left out" : item.split),
      fileName(item.name)],
    onSelect: (chosen) => { const count = actions.querySelector(".count"); if (count) count.textContent = `${chosen.length} selected`; },
    onOpen: (item) => enlarge(address(item.number, 480), item.name),
    onKey: (key, meant) => decider.key(key, meant),
  });
  let names = "";

  /** The choices of class and split, if they have changed since. */
  const filters = () => {
    const now = JSON.stringify([decider.state().token, decider.state().classes.map((each) => each.name)]);
    if (now === names) return;
    names = now;
    const kept = label.value;
    split.replaceChildren(option("", "every split"), ...decider.state().splits.map((name) => option(name, name)));
    label.replaceChildren(option("", "every class"), ...decider.state().classes.map((each) => option(each.name, each.name)));
    label.value = decider.state().classes.some((each) => each.name === kept) ? kept : "";
    actions.replaceChildren(actionBar(decider, () => grid.meant, h("button", { type: "button", onclick: () => grid.selectAll() }, "Select all")), keyHelp(decider.state()));
  };

  let asked = 0;
  const reload = async () => {
    const mine = ++asked;
    filters();
    const query = new URLSearchParams({ of: decider.state().token, state: state.value, start, count: PAGE });
    if (split.value) query.set("split", split.value);
    if (label.value) query.set("label", label.value);
    const answer = await ask(`/api/data/images?${query}`);
    if (mine !== asked) return; // others were asked for meanwhile
    if (!answer.images.length && start > 0) { start = Math.max(0, start - PAGE); await reload(); return; }
    total.textContent = plural(answer.total, "image");
    grid.show(answer.images);
    pages.replaceChildren(pager(start, PAGE, answer.total, (to) => { start = to; reload(); }));
  };

  const node = h("section", { "aria-labelledby": "images-title" }, h("h2", { id: "images-title" }, "Images"),
    h("div", { class: "controls" }, split, label, state), total, grid.node, actions, pages);
  return {
    node, reload,
    only: (name) => { label.value = name; start = 0; reload(); node.scrollIntoView({ block: "start" }); },
  };
};
