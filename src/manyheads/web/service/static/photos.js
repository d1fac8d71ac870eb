// The photographs on the page: what is known of each, and which of them are shown.

export const WAITING = "waiting";
export const ANSWERED = "answered";
export const UNREADABLE = "unreadable"; // the server says that it is no image it can read
export const FAILED = "failed"; // it was not asked, or refused

/** What is said of a photograph without any label. */
export const NO_LABELS = "(none)";

/** Whether the page calls photographs unknown that are unlike the model's images. */
export const told = { unknown: false };

/** One photograph. `chances` are in the order of the model's classes. */
export class Photo {
  constructor(file, name) {
    this.file = file;
    this.name = name;
    this.forget();
  }

  /** As if the model had not been asked. */
  forget() {
    this.state = WAITING;
    this.label = null;
    this.labels = null; // all that are said, of a model of several labels per image
    this.confidence = NaN;
    this.chances = null;
    this.top = []; // the places of the three most probable classes
    this.said = []; // the places of what the model answers with, the most probable first
    this.unlike = NaN; // the share of held-out images that are less unlike
    this.isUnlike = false;
    this.error = "";
    this.explanations = null;
  }

  /** Take a row of the answer; classes and thresholds are the model's. */
  take(row, { classes, thresholds }) {
    if (row.error) {
      this.state = UNREADABLE;
      this.error = row.error;
      return;
    }
    this.chances = Float64Array.from(classes, (name) => row.probabilities[name] ?? NaN);
    const ranked = this.ranked();
    this.top = ranked.slice(0, 3);
    if (thresholds) {
      this.said = ranked.filter((place) => this.chances[place] > thresholds[place]);
      this.labels = classes.filter((_, place) => this.said.includes(place));
      this.label = this.labels.join(";") || NO_LABELS;
      this.confidence = row.confidence;
    } else {
      this.said = this.top.slice(0, 1);
      this.label = classes[this.top[0]];
      this.confidence = this.chances[this.top[0]];
    }
    this.unlike = row.unlike ?? NaN;
    this.isUnlike = row.unknown === true;
    this.state = ANSWERED;
  }

  fail(error) {
    this.state = FAILED;
    this.error = error;
  }

  /** Places of the most probable classes, the greatest first; equals in the classes' order. */
  ranked() {
    const { chances } = this;
    return [...chances.keys()].sort((a, b) => chances[b] - chances[a] || a - b);
  }

  /** Places of the two most probable classes that are no answer. */
  following() {
    return this.labels ? this.ranked().filter((place) => !this.said.includes(place)).slice(0, 2) : this.top.slice(1);
  }

  /** What it is counted and found by: its class, or each of its labels. */
  get kinds() { return this.labels?.length ? this.labels : [this.label]; }

  get isUnknown() { return told.unknown && this.state === ANSWERED && this.isUnlike; }
  isUnsure(threshold) { return this.state === ANSWERED && !this.isUnknown && this.confidence < threshold; }
  isSure(threshold) { return this.state === ANSWERED && !this.isUnknown && this.confidence >= threshold; }
  get isWithout() { return this.state === UNREADABLE || this.state === FAILED; }
}

/** Which photographs a filter shows: "all", "unknown", "unsure", "without", or "class " and its name. */
export const belongs = (photo, filter, threshold) => {
  if (filter === "all") return true;
  if (filter === "unknown") return photo.isUnknown;
  if (filter === "unsure") return photo.isUnsure(threshold);
  if (filter === "without") return photo.isWithout;
  return photo.isSure(threshold) && photo.kinds.some((kind) => `class ${kind}` === filter);
};

/** How many there are of each kind, and of each class among the sure answers. */
export const counted = (photos, threshold) => {
  const counts = { all: photos.length, answered: 0, unknown: 0, unsure: 0, without: 0, classes: new Map() };
  for (const photo of photos) {
    if (photo.isWithout) counts.without += 1;
    if (photo.state !== ANSWERED) continue;
    counts.answered += 1;
    if (photo.isUnknown) counts.unknown += 1;
    else if (photo.isUnsure(threshold)) counts.unsure += 1;
    else for (const kind of photo.kinds) counts.classes.set(kind, (counts.classes.get(kind) ?? 0) + 1);
  }
  return counts;
};

/** The answer in words: a class, or each label with its probability. */
export const answerWords = (photo, classes) => photo.labels
  ? photo.said.map((place) => `${classes[place]}\u00a0${chanceWords(photo.chances[place])}`).join(", ") || NO_LABELS
  : photo.label;

/** How sure it is, in words: of several labels the least sure one. */
export const sureWords = (photo) => `${photo.labels ? "least sure " : ""}${chanceWords(photo.confidence)}`;

/** `1 photograph`, `2,000 photographs`. */
export const things = (count, noun = "photograph") =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** A share such as `84.6 %`, which no line breaks. */
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}\u00a0%`;

/** A probability such as 83.1 %; never 100.0 % or 0.0 % of what is not. */
export const chanceWords = (chance) => {
  if (!(chance >= 0)) return "–";
  if (chance < 1 && chance >= 0.9995) return ">\u00a099.9\u00a0%";
  if (chance > 0 && chance < 0.0005) return "<\u00a00.1\u00a0%";
  return percent(chance);
};
