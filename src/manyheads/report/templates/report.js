"use strict";
// Reading the curves at an epoch, by pointer or slider, and choosing whose curves are seen. Without
// it nothing is missing: every number stands in a table.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // What scrolls sideways can be scrolled by keyboard too, and fades out where it goes on.
  const fade = (box) =>
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  const boxes = [...document.querySelectorAll(".scroll")];
  const reach = () => {
    for (const box of boxes) {
      fade(box);
      if (box.scrollWidth <= box.clientWidth + 1) {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        continue;
      }
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", box.querySelector("caption, figcaption").textContent);
    }
  };
  for (const box of boxes) box.addEventListener("scroll", () => fade(box), { passive: true });
  reach();
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);

  // A command goes to the clipboard; from a file, some browsers have only the older way.
  for (const button of document.querySelectorAll(".copy")) {
    const code = button.parentElement.querySelector("code");
    const byHand = () => {
      const selection = getSelection();
      selection.selectAllChildren(code);
      const copied = document.execCommand("copy");
      if (copied) selection.removeAllRanges();
      return copied;
    };
    button.hidden = false;
    button.addEventListener("click", async () => {
      let copied = false;
      try {
        await navigator.clipboard.writeText(code.textContent);
        copied = true;
      } catch {
        copied = byHand();
      }
      button.textContent = copied ? "Copied" : "Select and copy";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  const slider = document.getElementById("epoch");
  if (!slider) return;

  const make = (name, attributes, parent) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    parent.append(node);
    return node;
  };

  const plots = [...document.querySelectorAll("svg.hover")].map((svg) => {
    // A name of its own instead of <title>, whose tooltip would cover the curves.
    const title = svg.querySelector("title");
    svg.setAttribute("aria-label", title.textContent);
    svg.removeAttribute("aria-labelledby");
    title.remove();
    const base = svg.querySelector(".axis path.base").getBBox();
    const cross = make("path", { class: "cross" }, svg);
    const lines = [...svg.querySelectorAll(".series")].map((group) => ({
      group,
      points: group.querySelector(".line").points,
      dot: make("circle", { class: "dot", r: 4.5 }, group),
    }));
    const now = svg.parentElement.querySelector(".now");
    const table = document.getElementById(svg.dataset.table);
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    return { svg, base, cross, lines, now, names, rows: table.tBodies[0].rows };
  });

  const longest = plots.flatMap((plot) => plot.lines).reduce((a, b) =>
    b.points.numberOfItems > a.points.numberOfItems ? b : a).points;
  const shown = document.getElementById("epoch-shown");
  const reading = [...document.getElementById("reading-table").tBodies[0].rows];

  const heads = [...document.getElementById("reading-table").tHead.rows[0].cells];
  const nameOf = (row) => row.cells[0].querySelector("bdi").textContent;
  let told = reading.find((row) => row.classList.contains("selected")) || reading[0];

  const read = (index) => {
    slider.value = index;
    const epoch = plots[0].rows[index].cells[0].textContent;
    shown.textContent = epoch;
    const x = longest.getItem(index).x;
    plots.forEach((plot, column) => {
      plot.cross.setAttribute("d", `M${x},${plot.svg.dataset.top}V${plot.base.y}`);
      for (const { points, dot } of plot.lines) {
        const there = index < points.numberOfItems;
        dot.style.display = there ? "" : "none";
        if (!there) continue;
        dot.setAttribute("cx", points.getItem(index).x);
        dot.setAttribute("cy", points.getItem(index).y);
      }
      for (const row of reading) {
        const place = plot.names.indexOf(nameOf(row), 1);
        row.cells[column + 1].textContent = place > 0
          ? plot.rows[index].cells[place].textContent : "–";
      }
      plot.now.textContent = `epoch ${epoch}, ${nameOf(told)}: ${told.cells[column + 1].textContent}`;
    });
    const words = heads.slice(1).map((head, n) =>
      `${head.textContent} ${told.cells[n + 1].textContent}`);
    slider.setAttribute("aria-valuetext",
      `epoch ${epoch}, ${nameOf(told)}: ${words.join(", ")}`);
  };

  slider.addEventListener("input", () => read(Number(slider.value)));
  // The pointer reads the nearest epoch, and there the nearest curve.
  const nearest = (list, distance) => list.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  const steps = Array.from({ length: longest.numberOfItems }, (_, n) => n);
  for (const { svg, lines } of plots) {
    const follow = (event) => {
      const at = new DOMPoint(event.clientX, event.clientY)
        .matrixTransform(svg.getScreenCTM().inverse());
      const index = nearest(steps, (n) => Math.abs(longest.getItem(n).x - at.x));
      const seen = lines.filter(({ group, points }) =>
        !group.classList.contains("off") && index < points.numberOfItems);
      if (seen.length) {
        const { group } = nearest(seen, ({ points }) => Math.abs(points.getItem(index).y - at.y));
        told = reading[Number(group.dataset.series)];
      }
      read(index);
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
  }

  document.getElementById("legend").addEventListener("change", ({ target }) => {
    for (const group of document.querySelectorAll(`#curve-panels [data-series="${target.value}"]`)) {
      group.classList.toggle("off", !target.checked);
    }
    reading[Number(target.value)].hidden = !target.checked;
  });
  read(Number(slider.value));
})();
