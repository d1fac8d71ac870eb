// Asking again and again, at no cost where nothing has changed, and not while nobody looks.
import { Refused } from "/static/shared/base.js";

const LONGEST = 15; // seconds between two questions to a server that does not answer

/**
 * Ask `address` every so many seconds and call `changed` with each new answer. `failed` gets a
 * `Refused` where there is none. Returns what ends it.
 */
export const watch = (address, changed, { seconds = 1, failed = () => {} } = {}) => {
  const ended = new AbortController();
  let tag = null;
  let timer = null;
  let wait = seconds;
  const next = () => {
    if (!ended.signal.aborted) timer = setTimeout(look, 1000 * wait);
  };
  const look = async () => {
    if (document.hidden) return next();
    try {
      const headers = tag === null ? {} : { "If-None-Match": tag };
      const response = await fetch(address, { headers, cache: "no-store", signal: ended.signal });
      wait = seconds;
      if (response.status !== 304) {
        const answer = await response.json();
        if (ended.signal.aborted) return undefined;
        if (response.ok) {
          tag = response.headers.get("ETag");
          changed(answer);
        } else failed(new Refused(answer.error || `The server refused: ${response.status}`));
      }
    } catch (error) {
      if (ended.signal.aborted) return undefined;
      if (!(error instanceof TypeError)) throw error;
      wait = Math.min(LONGEST, 2 * wait);
      failed(new Refused("The server does not answer. What is at work goes on without it."));
    }
    return next();
  };
  const back = () => {
    if (!document.hidden) {
      clearTimeout(timer);
      look();
    }
  };
  document.addEventListener("visibilitychange", back);
  look();
  return () => {
    ended.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", back);
  };
};

/** Follow a command that the studio has started until it ends; `changed` gets each state. */
export const follow = (number, changed) => new Promise((resolve, reject) => {
  const end = watch(`/api/commands/${number}`, (state) => {
    changed(state);
    if (!state.at_work) {
      end();
      resolve(state);
    }
  }, { seconds: 0.5, failed: (error) => { if (!/answer/.test(error.message)) { end(); reject(error); } } });
});

/** Seconds as 0:07, 12:30 or 1:05:00. */
export const clock = (seconds) => {
  const whole = Math.max(0, Math.round(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
};

/** The address of a page of a run: its name is one word, whatever slashes it has. */
export const runPage = (part, name) => `#${part}/${encodeURIComponent(name)}`;

export const count = (number, noun) =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
