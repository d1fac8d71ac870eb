// What every page of ours needs: elements, requests, and a command that can be copied.

/** An element: h("button", { class: "main", onclick: start }, "Start"). Texts are never HTML. */
export const h = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
};

/** What went wrong, in words for the user: the server's own, `{"error": "expected …"}`. */
export class Refused extends Error {}

/** The JSON of an address; `body` is sent as JSON by POST. Throws `Refused` with a reason. */
export const ask = async (address, body, options = {}) => {
  const sent = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(address, { ...sent, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. Is manyheads still running?");
  }
  const isJson = (response.headers.get("Content-Type") || "").includes("json");
  const answer = isJson ? await response.json() : null;
  if (!response.ok) throw new Refused(answer?.error || `The server refused: ${response.status}`);
  return answer;
};

/** Say something in the page's live region, for those who see it and those who hear it. */
export const say = (words) => { document.getElementById("said").textContent = words; };

/** A command line with a button that copies it. */
export const command = (line) => {
  const button = h("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return h("div", { class: "command" }, h("pre", {}, h("code", {}, line)), button);
};

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
