// One run: how far it is while it is at work, whoever began it, and what it came to.
import { ask, command, h, Refused, say } from "/static/shared/base.js";
import { colouring, curves } from "/static/studio/curves.js";
import { clock, count, runPage, watch } from "/static/studio/watching.js";

const number = (value, digits = 3) => value === null || value === undefined ? "–" : value.toFixed(digits);
const METRICS = { accuracy: "accuracy", log_loss: "log loss", balanced_accuracy: "balanced accuracy", macro_f1: "macro F1" };
const STATES = { starting: "starting", running: "running", stopped: "stopped", done: "done", unreadable: "cannot be read" };

/** A section that is built anew only if what it shows has changed. */
const part = (build) => {
  const node = h("div");
  let shown = null;
  return { node, show: (...given) => {
    const text = JSON.stringify(given);
    if (text === shown) return;
    shown = text;
    node.replaceChildren(...[build(...given)].flat().filter(Boolean));
  } };
};

const bar = (name, done, total, words) => h("div", { class: "step" },
  h("div", { class: "step-words" }, h("span", {}, name), h("span", { class: "quiet number" }, words)),
  h("progress", total ? { "aria-label": name, max: total, value: done } : { "aria-label": name }));

const steps = (progress) => {
  if (!progress) return null;
  const { training, budget, since } = progress;
  const found = [];
  if (budget && since) {
    const used = Math.max(0, Date.now() / 1000 - since);
    found.push(bar("time", Math.min(used, budget), budget, `${clock(used)} of ${clock(budget)}, ${clock(budget - used)} left`));
  }
  for (const step of progress.steps.slice(-3)) {
    if (!step.unit) found.push(bar(step.step, 0, 0, `for ${clock(Date.now() / 1000 - step.at)}`));
    else if (step.done < step.total || !step.total) {
      found.push(bar(step.step, step.done, step.total, `${step.done.toLocaleString("en")} of ${step.total.toLocaleString("en")} ${step.unit}`));
    }
  }
  if (training?.total_cost) {
    const left = training.seconds_left === null ? "" : `, about ${clock(training.seconds_left)} left${training.at_most ? " at most" : ""}`;
    const rung = training.rungs > 1 ? `, rung ${training.rung} of ${training.rungs}` : "";
    if (training.cost < training.total_cost) {
      found.push(bar("training", training.cost, training.total_cost, `${training.epochs.toLocaleString("en")} of ${training.total_epochs.toLocaleString("en")} epochs${rung}${left}`));
    }
  }
  return [h("h2", {}, "Progress"), ...(found.length ? found : [bar("working", 0, 0, "at work")])];
};

const leaders = (study, state, colours) => {
  if (!study.leaders?.length) return null;
  const colourOf = colours(study.leaders.map((each) => each.candidate));
  const name = study.metric === "log_loss" ? "val_loss" : `val_${study.metric}`;
  const words = `Validation ${METRICS[study.metric]} by epoch`;
  const ended = ["done", "failed", "pruned"].reduce((sum, each) => sum + (study.states[each] ?? 0), 0);
  const all = study.candidates * study.heads;
  const some = study.leaders.some((each) => each.mean !== null);
  const first = study.leaders[0];
  const found = [];
  if (state === "done") found.push(h("h2", {}, "Candidates"));
  else {
    found.push(h("h2", {}, "So far"));
    if (some) {
      found.push(h("p", {}, h("strong", {}, `First: ${first.words}`),
        `, ${name} ${number(first.mean)}${study.waiting ? " at this rung" : ""}. ${ended < all ? `No verdict yet: ${ended.toLocaleString("en")} of ${count(all, "trial")} have ended.` : `All ${count(all, "trial")} of ${study.name} have ended.`}`));
    } else found.push(h("p", {}, `No trial has ended yet, of ${all.toLocaleString("en")}.`));
  }
  if (study.leaders.some((each) => each.band.length)) {
    found.push(h("figure", {}, curves(study.leaders, study.epochs, colourOf, { words, most: study.metric === "log_loss" ? Infinity : 1 }),
      h("figcaption", { class: "quiet" }, words, ": the mean over seeds, and from the least to the greatest.",
        study.band_seeds < study.seeds ? ` Of ${study.seeds.toLocaleString("en")} seeds the first ${study.band_seeds}.` : "")));
  }
  const rows = study.leaders.map((each) => h("tr", {},
    h("td", {}, h("span", { class: `swatch ${colourOf(each.candidate)}`, "aria-hidden": "true" }), each.words),
    h("td", { class: "number" }, each.mean === null ? "–" : number(each.mean) + (each.deviation === null ? "" : ` ± ${number(each.deviation)}`)),
    h("td", { class: "number middle" }, `${each.heads.toLocaleString("en")} of ${study.heads.toLocaleString("en")}`)));
  const cut = study.candidates > study.leaders.length && study.leaders.length >= 20;
  const more = cut ? `The first ${study.leaders.length} of ${study.candidates.toLocaleString("en")} candidates` : "Candidates, the first one on top";
  found.push(h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Candidates" }, h("table", {},
    h("caption", {}, `${more}; means of trials that have ended, ± standard deviation over seeds`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Candidate"), h("th", { scope: "col", class: "number" }, name), h("th", { scope: "col", class: "number middle" }, "Trials"))),
    h("tbody", {}, rows))));
  const states = Object.entries(study.states).map(([state_, many]) => `${many.toLocaleString("en")} ${state_}`);
  found.push(h("p", { class: "quiet" }, `Trials: ${states.join(", ")}.`));
  return found;
};

const fitted = (fit) => {
  if (!fit) return null;
  const range = ([, value, low, high]) => low === null ? number(value) : `${number(value)} [${number(low)}, ${number(high)}]`;
  const [lead, ...others] = fit.expected;
  return [
    h("h2", {}, "What to expect"),
    h("p", { class: "lead" }, `On new images like these: ${lead[0]} ${range(lead)}`),
    h("p", {}, `Chosen: ${fit.chosen}; ${count(fit.heads, "head")} in one.`),
    h("dl", { class: "facts" },
      others.map((each) => h("div", {}, h("dt", {}, each[0][0].toUpperCase() + each[0].slice(1)), h("dd", {}, range(each)))),
      h("div", {}, h("dt", {}, "From held-out images"), h("dd", {}, fit.images.toLocaleString("en"))),
      h("div", {}, h("dt", {}, "Took"), h("dd", {}, clock(fit.seconds)))),
    ...fit.remarks.map((remark) => h("p", { class: "quiet" }, remark)),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Options" }, h("table", {},
      h("caption", {}, "Options that were tried, single heads on held-out images, the best first"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Option"), fit.columns.map((each) => h("th", { scope: "col", class: "number" }, each)), h("th", { scope: "col", class: "number middle" }, "chosen by folds"))),
      h("tbody", {}, fit.tried.map((each) => h("tr", {}, h("td", {}, each.words), each.scores.map((score) => h("td", { class: "number" }, number(score))), h("td", { class: "number middle" }, `${each.folds} of ${fit.folds}`)))))),
  ];
};

const plan = (progress) => progress && (progress.plan.length || progress.notes.length) ? [
  h("details", {}, h("summary", {}, "Plan and notes"),
    progress.plan.length ? h("pre", { class: "plan", tabindex: "0" }, progress.plan.join("\n")) : null,
    ...progress.notes.map((note) => h("p", {}, note))),
] : null;

const verdict = (run, advice) => {
  if (run.state !== "done" || run.fit) return null;
  if (advice) return [h("p", { class: "lead" }, advice[0]), ...advice.slice(1).map((sentence) => h("p", {}, sentence))];
  const best = run.best ? `Best: ${run.best}${run.words ? `, ${run.words}` : ""}; ` : "";
  return h("p", { class: "lead" }, `${best}${run.verdict}.`);
};

export const live = (main, name) => {
  const colours = colouring();
  let state = null;
  const problem = h("p", { class: "alert", role: "alert", hidden: true });
  const refused = (error) => {
    if (!(error instanceof Refused)) throw error;
    problem.hidden = false;
    problem.textContent = error.message;
  };
  const act = (what, words) => async (event) => {
    event.target.disabled = true;
    try {
      await ask(`/api/runs/${what}`, { run: name });
      say(words);
    } catch (error) {
      event.target.disabled = false;
      refused(error);
    }
  };
  const buttons = part((now, resume, report, model) => {
    const found = [];
    if (now === "running" || now === "starting") found.push(h("button", { type: "button", id: "stop", onclick: act("stop", "Asked to stop; what is finished is kept.") }, "Stop"));
    if (now === "stopped" && resume) found.push(h("button", { type: "button", class: "main", id: "resume", onclick: act("resume", "It goes on.") }, "Resume"));
    if (now === "done") {
      found.push(h("a", { class: "button main", href: runPage("understand", name) }, "Understand"));
      if (model) found.push(h("a", { class: "button", href: runPage("use", name) }, "Use"));
    }
    if (report) found.push(h("a", { class: "button", href: `/api/runs/report?run=${encodeURIComponent(name)}`, target: "_blank", rel: "noopener" }, "Report"));
    return h("div", { class: "controls" }, found);
  });
  const chip = part((now) => h("p", { id: "state" }, h("span", { class: now === "unreadable" ? "chip doubtful" : "chip" }, STATES[now] ?? now)));
  const stopped = part((now, resume, said, trouble) => {
    if (trouble) return h("p", { class: "alert" }, trouble);
    if (now !== "stopped") return null;
    const how = resume ? "What was finished is kept; it goes on where it stopped." : "Repeat the command that began it to go on.";
    return [h("p", { class: "alert" }, `It is not at work. ${how}`),
      said ? h("details", { open: true }, h("summary", {}, "What it said last"), h("pre", { class: "plan", tabindex: "0" }, said)) : null];
  });
  const parts = {
    verdict: part(verdict), fit: part(fitted), steps: part(steps), plan: part(plan),
    studies: part((studies, now) => studies.flatMap((study) => leaders(study, now, colours) ?? [])),
    searches: part((studies) => studies.length > 1 ? h("p", { class: "quiet" }, `${count(studies.length, "search study").replace("studys", "studies")}: ${studies.map((each) => each.name).join(", ")}`) : null),
    command: part((line) => line ? [h("h2", {}, "On the command line"), command(line)] : null),
  };
  main.append(h("p", {}, h("a", { href: "#runs" }, "← All runs")), h("h1", {}, name), chip.node, problem,
    buttons.node, stopped.node, ...Object.values(parts).map((each) => each.node));
  let latest = null;
  let asked = false;
  let advice = null;
  const advise = async (run) => {
    asked = true;
    try {
      advice = (await ask(`/api/runs/advice?run=${encodeURIComponent(name)}`)).sentences;
      parts.verdict.show(run, advice);
    } catch (error) {
      if (!(error instanceof Refused)) throw error; // the table alone is shown then
    }
  };
  const changed = (run) => {
    problem.hidden = true;
    latest = run;
    if (state !== null && state !== run.state) say(`${name} is ${STATES[run.state] ?? run.state}.`);
    state = run.state;
    chip.show(run.state);
    buttons.show(run.state, run.resume, run.report, run.model);
    stopped.show(run.state, run.resume, run.said, run.problem);
    parts.verdict.show(run.state === "done" ? run : { state: run.state }, advice);
    if (run.state === "done" && run.kind === "study" && !asked) advise(run);
    parts.fit.show(run.fit);
    parts.steps.show(run.progress, clockNow(run));
    parts.plan.show(run.progress ? { plan: run.progress.plan, notes: run.progress.notes } : null);
    parts.studies.show(run.studies, run.state);
    parts.searches.show(run.state === "running" ? run.studies : []);
    parts.command.show(run.command);
  };
  // Time goes on between two answers, which are the same while nothing else happens.
  const clockNow = (run) => {
    const { budget, steps: known } = run.progress ?? { steps: [] };
    return budget || known.some((step) => !step.unit) ? Math.floor(Date.now() / 1000) : 0;
  };
  const ticking = setInterval(() => { if (latest) parts.steps.show(latest.progress, clockNow(latest)); }, 1000);
  const end = watch(`/api/runs/live?run=${encodeURIComponent(name)}`, changed, { seconds: 1, failed: refused });
  return () => { clearInterval(ticking); end(); };
};
