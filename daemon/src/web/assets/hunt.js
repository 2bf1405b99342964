// A rule tried on what is recorded: progress, and what it would have fired on.

import { lines } from "./api.js";
import { el } from "./dom.js";
import { level } from "./marks.js";
import { line, processUrl } from "./rows.js";
import { counted, number, short } from "./text.js";
import { draw, timeElement } from "./times.js";

const MOST_LINES = 500;

const panel = document.getElementById("hunt");
const form = panel?.querySelector("form");
const find = (selector) => panel.querySelector(selector);
let what = null;
let running = null;

function hit(found) {
  const cell = (classes, content) => el("td", { class: classes }, content);
  return el("tr", {},
    cell("c-count num", `${number(found.count)}×`),
    cell("c-level", level(found.level)),
    cell("c-time num", timeElement(found.last, "short")),
    cell("c-rule", el("span", { class: "clip" }, short(found.rule_title))),
    cell("c-cmd", el("a", { href: processUrl(found.example), title: short(found.executable) },
      line(found.command_line))));
}

function progressed({ looked_at: seen, total }) {
  const bar = find("progress");
  bar.max = Math.max(1, total);
  bar.value = seen;
  bar.nextElementSibling.textContent = `${number(seen)} of ${counted(total, "record")}`;
}

function summary({ matched, looked_at: seen, unlisted, error }) {
  if (error) return `It ended early: ${error}`;
  const looked = counted(seen, "record");
  const fired = matched ? `Would have fired ${counted(matched, "time")} in ${looked}` : `Nothing in ${looked}`;
  return unlisted ? `${fired}, ${number(unlisted)} not listed` : fired;
}

function begin() {
  const body = find("tbody");
  body.replaceChildren();
  find(".result").textContent = "";
  find(".result").classList.remove("is-bad");
  find(".hits").hidden = true;
  find(".progress").hidden = false;
  find("button[value=cancel]").hidden = false;
  progressed({ looked_at: 0, total: 0 });
  return body;
}

async function run() {
  running?.abort();
  const own = (running = new AbortController());
  const body = begin();
  let end = null;
  try {
    const filter = form.elements.filter.value.trim();
    for await (const told of lines("POST", "/api/v1/rules/hunt", { ...what, filter }, own.signal)) {
      if (told.progress) progressed(told.progress);
      if (told.done) end = told.done;
      if (!told.found || body.rows.length >= MOST_LINES) continue;
      find(".hits").hidden = false;
      body.append(hit(told.found));
      draw(body.lastElementChild);
    }
    find(".result").textContent = end ? summary(end) : "It was cut off before the end";
  } catch (error) {
    if (running !== own) return;
    find(".result").classList.add("is-bad");
    find(".result").textContent = own.signal.aborted ? "Cancelled before the end" : error.message;
  }
  find(".progress").hidden = true;
  find("button[value=cancel]").hidden = true;
}

/** `rule` is `{ id }` or `{ text }`. */
export function hunt(rule, title) {
  what = rule;
  panel.hidden = false;
  document.getElementById("hunt-what").textContent = ` ${short(title)}`;
  panel.scrollIntoView({ block: "nearest" });
  run();
}

export function setUpHunt() {
  if (!panel) return;
  if (panel.dataset.id) what = { id: panel.dataset.id };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (what) run();
  });
  find("button[value=cancel]").addEventListener("click", () => running?.abort());
}
