// Dragging over the histogram chooses a range of time. A click on a bar is a link and works without.

import { rect } from "./dom.js";

const LEAST_PX = 4;

/** RFC 3339, to the millisecond. */
const at = (ms) => new Date(ms).toISOString();

export function setUpBrush() {
  const svg = document.getElementById("histogram");
  if (!svg) return;
  const from = Date.parse(svg.dataset.from.slice(0, 23) + "Z");
  const to = Date.parse(svg.dataset.to.slice(0, 23) + "Z");
  const { width: units, height } = svg.viewBox.baseVal;
  let start = null;
  let shown = null;
  const share = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  };
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("pointerdown", (event) => {
    if (event.button === 0) start = { x: event.clientX, share: share(event) };
  });
  svg.addEventListener("pointermove", (event) => {
    if (!start || (!shown && Math.abs(event.clientX - start.x) < LEAST_PX)) return;
    if (!shown) {
      shown = rect({ class: "brush", y: 0, height });
      svg.append(shown);
      svg.setPointerCapture(event.pointerId);
    }
    const edges = [start.share, share(event)].sort((a, b) => a - b);
    shown.setAttribute("x", edges[0] * units);
    shown.setAttribute("width", (edges[1] - edges[0]) * units);
  });
  const end = (event) => {
    const edges = start && [start.share, share(event)].sort((a, b) => a - b);
    const isChosen = shown !== null && event.type === "pointerup";
    shown?.remove();
    start = shown = null;
    if (!isChosen) return;
    svg.addEventListener("click", (click) => click.preventDefault(), { capture: true, once: true });
    const url = new URL(location.href);
    url.searchParams.set("since", at(from + edges[0] * (to - from)));
    url.searchParams.set("until", at(from + edges[1] * (to - from)));
    url.searchParams.delete("cursor");
    location.assign(url);
  };
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointercancel", end);
}
