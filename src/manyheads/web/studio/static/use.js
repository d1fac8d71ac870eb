// Use: try a finished model, export it, and open its test set once.
import { ask, command, h, percent, Refused, say } from "/static/shared/base.js";
import { follow, runPage } from "/static/studio/watching.js";

const AT_ONCE = 2; // images on their way
const SHOWN = 3; // classes of an answer

const choose = async (main) => {
  const { runs } = await ask("/api/runs");
  const finished = runs.filter((run) => run.finished);
  main.append(h("h1", {}, "Use"), finished.length
    ? h("ul", {}, finished.map((run) => h("li", {}, h("a", { href: runPage("use", run.name) }, run.name), " ", h("span", { class: "quiet" }, run.words || ""))))
    : h("p", {}, "No run is finished yet. ", h("a", { href: "#runs" }, "Begin one in Runs."), ""));
};

const bars = (probabilities) => h("ul", { class: "answers" }, probabilities.slice(0, SHOWN).map(([name, value]) => {
  const filled = h("span", { class: "filled" });
  filled.style.setProperty("width", `${100 * value}%`);
  return h("li", {}, h("span", { class: "answer-words" }, h("span", {}, name), h("span", { class: "number" }, percent(value))), h("span", { class: "meter", "aria-hidden": "true" }, filled));
}));

const trial = (run) => {
  const addresses = new Set();
  const waiting = [];
  let busy = 0;
  const answers = h("ul", { class: "cards", "aria-label": "Answers" });
  const at = (more = "") => `/api/use/predict?run=${encodeURIComponent(run)}${more}`;
  const answer = async (file, card, picture) => {
    const told = h("div", {}, h("p", { class: "quiet" }, "…"));
    card.append(told);
    try {
      const found = await ask(at(), undefined, { method: "POST", body: file });
      if (found.error) {
        told.replaceChildren(h("p", { class: "doubtful" }, "unreadable"), h("p", { class: "quiet" }, found.error));
        return;
      }
      const look = h("button", { type: "button", onclick: async () => {
        look.disabled = true;
        try {
          const explained = await ask(at("&explain=true"), undefined, { method: "POST", body: file });
          if (explained.map) picture.src = explained.map;
          look.remove();
          say(`Where the model looked for ${found.label}`);
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          look.disabled = false;
          told.append(h("p", { class: "doubtful" }, error.message));
        }
      } }, "Where it looked");
      told.replaceChildren(h("p", { class: "label" }, found.label), bars(found.probabilities), look);
      say(`${file.name}: ${found.label}, ${percent(found.confidence)}`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      told.replaceChildren(h("p", { class: "doubtful" }, error.message));
    }
  };
  const next = async () => {
    if (busy >= AT_ONCE || !waiting.length) return;
    busy += 1;
    await answer(...waiting.shift());
    busy -= 1;
    next();
  };
  const take = (files) => {
    for (const file of files) {
      const address = URL.createObjectURL(file);
      addresses.add(address);
      const picture = h("img", { src: address, alt: file.name || "pasted image" });
      const card = h("li", {}, picture, h("p", { class: "quiet name" }, file.name || "pasted image"));
      answers.append(card);
      waiting.push([file, card, picture]);
      next();
    }
  };
  const input = h("input", { type: "file", id: "photos", class: "unseen", accept: "image/*", multiple: true, onchange: () => { take(input.files); input.value = ""; } });
  const zone = h("div", { class: "zone" },
    h("p", {}, "Drop photographs here, paste one, or"),
    input, h("label", { class: "button main", for: "photos" }, "Choose photographs"));
  const over = (event) => { event.preventDefault(); zone.classList.add("over"); };
  zone.addEventListener("dragover", over);
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("over"); take(event.dataTransfer.files); });
  const paste = (event) => { if (event.clipboardData?.files.length) take(event.clipboardData.files); };
  document.addEventListener("paste", paste);
  const node = h("section", { "aria-labelledby": "try" }, h("h2", { id: "try" }, "Try it"), zone, answers);
  return { node, leave: () => {
    document.removeEventListener("paste", paste);
    waiting.length = 0;
    addresses.forEach((each) => URL.revokeObjectURL(each));
  } };
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
  const about = await ask(`/api/use?run=${encodeURIComponent(run)}`);
  main.append(h("p", {}, h("a", { href: runPage("runs", run) }, "← The run")), h("h1", {}, `Use ${run}`));
  if (!about.model) {
    main.append(h("p", { class: "alert" }, "This run has no model yet."));
    return undefined;
  }
  main.append(h("p", { class: "quiet" }, `Classes: ${about.classes.slice(0, 30).join(", ")}${about.classes.length > 30 ? " …" : ""}`));
  const tried = trial(run);
  main.append(tried.node, command(about.commands.predict), exports_(about),
    h("section", { "aria-labelledby": "service" }, h("h2", { id: "service" }, "Service"), h("p", {}, "A page and an HTTP service for who uses the model:"), command(about.commands.serve)),
    testSet(about));
  return tried.leave;
};
