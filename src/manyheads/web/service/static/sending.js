// Photographs on their way to the model: in batches, a few at once, again where it is busy.
import { Refused } from "/static/shared/base.js";

const BATCH = 8;
const BYTES = 24e6; // of a batch; a larger file goes alone
const AT_ONCE = 2;
const BUSY_TRIES = 20;
const SILENT_TRIES = 3;
const LONGEST = 30; // seconds between two tries

const SILENT = "The service does not answer. Is it still running?";
const BROKEN_OFF = "the service broke off the request; is the file too large?";
const GONE = "the browser can no longer read this file; was it moved or changed?";

/** The service cannot go on for now: what was to be sent is kept. */
export class Halted extends Error {}
/** The files, or some of them, are what is refused. */
class TooMuch extends Refused {}

const pause = (seconds, signal) => new Promise((done, stop) => {
  const timer = setTimeout(done, 1000 * seconds);
  signal?.addEventListener("abort", () => { clearTimeout(timer); stop(signal.reason); }, { once: true });
});

const words = async (response) => {
  try {
    const answer = await response.json();
    return typeof answer.error === "string" ? answer.error : "";
  } catch {
    return "";
  }
};

/** Whether every file can still be read; one that cannot is told to `lost`. */
const allThere = async (photos, lost) => {
  let all = true;
  for (const photo of photos) {
    try {
      await photo.file.slice(0, 1).arrayBuffer();
    } catch {
      all = false;
      lost(photo);
    }
  }
  return all;
};

/** Whether the service answers at all. */
const isThere = async (signal) => {
  try {
    return (await fetch("/", { cache: "no-store", signal })).ok;
  } catch {
    return false;
  }
};

/**
 * What the model answers, a row for each photograph. Waits and asks again where it is busy, which
 * `busy(seconds)` hears of. Throws `Halted`, `Refused`, or `AbortError`.
 */
export const predict = async (address, photos, { signal, busy = () => {}, lost = () => {} } = {}) => {
  for (let tried = 0, silent = 0; ;) {
    const body = new FormData();
    for (const photo of photos) body.append("image", photo.file, photo.name);
    let response;
    try {
      response = await fetch(address, { method: "POST", body, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // A file that is gone fails as a network does.
      if (!await allThere(photos, lost)) return null;
      silent += 1;
      if (silent >= SILENT_TRIES) throw await isThere(signal) ? new TooMuch(BROKEN_OFF) : new Halted(SILENT);
      await pause(silent, signal);
      continue;
    }
    if ([429, 503, 504].includes(response.status)) {
      const told = await words(response);
      tried += 1;
      if (tried >= BUSY_TRIES) throw new Halted(told || "The service is busy and has not answered for long.");
      const asked = Number.parseFloat(response.headers.get("Retry-After"));
      const seconds = Math.min(LONGEST, Math.max(0.2, asked >= 0 ? asked : 2));
      busy(seconds);
      await pause(seconds, signal);
      continue;
    }
    if (!response.ok) {
      const told = await words(response) || `The service refused: ${response.status}`;
      const isOfFiles = [400, 408, 413, 415, 422].includes(response.status);
      throw isOfFiles ? new TooMuch(told) : new Halted(told);
    }
    let rows;
    try {
      rows = (await response.json()).predictions;
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
    if (!Array.isArray(rows) || rows.length !== photos.length) {
      throw new Halted("The service gave an answer that this page does not understand. Reload the page.");
    }
    return rows;
  }
};

/** Sends photographs in the order given; `heard` has the functions that hear what comes of it. */
export class Sender {
  #queue = [];
  #running = 0;
  #stop = new AbortController();

  /**
   * `address()` is where to send; `rows(photos, rows)` hears of answers, `failed(photo, why)` of a
   * file that is refused, `busy(seconds)`, `halted(why)` when nothing is sent any more before
   * `goOn`, and `done()` when all is.
   */
  constructor(address, heard) {
    this.address = address;
    this.heard = heard;
    this.isHalted = false;
  }

  get left() { return this.#queue.length + this.#running; }

  add(photos) {
    for (const photo of photos) this.#queue.push(photo);
    if (!this.isHalted) this.#pump();
  }

  /** Send what is left. */
  goOn() {
    this.isHalted = false;
    this.#pump();
  }

  /** Stop, and keep what is left; what is under way is asked for again by `goOn`. */
  halt(why = "") {
    this.isHalted = true;
    this.#stop.abort();
    this.#stop = new AbortController();
    this.heard.halted(why);
  }

  /** Stop, and forget what is left. */
  clear() {
    this.#queue = [];
    this.isHalted = false;
    this.#stop.abort();
    this.#stop = new AbortController();
  }

  #pump() {
    while (this.#running < AT_ONCE && this.#queue.length && !this.isHalted) {
      const batch = this.#batch();
      this.#running += 1;
      const { signal } = this.#stop;
      this.#send(batch, signal).finally(() => {
        this.#running -= 1;
        this.#pump();
        if (!this.left && !this.isHalted && !signal.aborted) this.heard.done();
      });
    }
  }

  #batch() {
    let bytes = 0;
    let count = 0;
    for (const photo of this.#queue.slice(0, BATCH)) {
      bytes += photo.file.size;
      if (count && bytes > BYTES) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #send(photos, signal) {
    try {
      await this.#answered(photos, signal);
    } catch (error) {
      const left = photos.filter((photo) => photo.state === "waiting");
      if (error.name === "AbortError") {
        if (this.isHalted) this.#queue.unshift(...left);
        return;
      }
      this.#queue.unshift(...left);
      const why = error instanceof Refused || error instanceof Halted ? error.message : `${error}`;
      if (!this.isHalted) this.halt(why);
    }
  }

  async #answered(photos, signal) {
    const lost = (photo) => this.heard.failed(photo, GONE);
    const how = { signal, busy: this.heard.busy, lost };
    try {
      const rows = await predict(this.address(), photos, how);
      signal.throwIfAborted(); // the photographs may be another model's by now
      if (rows) {
        this.heard.rows(photos, rows);
        return;
      }
    } catch (error) {
      if (!(error instanceof TooMuch)) throw error;
      if (photos.length === 1) {
        this.heard.failed(photos[0], error.message);
        return;
      }
    }
    for (const photo of photos) {
      if (photo.state === "waiting") await this.#answered([photo], signal);
    }
  }
}
