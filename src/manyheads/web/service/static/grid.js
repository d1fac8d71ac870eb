// The answers as a grid: a cell for each photograph, and thumbnails only of what is near the view.
import { h } from "/static/shared/base.js";
import { ANSWERED, FAILED, UNREADABLE, answerWords, belongs, chanceWords, sureWords } from "/static/service/photos.js";

const SIDE = 240; // pixels of a thumbnail
const DECODING = 3; // at once
const NEAR = "600px"; // of the view
const KEPT = 400; // thumbnails
const A_FRAME = 150; // cells that are put into the page at once

/** Draw the middle of a file's picture into a canvas; false if the browser cannot read it. */
const draw = async (file, canvas) => {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return false;
  }
  const side = Math.min(bitmap.width, bitmap.height);
  canvas.width = SIDE;
  canvas.height = SIDE;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(
    bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, SIDE, SIDE,
  );
  bitmap.close();
  return true;
};

export class Grid {
  #cells = new Map(); // photo → its cell
  #photo = new WeakMap(); // cell → its photo
  #near = new Set();
  #drawn = new Map(); // photos with a thumbnail, the oldest first
  #decoding = 0;
  #seen;
  #frame = 0;
  #current = null; // the photo whose cell has the tab stop

  /** `open(photo)` hears that a cell was chosen. */
  constructor(list, open) {
    this.list = list;
    this.shown = [];
    this.open = open;
    this.#seen = new IntersectionObserver((entries) => this.#moved(entries), { rootMargin: NEAR });
    list.addEventListener("click", (event) => {
      const cell = event.target.closest("li");
      if (cell) this.open(this.#photo.get(cell));
    });
    list.addEventListener("focusin", (event) => {
      const cell = event.target.closest("li");
      if (cell) this.#stopAt(this.#photo.get(cell));
    });
    list.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show those of `photos` that belong to `filter`; cells come in over several frames. */
  show(photos, filter, threshold) {
    this.threshold = threshold;
    const former = this.shown;
    this.shown = photos.filter((photo) => belongs(photo, filter, threshold));
    const isSame = former.length === this.shown.length && former.every((photo, at) => photo === this.shown[at]);
    if (isSame) return; // or on its way
    this.list.setAttribute("aria-busy", "true");
    const wanted = new Set(this.shown);
    for (const cell of [...this.list.children]) {
      if (!wanted.has(this.#photo.get(cell))) cell.remove();
    }
    cancelAnimationFrame(this.#frame);
    this.#fill(0, this.list.firstElementChild);
  }

  /** Write what is known of a photo into its cell. */
  update(photo) {
    const cell = this.#cells.get(photo);
    if (cell) this.#write(cell, photo);
  }

  updateAll(threshold) {
    this.threshold = threshold;
    for (const [photo, cell] of this.#cells) this.#write(cell, photo);
  }

  focus(photo) {
    this.#cells.get(photo)?.firstElementChild.focus();
  }

  clear() {
    cancelAnimationFrame(this.#frame);
    this.#seen.disconnect();
    this.#cells.clear();
    this.#near.clear();
    this.#drawn.clear();
    this.#current = null;
    this.shown = [];
    this.list.replaceChildren();
  }

  #fill(from, at) {
    const end = Math.min(from + A_FRAME, this.shown.length);
    for (const photo of this.shown.slice(from, end)) {
      const cell = this.#cell(photo);
      this.#write(cell, photo);
      if (cell === at) at = at.nextElementSibling;
      else this.list.insertBefore(cell, at);
    }
    if (!this.#current || !this.#cells.get(this.#current)?.isConnected) this.#stopAt(this.shown[0]);
    if (end < this.shown.length) this.#frame = requestAnimationFrame(() => this.#fill(end, at));
    else this.list.removeAttribute("aria-busy");
  }

  #cell(photo) {
    let cell = this.#cells.get(photo);
    if (!cell) {
      cell = h("li", {}, h("button", { type: "button", tabindex: "-1" },
        h("canvas", { width: "1", height: "1", "aria-hidden": "true" }),
        h("span", { class: "label" }), h("span", { class: "chance number" }),
        h("span", { class: "next" }), h("span", { class: "file" }, photo.name)));
      this.#cells.set(photo, cell);
      this.#photo.set(cell, photo);
      this.#seen.observe(cell);
    }
    return cell;
  }

  #write(cell, photo) {
    const [, label, chance, next] = cell.firstElementChild.children;
    const isUnsure = photo.isUnsure(this.threshold);
    const word = photo.isUnknown ? "unknown" : isUnsure ? "unsure" : "";
    const kind = photo.state === ANSWERED ? (word ? "unsure" : "sure") : photo.state;
    const mark = `${kind} ${word} ${photo.label} ${photo.confidence} ${photo.error}`;
    if (cell.mark === mark) return;
    cell.mark = mark;
    cell.className = kind;
    if (photo.state === ANSWERED) {
      const following = word ? photo.top : photo.following();
      label.textContent = word || answerWords(photo, this.classes);
      chance.textContent = word ? "" : sureWords(photo);
      next.textContent = following.map((place) => `${this.classes[place]} ${chanceWords(photo.chances[place])}`).join(", ");
    } else {
      label.textContent = { [UNREADABLE]: "unreadable", [FAILED]: "not answered" }[photo.state] ?? "…";
      chance.textContent = "";
      next.textContent = photo.error;
    }
  }

  #stopAt(photo) {
    if (photo === this.#current) return;
    const former = this.#cells.get(this.#current);
    if (former) former.firstElementChild.tabIndex = -1;
    this.#current = photo ?? null;
    const cell = this.#cells.get(photo);
    if (cell) cell.firstElementChild.tabIndex = 0;
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const place = this.shown.indexOf(this.#current);
    const last = this.shown.length - 1;
    const to = {
      ArrowLeft: place - 1, ArrowRight: place + 1, ArrowUp: place - columns, ArrowDown: place + columns,
      PageUp: Math.max(0, place - 4 * columns), PageDown: Math.min(last, place + 4 * columns),
      Home: 0, End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && to <= last) this.focus(this.shown[to]);
  }

  #moved(entries) {
    for (const entry of entries) {
      const photo = this.#photo.get(entry.target);
      if (entry.isIntersecting) this.#near.add(photo);
      else this.#near.delete(photo);
    }
    this.#decode();
  }

  #decode() {
    for (const photo of this.#near) {
      if (this.#decoding >= DECODING) return;
      if (this.#drawn.has(photo)) continue;
      const canvas = this.#cells.get(photo)?.firstElementChild.firstElementChild;
      if (!canvas) continue;
      this.#drawn.set(photo, canvas);
      this.#decoding += 1;
      draw(photo.file, canvas).then((isDrawn) => canvas.classList.toggle("blank", !isDrawn))
        .finally(() => {
          this.#decoding -= 1;
          this.#decode();
        });
    }
    // The oldest that are far from the view give their memory back.
    for (const [photo, canvas] of this.#drawn) {
      if (this.#drawn.size <= KEPT) break;
      if (this.#near.has(photo)) continue;
      this.#drawn.delete(photo);
      canvas.width = 1;
      canvas.height = 1;
    }
  }
}
