// Rules of style that belong to a part of the studio: they hold while the part is shown.
import { h } from "/static/shared/base.js";

const links = new Map(); // address → the link, and a promise of its rules

/** Let the rules at an address hold, once they are loaded; resolves then. */
export const styled = (address) => {
  if (!links.has(address)) {
    const link = h("link", { rel: "stylesheet", href: address });
    const loaded = new Promise((done) => {
      link.addEventListener("load", done);
      link.addEventListener("error", done);
    });
    document.head.append(link);
    links.set(address, { link, loaded });
  }
  const { link, loaded } = links.get(address);
  link.media = "all";
  return loaded;
};

/** Let no part's rules hold: those of the next part would mix with them. They stay loaded. */
export const unstyled = () => {
  for (const { link } of links.values()) link.media = "not all";
};
