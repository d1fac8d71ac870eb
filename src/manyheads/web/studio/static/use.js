import { h } from "/static/shared/base.js";

export const show = async (main) => {
  main.append(h("h1", {}, "To come"));
};
