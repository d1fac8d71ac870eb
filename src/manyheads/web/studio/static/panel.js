// A plot that Python has placed, as SVG: the shapes of the report, in the colours of the page.
const SVG = "http://www.w3.org/2000/svg";
const SEEN = { "#000000": "var(--ink)", "#0072B2": "var(--line)" }; // in the dark too
let count = 0;

const shape = (name, attributes, ...children) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const drawn = (each) => {
  const group = shape("g", { class: "series" });
  if (each.drawn === "reference") { group.append(shape("polyline", { class: "reference", points: each.points })); return group; }
  group.style.setProperty("--c", SEEN[each.colour] ?? each.colour);
  if (each.band) group.append(shape("polygon", { class: "band", points: each.band }));
  for (const [x, top, bottom] of each.bars) group.append(shape("path", { class: "bars", d: `M${x},${top}V${bottom}m-4,0h8M${x - 4},${top}h8` }));
  if (each.drawn === "line") group.append(shape("polyline", { class: "line", points: each.points, "stroke-dasharray": each.dash }));
  for (const [x, y] of each.marks) group.append(shape("path", { class: "mark", d: each.mark, transform: `translate(${x} ${y})` }));
  if (each.dots) group.append(shape("path", { class: "dots", d: each.dots }));
  if (each.ring) group.append(shape("circle", { class: "ring", cx: each.ring[0], cy: each.ring[1], r: "8.5" }));
  return group;
};

/** What each of several series is, by its mark; a plot of one needs no such list. */
const legend = (series) => {
  const named = series.filter((each) => each.drawn !== "reference" && each.name);
  if (named.length < 2) return [];
  const list = document.createElement("ul");
  list.className = "legend";
  list.append(...named.map((each) => {
    const sign = shape("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true" }, drawn({ ...each, bars: [], marks: each.dots ? [] : [[0, 0]], points: each.drawn === "line" ? "-7,0 7,0" : "", band: "", dots: each.dots ? "M0,0h.01" : "", ring: null }));
    const entry = document.createElement("li");
    entry.append(sign, each.name);
    return entry;
  }));
  return [list];
};

/** The figure of a plot, with its title and what it shows in words. */
export const panelFigure = (panel) => {
  const id = `panel-${count += 1}`;
  const svg = shape("svg", { class: "plot", viewBox: `0 0 ${panel.width} ${panel.height}`, role: "img", "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-desc` },
    shape("title", { id: `${id}-title` }, panel.title), shape("desc", { id: `${id}-desc` }, panel.description));
  const [left, right, bottom] = [46, 390, 240];
  for (const [y, words] of panel.y_ticks) {
    svg.append(shape("path", { class: "grid", d: `M${left},${y}H${right}` }), shape("text", { x: left - 7, y, dy: "0.34em", "text-anchor": "end" }, words));
  }
  svg.append(shape("path", { class: "base", d: `M${left},${bottom}H${right}` }));
  for (const [x, words] of panel.x_ticks) {
    svg.append(shape("path", { class: "base", d: `M${x},${bottom}v4` }), shape("text", { x, y: bottom + 18, "text-anchor": "middle" }, words));
  }
  svg.append(shape("text", { x: (left + right) / 2, y: panel.height - 6, "text-anchor": "middle" }, panel.x_label), shape("text", { x: 0, y: 12 }, panel.y_label));
  svg.append(...panel.series.map(drawn));
  const figure = document.createElement("figure");
  figure.className = "panel";
  const caption = document.createElement("figcaption");
  caption.textContent = panel.title;
  figure.append(caption, svg, ...legend(panel.series));
  return figure;
};
