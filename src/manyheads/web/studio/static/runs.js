// Runs: all run folders of the place; `#runs/new/fit` begins one, `#runs/NAME` watches one.
import { command, h } from "/static/shared/base.js";
import { form } from "/static/studio/run-form.js";
import { live } from "/static/studio/run-live.js";
import { count, runPage, watch } from "/static/studio/watching.js";

const COLUMNS = [
  { title: "Run", key: (run) => run.name, class: "" },
  { title: "State", key: (run) => run.state, class: "" },
  { title: "Data", key: (run) => run.data ?? "", class: "wide" },
  { title: "Best", key: (run) => run.best ?? "", class: "wide" },
  { title: "Score", key: (run) => run.score ?? -1, class: "number" },
  { title: "Verdict", key: (run) => run.verdict ?? "", class: "wide" },
  { title: "Changed", key: (run) => run.date, class: "middle" },
];
const CHANGED = COLUMNS.length - 1;

const day = (date) => date ? date.slice(0, 16).replace("T", " ") : "";

const row = (run) => h("tr", {},
  h("td", {}, h("a", { href: runPage("runs", run.name) }, run.name)),
  h("td", {}, run.alive || run.state === "starting"
    ? h("span", { class: "chip" }, run.trials ? `running, ${run.state}` : "running") : run.state),
  h("td", { class: "wide" }, run.data || ""),
  h("td", { class: "wide" }, run.best || run.problem || ""),
  h("td", { class: "number" }, run.score === null || run.score === undefined ? "" : run.score.toFixed(3)),
  h("td", { class: "wide" }, run.verdict || ""),
  h("td", { class: "middle" }, day(run.date)));

const list = (main) => {
  let runs = [];
  let sorted = CHANGED;
  let down = true;
  const search = h("input", { type: "search", id: "search", oninput: () => fill() });
  const body = h("tbody");
  const told = h("p", { class: "quiet", role: "status" });
  const heads = COLUMNS.map((column, place) => h("th", { scope: "col", class: column.class },
    h("button", { type: "button", class: "plain sort", onclick: () => {
      down = place === sorted ? !down : place >= 4;
      sorted = place;
      fill();
    } }, column.title)));
  const fill = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = runs.filter((run) => {
      const text = [run.name, run.state, run.data, run.best, run.verdict, run.kind].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const { key } = COLUMNS[sorted];
    found.sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
      return down ? -order : order;
    });
    heads.forEach((head, place) => {
      if (place === sorted) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const focus = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    body.replaceChildren(...found.map(row));
    if (focus) [...body.querySelectorAll("a")].find((link) => link.getAttribute("href") === focus)?.focus();
    table.hidden = !runs.length;
    told.textContent = runs.length
      ? `${found.length === runs.length ? "" : `${found.length} of `}${count(runs.length, "run")}`
      : "No runs in this folder yet.";
  };
  const table = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All runs" },
    h("table", { class: "runs" }, h("thead", {}, h("tr", {}, heads)), body));
  const problem = h("p", { class: "alert", hidden: true });
  main.append(
    h("h1", {}, "Runs"),
    h("div", { class: "controls" },
      h("a", { class: "button main", href: "#runs/new/fit" }, "New fit"),
      h("a", { class: "button", href: "#runs/new/sweep" }, "New sweep"),
      h("label", { class: "field", for: "search" }, h("span", { class: "unseen" }, "Search the runs"), search)),
    problem, told, table, h("p", { class: "quiet" }, "The same on the command line:"), command("manyheads runs"));
  search.placeholder = "Search";
  return watch("/api/runs", (answer) => {
    problem.hidden = true;
    runs = answer.runs;
    fill();
  }, { seconds: 2, failed: (error) => {
    problem.hidden = false;
    problem.textContent = error.message;
  } });
};

export const show = async (main, [first, second]) => {
  if (first === "new" && second) return form(main, second);
  return first ? live(main, first) : list(main);
};
