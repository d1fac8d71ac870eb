// The check of the opened data, and what it found as pictures to decide about.
import { ask, command, h, percent, Refused, say } from "/static/shared/base.js";
import { actionBar, keyHelp } from "/static/studio/deciding.js";
import { enlarge, fileName, pager, picture, PictureGrid } from "/static/studio/picture_grid.js";

const POLL = 700; // milliseconds
const PAGE = 24;

/** The section; `decider` decides, `address(number, size)` is where a picture lies. */
export const checkPart = (decider, address, backbones) => {
  const section = h("section", { "aria-labelledby": "check-title" });
  const results = h("div");
  const working = h("div");
  let kind = null;
  let start = 0;
  let grid = null;
  let count = null;
  let focused = false; // whether the focus was in the grid before it was drawn anew
  let timer = 0;
  let gone = false;

  const box = (name, words, checked) => h("label", {}, h("input", { type: "checkbox", name, checked }), ` ${words}`);
  const form = h("form", { class: "controls", onsubmit: (event) => { event.preventDefault(); begin(); } },
    box("labels", "suspicious labels", true), box("similar", "nearly identical images", true),
    h("label", { class: "field" }, "Backbone", h("select", { name: "backbone" }, ...backbones.map((name) => h("option", {}, name)))),
    h("label", { class: "field" }, "Image size", h("input", { type: "number", name: "image_size", min: "32", max: "2048", placeholder: "its own" })),
    h("button", { class: "main" }, "Check"));

  const begin = async () => {
    const { labels, similar, backbone, image_size: size } = form.elements;
    try {
      const body = { labels: labels.checked, similar: similar.checked, backbone: backbone.value };
      if (size.value) body.image_size = Number(size.value);
      working.replaceChildren(h("p", {}, "The check begins…"));
      await heard(await ask("/api/data/check", body));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      working.replaceChildren(h("p", { class: "alert" }, error.message));
    }
  };

  /** Show how far the check is, ask again until it has ended, then show what it found. */
  const heard = async (check) => {
    clearTimeout(timer);
    if (gone) return;
    const task = check.task;
    if (task?.running) {
      const { progress } = task;
      const known = progress && progress.total > 0 && progress.unit;
      const words = !progress ? task.what : known ? `${progress.step}: ${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")} ${progress.unit}` : progress.step;
      working.replaceChildren(
        h("p", {}, words), h("progress", known ? { max: String(progress.total), value: String(progress.done), "aria-label": words } : { "aria-label": words }),
        ...task.notes.slice(-3).map((note) => h("p", { class: "quiet" }, note)),
        h("button", { type: "button", onclick: async () => heard(await ask("/api/data/check/stop", {})) }, "Stop"));
      timer = setTimeout(async () => heard(await ask("/api/data/check")), POLL);
      return;
    }
    working.replaceChildren(...(task?.error ? [h("p", { class: "alert" }, task.stopped ? "The check was stopped; features that were computed are kept." : task.error)] : []));
    if (check.found) await found(check.found);
    else results.replaceChildren();
  };

  const found = async (what) => {
    if (!what.sections.some((each) => each.kind === kind)) {
      kind = (what.sections.find((each) => each.kind === "label" && each.open) ?? what.sections.find((each) => each.open) ?? what.sections.at(-1))?.kind ?? null;
      start = 0;
    }
    const chosen = what.sections.find((each) => each.kind === kind);
    const list = h("div");
    focused ||= Boolean(grid?.node.contains(document.activeElement));
    results.replaceChildren(
      command(what.command),
      h("div", { class: "kinds", role: "group", "aria-label": "What was found" }, ...what.sections.map((each) => h("button", {
        type: "button", "aria-pressed": String(each.kind === kind),
        onclick: () => { kind = each.kind; start = 0; found(what); },
      }, `${each.title} ${each.open.toLocaleString("en")}`, each.open < each.total ? h("span", {}, ` of ${each.total.toLocaleString("en")}`) : ""))),
      ...(chosen ? [h("h3", {}, chosen.title), h("p", { class: "quiet" }, chosen.words), list] : []),
      ...(what.problems.length ? [h("details", {}, h("summary", {}, `All ${what.problems.length} problems in words`), h("ul", {}, ...what.problems.map((each) => h("li", {}, each))))] : [h("p", {}, "No problems found.")]));
    if (chosen) await page(list, chosen);
  };

  const page = async (list, chosen) => {
    const answer = await ask(`/api/data/findings?${new URLSearchParams({ of: decider.state().token, kind, start, count: PAGE })}`);
    // Another list may have been asked for meanwhile: it has the grid now.
    if (gone || !list.isConnected) return;
    if (!answer.findings.length && start > 0) { start = Math.max(0, start - PAGE); return page(list, chosen); }
    const pages = pager(start, PAGE, answer.total, (to) => { start = to; page(list, chosen); });
    if (!answer.total) { list.replaceChildren(h("p", {}, chosen.total ? "All of them are decided." : "None were found.")); focused = false; return; }
    if (kind === "label" || kind === "unreadable") single(list, answer.findings, pages);
    else list.replaceChildren(h("ul", { class: "findings" }, ...answer.findings.map(several)), pages);
  };

  const gridOf = () => {
    const made = new PictureGrid({
      label: "Findings", address: (item) => address(item.number, 192),
      name: (item) => kind === "label" ? `${item.name}, ${item.split}: labelled ${item.label} ${percent(item.given)}, looks like ${item.suggested} ${percent(item.confidence, 0)}` : `${item.name}: ${item.words}`,
      caption: (item) => kind === "label" ? [
        h("p", {}, h("bdi", {}, item.label), ` ${percent(item.given)}`), h("p", { class: "decided" }, "→ ", h("bdi", {}, item.suggested), ` ${percent(item.confidence, 0)}`),
        fileName(item.name)] : [h("p", {}, item.words), fileName(item.name)],
      onSelect: (chosen) => { if (count) count.textContent = `${chosen.length} selected`; },
      onOpen: (item) => enlarge(address(item.number, 480), item.name),
      onKey: (key, meant) => decider.key(key, meant, { finding: kind, suggested: kind === "label" ? (item) => item.suggested : null }),
    });
    return Object.assign(made, { kind });
  };

  const single = (list, findings, pages) => {
    const items = findings.map((each) => ({ ...each.images[0], ...each, number: each.images[0].number }));
    if (grid?.kind !== kind) grid = gridOf();
    const button = (words, act) => h("button", { type: "button", onclick: () => (grid.meant.length ? act(grid.meant) : say("Select images first.")) }, words);
    const more = [
      h("button", { type: "button", onclick: () => grid.selectAll() }, "Select all"),
      ...(kind === "label" ? [button("Take the suggested", (items_) => decider.suggest(items_, (item) => item.suggested))] : []),
      button("Keep", (items_) => decider.decide("keep", items_.map((item) => item.number), kind)),
    ];
    const bar = actionBar(decider, () => grid.meant, ...more);
    count = bar.querySelector(".count");
    list.replaceChildren(grid.node, bar, keyHelp(decider.state(), { findings: true }), pages);
    grid.show(items);
    if (focused) grid.node.children[grid.at]?.focus();
    focused = false;
  };

  const several = (each) => h("li", { class: "card" },
    h("div", { class: "sides" }, ...each.images.map((image) => h("figure", {},
      h("button", { type: "button", class: "plain look", "aria-label": `Look at ${image.name} in large`, onclick: () => enlarge(address(image.number, 480), image.name) }, picture(address(image.number, 192))),
      h("figcaption", {}, h("p", {}, h("bdi", {}, image.label), `, ${image.split}`), fileName(image.name),
        h("button", { type: "button", "aria-label": `Leave out ${image.name}`, onclick: () => decider.decide("leave out", [image.number]) }, "Leave out"))))),
    h("p", { class: "quiet" }, each.words),
    h("button", { type: "button", onclick: () => decider.decide("keep", each.numbers, each.kind) }, each.images.length === 2 ? "Keep both" : "Keep all"),
    ...(new Set(each.images.map((image) => image.split)).size > 1 ? [" ", h("button", { type: "button", onclick: () => decider.decide("move", each.numbers, "train") }, "All to train")] : []));

  section.append(h("h2", { id: "check-title" }, "Check"),
    h("p", { class: "quiet" }, "Every file is read, and nothing is changed. Features that a backbone computes are kept, and training uses them."),
    form, working, results);
  return { node: section, heard, leave: () => { gone = true; clearTimeout(timer); } };
};
