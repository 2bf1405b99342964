// The list of processes: brush, and what happens now on top of it.

import "./page.js";
import { setUpBrush } from "./brush.js";
import { follow, teller } from "./live.js";
import { gapRow, row, timeOf, update } from "./rows.js";
import { counted, number } from "./text.js";
import { draw } from "./times.js";

const MOST_ROWS = 500;
// What happened while the page was on its way comes with the stream.
const BACKLOG = 100;
const LATE_MS = 5000;

const frame = document.querySelector(".rows-frame[data-live]");
const body = document.getElementById("rows");
const pause = document.getElementById("pause");
let waiting = [];
let waitingCount = 0;
let isPaused = false;
let isDrawing = false;

function hold(made) {
  waiting.push(made);
  if (made.isNew) waitingCount += 1;
  if (waiting.length > MOST_ROWS) waiting.shift();
  if (isPaused) return tell();
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(drawWaiting);
}

/** Before the first that is not newer: one that comes late may belong on an older page. */
function placeOf(event) {
  const time = timeOf(event);
  const isOlder = (row) => (row.querySelector("time")?.dateTime ?? "~") <= time;
  return [...body.rows].find(isOlder);
}

const rowOf = (event) => body.querySelector(`tr[data-seq="${Number(event.event.sequence)}"]`);

/** Of what is recorded, only what is too new for the page as it came. */
function isLate(event) {
  const made = Date.parse(document.documentElement.dataset.now);
  return event["@timestamp"] < new Date(made - LATE_MS).toISOString() && !rowOf(event);
}

function record(event) {
  if (isLate(event)) return;
  hold({ event, isNew: event.event.action !== "end" && !rowOf(event), row: () => row(event) });
}

function insert(made) {
  const known = made.event && rowOf(made.event);
  if (known) return update(known, made.event);
  const below = made.event ? placeOf(made.event) : body.rows[0];
  if (!below && body.rows.length > 0) return;
  const fresh = made.row();
  fresh.classList.add("is-new");
  body.insertBefore(fresh, below ?? null);
  draw(fresh);
  if (below) draw(below);
}

function drawWaiting() {
  isDrawing = false;
  const taken = waiting;
  waiting = [];
  waitingCount = 0;
  for (const made of taken) insert(made);
  while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  if (body.rows.length > 0) {
    frame.hidden = false;
    document.getElementById("empty")?.remove();
  }
  tell();
}

function tell() {
  const isWaiting = isPaused && waitingCount > 0;
  pause.textContent = isPaused ? (isWaiting ? `Resume · ${number(waitingCount)} new` : "Resume") : "Pause";
  pause.classList.toggle("has-new", isWaiting);
  // Not at each one: a screen reader would never stop.
  const told = document.getElementById("waiting");
  const rounded = waitingCount < 10 ? waitingCount : Math.floor(waitingCount / 10) * 10;
  const text = isWaiting ? `${counted(rounded, "new process").replace("processs", "processes")}` : "";
  if (told.textContent !== text) told.textContent = text;
}

function setPaused(wanted) {
  isPaused = wanted;
  pause.classList.toggle("is-pressed", isPaused);
  if (isPaused) tell();
  else drawWaiting();
}

function start() {
  const told = teller();
  const query = new URLSearchParams({ filter: frame.dataset.filter, backlog: BACKLOG });
  follow(`${frame.dataset.live}?${query}`, {
    record,
    gap: (message) => hold({ row: () => gapRow(message.gap ?? message) }),
    missed: () => told("again"),
  }, told);
  pause.addEventListener("click", () => setPaused(!isPaused));
}

setUpBrush();
if (frame && pause) start();
