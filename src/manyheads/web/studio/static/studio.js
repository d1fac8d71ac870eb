// The shell of the studio: which part is shown follows from the address after the #.
import { ask, h, say, Refused } from "/static/shared/base.js";
import { unstyled } from "/static/studio/part_styles.js";

// A part is `async show(main, words)`: it fills `main`; `words` are the rest of the address. What it
// returns, if anything, is called when the part is left: it ends timers and requests. A part is loaded when it
// is shown first: what the page shows does not wait for the scripts of others.
const PARTS = {
  data: () => import("/static/studio/data.js"),
  runs: () => import("/static/studio/runs.js"),
  understand: () => import("/static/studio/understand.js"),
  use: () => import("/static/studio/use.js"),
};
const LOST = "The server does not answer. Is manyheads still running? Reload the page once it is.";
let place = ""; // the folder, once it is known
let leave = null;
let shown = 0;

const decoded = (word) => {
  try {
    return decodeURIComponent(word);
  } catch {
    return word; // an address that was cut off
  }
};

const open = async () => {
  const [name, ...words] = location.hash.slice(1).split("/").map(decoded);
  const part = Object.hasOwn(PARTS, name) ? name : "data";
  const mine = ++shown;
  leave?.();
  leave = null;
  unstyled();
  for (const link of document.querySelectorAll("nav a")) {
    const current = link.hash === `#${part}`;
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const main = document.getElementById("main");
  const fresh = h("div");
  main.replaceChildren(fresh);
  say("");
  document.title = [words[0], `${part[0].toUpperCase()}${part.slice(1)}`, `manyheads studio${place}`].filter(Boolean).join(" – ");
  if (mine > 1) {
    // As a page that is loaded does: it begins at the top, for the keyboard too.
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  try {
    const { show } = await PARTS[part]().catch(() => { throw new Refused(LOST); });
    if (mine !== shown) return;
    const left = await show(fresh, words);
    if (mine === shown) leave = left ?? null;
    else left?.();
  } catch (error) {
    if (mine !== shown || error.name === "AbortError") return;
    fresh.replaceChildren(h("p", { class: "alert" }, error instanceof Refused ? error.message : `${error}`));
  }
};

// No part waits for the folder's name.
ask("/api/place").then((told) => {
  place = ` in ${told.place}`;
  document.getElementById("place").textContent = place;
  document.title += place;
}, () => {}); // the part says that the server does not answer
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address tells which part is shown
  document.getElementById("main").focus();
});
addEventListener("hashchange", open);
await open();
