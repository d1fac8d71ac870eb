// A new run: a few fields, the plan that the command itself makes, and then the start.
import { ask, command, h, Refused, say } from "/static/shared/base.js";
import { follow, runPage } from "/static/studio/watching.js";

const WORDS = {
  fit: ["New fit", "The best classifier for these images within a time, and what to expect of it."],
  sweep: ["New sweep", "Every combination of the listed values, and which differences are real."],
};

const labelOf = (name) => {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
};

const field = (each, changed) => {
  const id = `field-${each.name}`;
  const input = h("input", {
    type: "text", id, name: each.name, placeholder: each.usual, autocomplete: "off",
    spellcheck: "false", "aria-describedby": `${id}-words`, oninput: changed,
  });
  const several = each.list ? "; one or several" : "";
  return h("div", { class: "field" }, h("label", { for: id }, labelOf(each.name)), input,
    h("span", { class: "quiet", id: `${id}-words` }, each.words + several));
};

export const form = async (main, kind) => {
  const { data, forms } = await ask("/api/runs/forms");
  const known = forms.find((each) => each.kind === kind);
  if (!known) throw new Refused("There is no such form.");
  const [title, words] = WORDS[kind];
  main.append(h("p", {}, h("a", { href: "#runs" }, "← All runs")), h("h1", {}, title), h("p", { class: "lead" }, words));
  if (!data) {
    main.append(h("p", { class: "alert" }, "No data are open. ", h("a", { href: "#data" }, "Open a folder or a manifest in Data"), " first."));
    return undefined;
  }
  let asked = 0;
  const outcome = h("section", { "aria-label": "The plan", hidden: true });
  const stale = () => {
    asked += 1;
    outcome.hidden = true;
    plan.disabled = false;
  };
  const fields = known.fields.map((each) => [each.first, field(each, stale)]);
  const out = h("input", { type: "text", id: "field-out", name: "out", value: known.out, required: true, autocomplete: "off", oninput: stale });
  const plan = h("button", { type: "submit", class: "main" }, "Show the plan");
  const filled = () => {
    const values = {};
    for (const input of whole.querySelectorAll("input")) {
      if (input.name !== "out" && input.value.trim()) values[input.name] = input.value.trim();
    }
    return { kind, values, out: out.value.trim() };
  };
  const start = async (event) => {
    event.target.disabled = true;
    try {
      await ask("/api/runs/start", filled());
      location.hash = runPage("runs", out.value.trim());
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      event.target.disabled = false;
      outcome.append(h("p", { class: "alert", role: "alert" }, error.message));
    }
  };
  const submit = async (event) => {
    event.preventDefault();
    const mine = ++asked;
    plan.disabled = true;
    outcome.hidden = false;
    outcome.replaceChildren(h("h2", {}, "Plan"), h("p", {}, "Planning …"), h("progress", { "aria-label": "Planning" }));
    say("Planning");
    try {
      const begun = await ask("/api/runs/plan", filled());
      const ended = await follow(begun.number, () => {});
      if (mine !== asked) return;
      const good = ended.code === 0;
      const text = good ? ended.out.trim() : (ended.err.trim().split("\n").at(-1) || "The command said nothing.");
      outcome.replaceChildren(
        h("h2", {}, good ? "Plan" : "This does not work"),
        good ? h("pre", { class: "plan", tabindex: "0" }, text) : h("p", { class: "alert", role: "alert" }, text.replace(/^manyheads: /, "")),
        h("p", {}, "The same on the command line, in the folder of the studio:"),
        command(begun.would));
      if (good) {
        const button = h("button", { type: "button", class: "main", id: "start", onclick: start }, "Start");
        outcome.append(h("p", {}, button));
        button.focus({ preventScroll: false });
        say("The plan is there.");
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (mine === asked) outcome.replaceChildren(h("p", { class: "alert", role: "alert" }, error.message));
    } finally {
      if (mine === asked) plan.disabled = false;
    }
  };
  const more = fields.filter(([first]) => !first).map(([, node]) => node);
  const whole = h("form", { onsubmit: submit },
    h("p", {}, "Data: ", h("strong", {}, data), " ", h("a", { href: "#data" }, "change")),
    h("p", { class: "quiet" }, "Empty fields keep the usual value, in grey. Several values are separated by spaces."),
    h("div", { class: "fields" }, fields.filter(([first]) => first).map(([, node]) => node),
      h("div", { class: "field" }, h("label", { for: "field-out" }, "Run folder"), out,
        h("span", { class: "quiet" }, "where its results go"))),
    more.length ? h("details", {}, h("summary", {}, "More settings"), h("div", { class: "fields" }, more)) : null,
    h("p", {}, plan));
  main.append(whole, outcome);
  return () => { asked += 1; };
};
