// One photograph in a dialog: the picture, every probability, and where the model looked.
import { h } from "/static/shared/base.js";
import { ANSWERED, WAITING, answerWords, chanceWords, percent, sureWords } from "/static/service/photos.js";
import { predict } from "/static/service/sending.js";

const FIRST = 12; // classes before the others are asked for

const isMap = (text) => typeof text === "string" && /^data:image\/(png|jpeg|webp);base64,/.test(text);

export class Detail {
  #url = null;
  #stop = null;

  /** `list()` are the photographs to go through, `left(photo)` hears of the last one shown, until `signal` aborts. */
  constructor(dialog, list, left, signal) {
    this.dialog = dialog;
    this.list = list;
    this.photo = null;
    dialog.addEventListener("close", () => {
      const photo = this.photo;
      this.#forget();
      this.photo = null;
      dialog.replaceChildren();
      if (photo) left(photo);
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    // The focus may be nowhere for a moment, as a button goes that had it.
    addEventListener("keydown", (event) => {
      if (!this.isOpen || event.altKey || event.ctrlKey || event.metaKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.#go(step);
    }, { signal });
  }

  get isOpen() { return this.dialog.open; }

  /** Show a photo; `about` is of the model, `address` where to ask, `threshold` the least. */
  open(photo, { about, address, threshold }) {
    Object.assign(this, { about, address, threshold });
    this.#show(photo);
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.querySelector("#detail-title").focus();
  }

  /** Show anew what has changed of the photo that is shown. */
  refresh(photo) {
    if (this.isOpen && photo === this.photo) this.#answers();
  }

  close() { if (this.dialog.open) this.dialog.close(); }

  #go(step) {
    const list = this.list();
    const place = list.indexOf(this.photo) + step;
    if (place < 0 || place >= list.length) return;
    this.#show(list[place]);
    this.dialog.querySelector("#detail-title").focus();
  }

  #forget() {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
    this.#stop?.abort();
    this.#stop = null;
  }

  #show(photo) {
    this.#forget();
    this.photo = photo;
    this.#url = URL.createObjectURL(photo.file);
    const list = this.list();
    const place = list.indexOf(photo);
    const picture = h("img", { src: this.#url, alt: `The photograph ${photo.name}` });
    picture.addEventListener("error", () => {
      picture.replaceWith(h("p", { class: "no-picture quiet" }, "This browser cannot show the file; the model may read it all the same."));
    });
    this.pictures = h("div", { class: "pictures" }, h("figure", {}, picture));
    this.answers = h("div", { class: "answers" });
    const button = (words, step, isThere) =>
      h("button", { type: "button", disabled: !isThere, onclick: () => this.#go(step) }, words);
    this.dialog.replaceChildren(
      h("div", { class: "bar" },
        h("h2", { id: "detail-title", tabindex: "-1" }, photo.name),
        h("button", { type: "button", onclick: () => this.dialog.close() }, "Close")),
      h("div", { class: "parts" }, this.pictures, this.answers),
      h("div", { class: "controls foot" },
        button("← Previous", -1, place > 0),
        h("span", { class: "quiet number" }, `${place + 1} of ${list.length}`),
        button("Next →", 1, place >= 0 && place < list.length - 1)),
    );
    this.#answers();
  }

  #answers() {
    const { photo, answers } = this;
    if (photo.state !== ANSWERED) {
      const words = photo.state === WAITING ? "No answer yet." : photo.error;
      answers.replaceChildren(h("p", { class: photo.state === WAITING ? "quiet" : "alert" }, words));
      return;
    }
    const isUnsure = photo.isUnsure(this.threshold);
    const words = answerWords(photo, this.about.classes);
    const said = photo.labels ? `${words}; ${sureWords(photo)}` : `${words} at ${sureWords(photo)}`;
    const lead = photo.isUnknown
      ? h("p", { class: "lead" }, "unknown ", h("span", { class: "quiet" },
        `(else ${said}; more unlike the training images than ${percent(photo.unlike)} of the held-out images)`))
      : isUnsure
      ? h("p", { class: "lead" }, "unsure ", h("span", { class: "quiet" },
        `(${said}, below ${this.threshold.toFixed(2)})`))
      : h("p", { class: "lead" }, words, " ", h("span", { class: "quiet number" }, sureWords(photo)));
    const ranked = photo.ranked();
    const { thresholds } = this.about;
    const title = thresholds ? "Probability of each label, and the threshold above which it is said" : "Probability of each class";
    const list = h("ol", { class: `bars${thresholds ? " several" : ""}`, role: "list", tabindex: "-1", "aria-label": title });
    const add = (places) => list.append(...places.map((place) => this.#bar(place)));
    add(ranked.slice(0, FIRST));
    const rest = ranked.slice(FIRST);
    const more = rest.length
      ? h("button", { type: "button", class: "plain", onclick: () => {
        more.remove();
        add(rest);
        list.focus();
      } },
        `Show the other ${rest.length.toLocaleString("en")} ${thresholds ? "labels" : "classes"}`) : null;
    this.looked = h("div", { class: "looked" });
    answers.replaceChildren(lead, list, ...(more ? [more] : []), this.looked);
    this.#offer();
  }

  #bar(place) {
    const chance = this.photo.chances[place];
    const fill = h("span", { class: "fill", "aria-hidden": "true" });
    fill.style.setProperty("--share", `${100 * chance}%`);
    const name = h("span", { class: "name" }, this.about.classes[place]);
    const track = h("span", { class: "track" }, fill);
    const row = h("li", {}, name, track, h("span", { class: "number" }, chanceWords(chance)));
    if (!this.about.thresholds) return row;
    const threshold = this.about.thresholds[place];
    const isSaid = this.photo.said.includes(place);
    const mark = h("span", { class: "mark", "aria-hidden": "true" });
    mark.style.setProperty("--at", `${100 * threshold}%`);
    track.append(mark);
    row.classList.toggle("said", isSaid);
    row.append(h("span", { class: "quiet small" }, `${isSaid ? "said, above" : "not above"} ${percent(threshold)}`));
    return row;
  }

  #offer(words = "") {
    const { photo, looked } = this;
    if (photo.explanations) {
      this.#maps(photo.explanations);
      return;
    }
    const ask = h("button", { type: "button", onclick: () => this.#explain() }, "Where did it look?");
    looked.replaceChildren(...(words ? [h("p", { class: "alert" }, words)] : []), ask);
  }

  async #explain() {
    const { photo, looked } = this;
    const waiting = h("p", { class: "quiet", role: "status", tabindex: "-1" }, "Asking where it looked …");
    looked.replaceChildren(waiting);
    waiting.focus();
    this.#stop = new AbortController();
    let words = "";
    try {
      const busy = (seconds) => { waiting.textContent = `The service is busy; trying again in ${Math.ceil(seconds)} s …`; };
      const lost = () => { words = "The browser can no longer read this file."; };
      const rows = await predict(`${this.address}&explain=1`, [photo], { signal: this.#stop.signal, busy, lost });
      const row = rows?.[0];
      const found = row?.explanations ?? (row?.explanation ? [row.explanation] : []);
      if (found.length && found.every(({ map }) => isMap(map))) photo.explanations = found;
      else words ||= found[0]?.error || rows?.[0]?.error || "This model cannot tell where it looked.";
    } catch (error) {
      if (error.name === "AbortError") return;
      words = error.message;
    }
    if (this.photo !== photo) return;
    const hasFocus = document.activeElement === waiting;
    this.#offer(words);
    if (hasFocus) this.looked.querySelector("button, [tabindex]")?.focus();
  }

  /** A picture for each class that the model looked for. */
  #maps(explanations) {
    this.pictures.querySelectorAll(".map").forEach((each) => each.remove());
    for (const { map, class: name } of explanations) {
      const told = `Where the model looked for ${name}`;
      this.pictures.append(h("figure", { class: "map" }, h("img", { src: map, alt: told }), h("figcaption", { class: "quiet" }, told)));
    }
    const words = explanations.map((each) => each.words).filter(Boolean).join(" ");
    const shade = "The stronger the colour, the more the answer depends on that part.";
    this.looked.replaceChildren(h("p", { class: "quiet", role: "status", tabindex: "-1" }, words ? `${words} ${shade}` : shade));
  }
}
