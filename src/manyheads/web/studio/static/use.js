// Use: try a finished model, export it, and open its test set once.
import { ask, command, h, Refused } from "/static/shared/base.js";
import { begin } from "/static/service/service.js";
import { styled } from "/static/studio/part_styles.js";
import { follow, runPage } from "/static/studio/watching.js";

const choose = async (main) => {
  const { runs } = await ask("/api/runs");
  const finished = runs.filter((run) => run.finished);
  main.append(h("h1", {}, "Use"), finished.length
    ? h("ul", {}, finished.map((run) => h("li", {}, h("a", { href: runPage("use", run.name) }, run.name), " ", h("span", { class: "quiet" }, run.words || ""))))
    : h("p", {}, "No run is finished yet. ", h("a", { href: "#runs" }, "Begin one in Runs."), ""));
};

/** What a service's page has, to stand in the studio: it is that page's own file that says what is where. */
const photoPage = async () => {
  const response = await fetch("/static/service/index.html");
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  page.getElementById("said").remove(); // the studio says it
  return (names) => names.map((name) => document.adoptNode(page.getElementById(name)));
};

const work = async (number, told, words) => {
  told.replaceChildren(h("p", {}, words), h("progress", { "aria-label": words }));
  return follow(number, () => {});
};

const problem = (state) => (state.err.trim().split("\n").at(-1) || "The command said nothing.").replace(/^manyheads: /, "");

const exports_ = (about) => {
  const told = h("div", { role: "status" });
  const row = (format) => {
    const address = (file) => `/api/use/file?run=${encodeURIComponent(about.run)}&format=${format.name}&name=${encodeURIComponent(file)}`;
    const done = h("td");
    const button = h("button", { type: "button", disabled: Boolean(format.missing), onclick: async () => {
      button.disabled = true;
      try {
        const begun = await ask("/api/use/export", { run: about.run, format: format.name });
        const state = await work(begun.number, told, `Exporting ${format.name} …`);
        if (state.code === 0) {
          told.replaceChildren(h("p", {}, `${format.file} is in ${about.run}/export, checked in ${format.opens}.`), command(begun.command));
          const { formats } = await ask(`/api/use?run=${encodeURIComponent(about.run)}`);
          Object.assign(format, formats.find((each) => each.name === format.name));
          fill();
        } else told.replaceChildren(h("p", { class: "alert" }, problem(state)));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        told.replaceChildren(h("p", { class: "alert" }, error.message));
      }
      button.disabled = false;
    } }, "Export");
    const fill = () => done.replaceChildren(...(format.downloads.length
      ? [h("ul", { class: "files" }, format.downloads.map((file) => h("li", {}, h("a", { href: address(file), download: file }, file))))]
      : [format.there ? `in ${about.run}/export/${format.file}` : ""]));
    fill();
    return h("tr", {}, h("td", {}, h("strong", {}, format.name), h("br"), h("span", { class: "quiet" }, format.opens)),
      h("td", {}, format.missing ? h("span", {}, "needs ", h("code", {}, format.missing)) : button), done);
  };
  return h("section", { "aria-labelledby": "export" }, h("h2", { id: "export" }, "Export"),
    h("p", {}, "Each file is opened by its own runtime and compared with the model before it has a name."),
    h("div", { class: "scroll" }, h("table", { class: "formats" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Format"), h("th", { scope: "col" }, ""), h("th", { scope: "col" }, "File"))), h("tbody", {}, about.formats.map(row)))), told);
};

const testSet = (about) => {
  const { evaluations, warning } = about.test;
  const told = h("div", { role: "status" });
  const results = (found, note) => [
    ...found.flatMap((each) => each.sentences.map((sentence) => h("p", {}, sentence))),
    note ? h("p", { class: "alert" }, note) : null,
  ].filter(Boolean);
  const node = h("section", { "aria-labelledby": "test" }, h("h2", { id: "test" }, "Test set"));
  if (evaluations.length) {
    node.append(h("p", { class: "quiet" }, "The test set was opened; this is the record."), ...results(evaluations, warning));
    return node;
  }
  const typed = h("input", { type: "text", id: "typed", autocomplete: "off", spellcheck: "false", oninput: () => { open.disabled = typed.value.trim() !== about.run; } });
  const open = h("button", { type: "submit", disabled: true }, "Open the test set");
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    open.disabled = true;
    try {
      const begun = await ask("/api/use/test", { run: about.run, typed: typed.value });
      const state = await work(begun.number, told, "Evaluating on the test images …");
      if (state.code !== 0) throw new Refused(problem(state));
      const { test } = await ask(`/api/use?run=${encodeURIComponent(about.run)}`);
      form.remove();
      told.replaceChildren(...results(test.evaluations, test.warning));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      told.replaceChildren(h("p", { class: "alert" }, error.message));
    }
  } },
  h("p", { class: "alert" }, "The test images give an honest score once. Whoever looks, changes something and looks again has selected on them. Open them when everything else is decided; it goes on record."),
  h("div", { class: "field" }, h("label", { for: "typed" }, `Type the run's name, ${about.run}, to open them`), typed), h("p", {}, open));
  node.append(warning ? h("p", { class: "alert" }, warning) : "", form, told, command(about.commands.test));
  return node;
};

export const show = async (main, [run]) => {
  if (!run) return choose(main);
  const dressed = styled("/static/service/service.css");
  const about = await ask(`/api/use?run=${encodeURIComponent(run)}`);
  main.append(h("p", {}, h("a", { href: runPage("runs", run) }, "← The run")), h("h1", {}, `Use ${run}`));
  if (!about.model) {
    main.append(h("p", { class: "alert" }, "This run has no model yet."));
    return undefined;
  }
  const [parts] = await Promise.all([photoPage(), dressed]);
  if (!main.isConnected) return undefined; // another part is shown by now
  const query = new URLSearchParams({ run });
  main.append(
    ...parts(["choose", "lead", "classes", "intake", "status", "results"]), command(about.commands.predict),
    exports_(about),
    h("section", { "aria-labelledby": "service" }, h("h2", { id: "service" }, "Service"), h("p", {}, "A page and an HTTP service for who uses the model:"), command(about.commands.serve)),
    testSet(about), ...parts(["about", "detail"]));
  return begin({ models: `/api/use/models?${query}`, predict: () => `/api/use/predict?${query}`, opening: "Opening the model …" });
};
