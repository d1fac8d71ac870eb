// Learning curves as SVG: a line for the mean over seeds, a band from the least to the greatest.
const SVG = "http://www.w3.org/2000/svg";
const WIDE = [640, 300]; // units, which are pixels where there is room
const NARROW = [360, 240];
const LEFT = 46;
const BOTTOM = 34;
const TOP = 10;
const RIGHT = 12;
export const COLOURS = 6; // candidates with a colour of their own; others are grey

const draw = (tag, attributes, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

/** Round numbers from `low` to `high`, some `wanted` of them. */
export const ticks = (low, high, wanted = 5) => {
  const raw = (high - low) / wanted || 1;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((each) => each * size).find((each) => each >= raw);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9; at += 1) found.push(at * step);
  return found;
};

/**
 * Keep colours with their candidates while they are among the first: those that leave the first
 * places give theirs back.
 */
export const colouring = () => {
  const known = new Map();
  return (candidates) => {
    const first = candidates.slice(0, COLOURS);
    for (const each of known.keys()) if (!first.includes(each)) known.delete(each);
    const used = new Set(known.values());
    for (const each of first) {
      if (known.has(each)) continue;
      let colour = 0;
      while (used.has(colour)) colour += 1;
      used.add(colour);
      known.set(each, colour);
    }
    return (candidate) => known.has(candidate) ? `colour-${known.get(candidate)}` : "colour-other";
  };
};

/**
 * The curves of `leaders`, each with a `band` of [epoch, seeds, mean, least, greatest]; `words` say
 * of what, and `most` is the greatest value that there can be.
 */
export const curves = (leaders, epochs, colourOf, { words: title, most }) => {
  const [WIDTH, HEIGHT] = innerWidth < 520 ? NARROW : WIDE;
  const shown = leaders.filter((each) => each.band.length);
  const points = shown.flatMap((each) => each.band);
  const values = points.flatMap((point) => [point[3], point[4]]);
  let low = Math.min(...values);
  let high = Math.max(...values);
  const room = Math.max(0.01, 0.05 * (high - low));
  low = Math.max(0, low - room);
  high = Math.min(most, high + room);
  const last = Math.max(2, epochs, ...points.map((point) => point[0]));
  const x = (epoch) => LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / (last - 1);
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low || 1);
  const at = (epoch, value) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`;
  const grid = ticks(low, high).flatMap((value) => [
    draw("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
    draw("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(high - low < 0.05 ? 3 : 2)),
  ]);
  const axis = ticks(1, last, WIDTH / 100).filter((epoch) => Number.isInteger(epoch)).map((epoch) =>
    draw("text", { x: x(epoch), y: HEIGHT - 16, "text-anchor": "middle" }, String(epoch)));
  const lines = [...shown].reverse().map(({ candidate, words, band }) => {
    const outline = [...band.map((p) => at(p[0], p[4])), ...[...band].reverse().map((p) => at(p[0], p[3]))];
    const mean = band.length === 1
      ? draw("circle", { cx: x(band[0][0]), cy: y(band[0][2]), r: 3 })
      : draw("polyline", { points: band.map((p) => at(p[0], p[2])).join(" ") });
    const title = draw("title", {}, words);
    return draw("g", { class: colourOf(candidate) },
      title, draw("polygon", { points: outline.join(" ") }), mean);
  });
  const best = shown[0];
  const end = best.band.at(-1);
  const label = `${title} of ${shown.length} candidates. First: ${best.words}, `
    + `${end[2].toFixed(3)} after epoch ${end[0]}, from ${end[3].toFixed(3)} to ${end[4].toFixed(3)} over seeds.`;
  return draw("svg", { class: "curves", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    ...grid, ...axis,
    draw("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 2, "text-anchor": "middle" }, "epoch"),
    ...lines);
};
