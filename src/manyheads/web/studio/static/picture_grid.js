// Pictures that can be selected, one or many, by pointer and by keyboard.
import { h } from "/static/shared/base.js";

/** The name of an image's file, its whole path behind it for those who point at it. */
export const fileName = (name) => h("span", { class: "file", title: name }, h("bdi", {}, name.split("/").at(-1)));

/** A picture, read once it is near to be seen. */
export const picture = (address, alt = "") => h("img", { src: address, alt, loading: "lazy", decoding: "async", draggable: "false" });

/** One picture in large, in a dialog that Escape closes; `more` are nodes below it. */
export const enlarge = (address, title, ...more) => {
  const dialog = h("dialog", { class: "large", "aria-label": title },
    h("form", { method: "dialog" }, h("p", {}, h("bdi", {}, title)), h("button", {}, "Close")),
    picture(address, title), ...more);
  const before = document.activeElement;
  dialog.addEventListener("close", () => { dialog.remove(); before?.focus?.(); });
  document.body.append(dialog);
  dialog.showModal();
};

/**
 * A grid of pictures. `address(item)` is where a picture lies, `name(item)` its name for those who
 * do not see it, `caption(item)` nodes below it; `onSelect(items)` hears of each selection,
 * `onKey(key, items)` of other keys and says whether it knew them; `onOpen(item)` is for Enter and a
 * double click.
 */
export class PictureGrid {
  constructor({ label, address, name, caption, onSelect, onKey, onOpen }) {
    Object.assign(this, { address, name, caption, onSelect, onKey, onOpen });
    this.items = [];
    this.chosen = new Set();
    this.at = 0;
    this.from = 0; // where the focus was before a click
    this.node = h("ul", {
      class: "pictures", role: "listbox", "aria-multiselectable": "true", "aria-label": label,
      onkeydown: (event) => this.#key(event),
    });
  }

  /** Show other pictures; the focus stays at its place, if it was in the grid. */
  show(items) {
    const had = this.node.contains(document.activeElement);
    this.items = items;
    this.chosen.clear();
    this.at = Math.max(0, Math.min(this.at, items.length - 1));
    this.node.replaceChildren(...items.map((item, place) => this.#option(item, place)));
    if (had && items.length) this.#focus(this.at);
    this.onSelect?.([]);
  }

  /** What is selected, or what has the focus if nothing is. */
  get meant() {
    if (this.chosen.size) return [...this.chosen].sort((a, b) => a - b).map((n) => this.items[n]);
    const focused = this.node.contains(document.activeElement) ? this.items[this.at] : null;
    return focused ? [focused] : [];
  }

  get selected() { return [...this.chosen].map((place) => this.items[place]); }

  selectAll(on = true) {
    this.items.forEach((_, place) => this.#choose(place, on));
    this.onSelect?.(this.selected);
  }

  #option(item, place) {
    return h("li", {
      role: "option", "aria-selected": "false", "aria-label": this.name(item), tabindex: place === this.at ? "0" : "-1",
      onmousedown: () => { this.from = this.at; },
      onclick: (event) => {
        if (event.shiftKey && this.chosen.size) this.#range(this.from, place);
        else this.#choose(place, !this.chosen.has(place));
        this.#focus(place);
        this.onSelect?.(this.selected);
      },
      ondblclick: () => this.onOpen?.(item),
      onfocus: () => this.#stand(place),
    }, picture(this.address(item)), h("div", { class: "caption" }, ...this.caption(item)));
  }

  #choose(place, on) {
    if (on) this.chosen.add(place);
    else this.chosen.delete(place);
    this.node.children[place].setAttribute("aria-selected", String(on));
  }

  #range(from, to) {
    for (let place = Math.min(from, to); place <= Math.max(from, to); place += 1) this.#choose(place, true);
  }

  /** Be at a picture, whoever moved the focus there. */
  #stand(place) {
    this.node.children[this.at]?.setAttribute("tabindex", "-1");
    this.at = place;
    this.node.children[place].setAttribute("tabindex", "0");
  }

  #focus(place) {
    this.#stand(place);
    this.node.children[place].focus();
  }

  /** How many pictures stand beside each other. */
  get #across() {
    const tops = [...this.node.children].map((each) => each.offsetTop);
    const next = tops.findIndex((top) => top !== tops[0]);
    return next < 0 ? tops.length : next;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.items.length) return;
    const last = this.items.length - 1;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#across, ArrowUp: -this.#across };
    let known = true;
    if (event.key in steps) {
      const to = this.at + steps[event.key];
      if (to < 0 || to > last) known = Math.abs(steps[event.key]) === 1;
      else {
        if (event.shiftKey) this.#range(this.at, to);
        this.#focus(to);
        if (event.shiftKey) this.onSelect?.(this.selected);
      }
      event.preventDefault();
      return;
    }
    if (event.key === "Home") this.#focus(0);
    else if (event.key === "End") this.#focus(last);
    else if (event.key === " ") {
      this.#choose(this.at, !this.chosen.has(this.at));
      this.onSelect?.(this.selected);
    } else if (event.key === "Enter") this.onOpen?.(this.items[this.at]);
    else if (event.key === "Escape") this.selectAll(false);
    else known = this.onKey?.(event.key, this.meant) ?? false;
    if (known) event.preventDefault();
  }
}

/** Buttons to the pages of a list: `go(start)` shows the page that begins there. */
export const pager = (start, count, total, go) => {
  if (total <= count) return h("span");
  const to = Math.min(total, start + count);
  return h("div", { class: "controls pager" },
    h("button", { type: "button", disabled: start === 0, onclick: () => go(Math.max(0, start - count)) }, "Before"),
    h("span", { class: "number" }, `${(start + 1).toLocaleString("en")} to ${to.toLocaleString("en")} of ${total.toLocaleString("en")}`),
    h("button", { type: "button", disabled: to >= total, onclick: () => go(start + count) }, "Next"));
};
