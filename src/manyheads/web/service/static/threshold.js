// From which confidence on the model answers, and what that costs on images that were held out.
import { h } from "/static/shared/base.js";
import { percent, told } from "/static/service/photos.js";

const WIDTH = 300;
const HEIGHT = 150;
const LEFT = 44;
const BOTTOM = 34;
const TOP = 10;
const RIGHT = 12;

const svg = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

/** What holds at a threshold: the first point that is not below it. */
export const pointAt = (risk, threshold) =>
  risk.find((point) => point.threshold >= threshold - 1e-9) ?? { coverage: 0, error: null };

/** What a threshold costs, in a sentence. */
export const costWords = (about, threshold) => {
  const at = `At ${threshold.toFixed(2)}`;
  if (!about.risk?.length) return `${at}: what that costs is not known of this model, which came without the records of its run.`;
  const who = about.risk_by ?? "the model";
  const images = about.expect?.on?.includes("left out") ? "held-out images" : "validation images";
  const { coverage, error } = pointAt(about.risk, threshold);
  if (!coverage) return `${at} ${who} answers for none of the ${images}.`;
  const answered = coverage === 1 ? "all" : percent(coverage, coverage > 0.995 ? 1 : 0);
  const wrong = error ? percent(error) : "none";
  const how = about.thresholds ? "has a label wrong" : "is wrong";
  return `${at} ${who} answers for ${answered} of the ${images} and ${how} on ${wrong} of those.`;
};

/** The upper end of an axis of shares: a round number a little above the greatest. */
const roundUp = (share) => [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8].find((end) => share <= end) ?? 1;

/** The error by coverage, and a mark that `mark(point)` moves. */
const plot = (risk) => {
  const points = risk.filter((point) => point.coverage > 0 && point.error !== null);
  const top = roundUp(Math.max(...points.map((point) => point.error), 0.005));
  const x = (coverage) => LEFT + coverage * (WIDTH - LEFT - RIGHT);
  const y = (error) => HEIGHT - BOTTOM - (error / top) * (HEIGHT - BOTTOM - TOP);
  const axis = [];
  for (const share of [0, 0.5, 1]) {
    axis.push(svg("text", { x: x(share), y: HEIGHT - 17, "text-anchor": share === 1 ? "end" : "middle" }, percent(share, 0)));
  }
  for (const share of [0, top / 2, top]) {
    axis.push(svg("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share) }));
    axis.push(svg("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share, top < 0.04 ? 1 : 0)));
  }
  axis.push(svg("text", { x: x(0.5), y: HEIGHT - 3, "text-anchor": "middle" }, "of the images are answered"));
  const line = points.map((point) => `${x(point.coverage).toFixed(1)},${y(point.error).toFixed(1)}`).join(" ");
  const guide = svg("line", { class: "guide", y1: TOP, y2: HEIGHT - BOTTOM });
  const dot = svg("circle", { class: "dot", r: 5 });
  const title = svg("title");
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "risk" },
    title, ...axis, svg("polyline", { class: "curve", points: line }), guide, dot);
  const mark = ({ coverage, error }, words) => {
    for (const [name, value] of [["x1", x(coverage)], ["x2", x(coverage)]]) guide.setAttribute(name, value);
    dot.setAttribute("cx", x(coverage));
    dot.setAttribute("cy", y(error ?? 0));
    dot.classList.toggle("gone", error === null);
    title.textContent = `Wrong answers by the share of images that are answered. ${words}`;
  };
  return { drawn, mark };
};

export class Threshold {
  /** `changed(threshold)` hears of each move, at most once a frame. */
  constructor(place, changed) {
    this.place = place;
    this.changed = changed;
    this.value = 0.5;
    this.frame = 0;
  }

  /** Show what is known of a model. */
  show(about) {
    this.about = about;
    this.slider = h("input", { type: "range", id: "least", min: "0", max: "1", step: "0.01", value: String(this.value), "aria-describedby": "cost" });
    this.read = h("output", { for: "least", class: "number" });
    this.cost = h("p", { id: "cost", class: "cost" });
    this.plot = about.risk?.some((point) => point.error !== null) ? plot(about.risk) : null;
    const words = h("div", { class: "words" },
      h("div", { class: "row" }, h("label", { for: "least" }, about.thresholds ? "Answer only from a confidence, in the least sure label, of" : "Answer only from a confidence of"), this.read),
      this.slider, this.cost,
      about.risk_on && this.plot ? h("p", { class: "quiet small" }, `Measured on ${about.risk_on}.`) : null);
    if (about.unknown) words.append(this.#unknown(about.unknown));
    this.place.replaceChildren(words, ...(this.plot
      ? [h("figure", {}, h("figcaption", { class: "quiet" }, "Wrong among the answered"), this.plot.drawn)] : []));
    this.slider.addEventListener("input", () => {
      this.value = Number(this.slider.value);
      this.#write();
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => this.changed(this.value));
    });
    this.#write();
  }

  /** The switch for unknown photographs; they are asked for with every answer. */
  #unknown({ rate, held_out: count }) {
    const box = h("input", { type: "checkbox", id: "tell-unknown", "aria-describedby": "unknown-cost" });
    box.checked = told.unknown;
    box.addEventListener("change", () => {
      told.unknown = box.checked;
      this.changed(this.value);
    });
    const cost = `Of photographs of the model's own ${this.about.thresholds ? "labels" : "classes"} about ${percent(rate, 0)} are called unknown too, by ${count.toLocaleString("en")} held-out images.`;
    return h("div", { class: "unknown" },
      h("div", { class: "row" }, box,
        h("label", { for: "tell-unknown" }, "Call photographs unknown that are unlike the training images")),
      h("p", { id: "unknown-cost", class: "quiet small" }, cost));
  }

  #write() {
    const words = costWords(this.about, this.value);
    this.read.textContent = this.value.toFixed(2);
    this.cost.textContent = words;
    this.slider.setAttribute("aria-valuetext", words);
    this.plot?.mark(pointAt(this.about.risk, this.value), words);
  }
}
