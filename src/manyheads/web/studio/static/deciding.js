// Decisions about images: the keys of classes, the bar of actions, and what the server answers.
import { ask, h, Refused, say } from "/static/shared/base.js";

const RESERVED = "xksgur"; // leave out, keep, suggested, as given, undo, redo
const KEYS = [..."1234567890", ..."abcdefghijklmnopqrstuvwxyz"].filter((key) => !RESERVED.includes(key));

/** The key of each class, the first ones digits: `{ "1": "cat", "2": "dog" }`. */
export const classKeys = (classes) => Object.fromEntries(classes.slice(0, KEYS.length).map((name, place) => [KEYS[place], name]));

/**
 * What a page decides with. `state()` gives the open data's state, `changed(state, said)` hears the
 * new one after each step.
 */
export class Decider {
  #last = Promise.resolve();

  constructor(state, changed) {
    this.state = state;
    this.changed = changed;
  }

  /** One step after the other: a redo that overtakes its undo would find nothing to do again. */
  #send(address, body) {
    this.#last = this.#last.catch(() => {}).then(() => this.#step(address, body));
    return this.#last;
  }

  async #step(address, body) {
    try {
      const answer = await ask(address, { of: this.state().token, ...body });
      await this.changed(answer.current);
      say(answer.said);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(error.message);
    }
  }

  decide(kind, numbers, value = "") {
    if (!numbers.length) { say("Select images first."); return Promise.resolve(); }
    return this.#send("/api/data/decide", { kind, images: numbers, value });
  }

  undo() { return this.#send("/api/data/undo", {}); }

  redo() { return this.#send("/api/data/redo", {}); }

  manifest(name) { return this.#send("/api/data/manifest", { name: name || null }); }

  /** What a key does with images, and whether it does anything. `suggested(item)` is a class. */
  key(key, items, { suggested, finding } = {}) {
    const numbers = items.map((item) => item.number);
    const name = classKeys(this.state().classes.map((each) => each.name))[key];
    if (key === "u") this.undo();
    else if (key === "r") this.redo();
    else if (!numbers.length) return false;
    else if (key === "x") this.decide("leave out", numbers);
    else if (key === "g") this.decide("as given", numbers);
    else if (key === "k" && finding) this.decide("keep", numbers, finding);
    else if (key === "s" && suggested) this.suggest(items, suggested);
    else if (name !== undefined) this.decide("relabel", numbers, name);
    else return false;
    return true;
  }

  /** Give images the classes that are suggested, a step for each class. */
  async suggest(items, suggested) {
    const groups = new Map();
    for (const item of items) {
      const name = suggested(item);
      groups.set(name, [...(groups.get(name) ?? []), item.number]);
    }
    for (const [name, numbers] of groups) await this.decide("relabel", numbers, name);
  }
}

/** The actions on what is selected: `meant()` gives the items, `more` are further buttons. */
export const actionBar = (decider, meant, ...more) => {
  const id = `class-${Math.random().toString(36).slice(2)}`;
  const state = decider.state();
  const names = state.classes.map((each) => each.name);
  const field = h("input", { type: "text", list: id, "aria-label": "Class", placeholder: "class, or a new name", autocomplete: "off" });
  const numbers = () => meant().map((item) => item.number);
  const split = h("select", { "aria-label": "Split" }, ...state.splits.map((name) => h("option", {}, name)));
  const relabel = () => {
    if (!field.value.trim()) { field.focus(); say("Name a class first."); return; }
    decider.decide("relabel", numbers(), field.value.trim());
  };
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") relabel(); });
  const button = (words, act) => h("button", { type: "button", onclick: act }, words);
  return h("div", { class: "controls actions", role: "group", "aria-label": "What to do with the selected images" },
    h("output", { class: "count" }, "0 selected"), ...more,
    h("span", { class: "pair" }, field, h("datalist", { id }, ...names.map((value) => h("option", { value }))), button("Relabel", relabel)),
    button("Leave out", () => decider.decide("leave out", numbers())),
    h("span", { class: "pair" }, split, button("Move", () => decider.decide("move", numbers(), split.value))),
    button("As given", () => decider.decide("as given", numbers())));
};

/** The keys and what they do, to be opened. */
export const keyHelp = (state, { findings = false } = {}) => {
  const keys = Object.entries(classKeys(state.classes.map((each) => each.name)));
  const row = (key, ...words) => h("li", {}, h("kbd", {}, key), " ", ...words);
  return h("details", { class: "keys" }, h("summary", {}, "Keys"),
    h("ul", {},
      row("← → ↑ ↓", "move, with Shift select"), row("Space", "select"), row("Enter", "look at it in large"),
      ...(findings ? [row("s", "take the suggested label"), row("k", "keep as it is")] : []),
      row("x", "leave out"), row("g", "as given"), row("u", "undo"), row("r", "redo"),
      ...keys.map(([key, name]) => row(key, "label ", h("bdi", {}, name)))));
};
