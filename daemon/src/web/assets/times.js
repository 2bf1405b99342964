// Times in the zone that is chosen: that of the server, UTC, or that of this browser.

import { el } from "./dom.js";

const KEY = "zone";
const root = document.documentElement;
const server = root.dataset.zone ?? "UTC";
const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
let zone = server;
let format = formatOf(zone);

/** A zone that this browser does not know is taken for UTC. */
function formatOf(timeZone) {
  try {
    return formatIn(timeZone);
  } catch {
    return formatIn("UTC");
  }
}

function formatIn(timeZone) {
  const two = "2-digit";
  const date = { year: "numeric", month: two, day: two };
  const clock = { hour: two, minute: two, second: two, hourCycle: "h23" };
  return new Intl.DateTimeFormat("en-CA", { timeZone, ...date, ...clock });
}

/** Date and time of RFC 3339 in UTC; no more than milliseconds. */
function split(iso) {
  const at = new Date(`${iso.slice(0, 23)}Z`);
  if (!(iso.length >= 24) || Number.isNaN(at.getTime())) return null;
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const clock = `${part.hour}:${part.minute}:${part.second}${iso.slice(19, 23)}`;
  return [`${part.year}-${part.month}-${part.day}`, clock];
}

function dateAbove(time) {
  const above = time.closest("tr")?.previousElementSibling?.querySelector("time[data-form=row]");
  const iso = above?.dateTime ?? root.dataset.now ?? new Date().toISOString();
  return split(iso)?.[0];
}

function drawOne(time) {
  const parts = split(time.dateTime);
  if (!parts) return;
  const [date, clock] = parts;
  const today = split(new Date().toISOString())[0];
  const dated = el("span", { class: "date" }, date.slice(5));
  switch (time.dataset.form) {
    case "row":
      time.replaceChildren(...(date === dateAbove(time) ? [clock] : [dated, ` ${clock.slice(0, 8)}`]));
      break;
    case "short":
      time.replaceChildren(...(date === today ? [clock] : [dated, ` ${clock.slice(0, 8)}`]));
      break;
    default:
      time.replaceChildren(`${date} ${clock}`);
  }
}

export function draw(within = document) {
  for (const time of within.querySelectorAll("time[data-form]")) drawOne(time);
}

export function timeElement(iso, form) {
  return el("time", { datetime: iso, "data-form": form }, iso);
}

export function setUpZone() {
  const select = document.getElementById("zone");
  if (!select) return;
  const choices = new Map([["server", server], ["UTC", "UTC"], ["own", own]]);
  for (const [value, name] of choices) {
    if (value !== "server" && ![...select.options].some((known) => known.text === name)) {
      select.add(new Option(name, value));
    }
  }
  const choose = (value) => {
    const wanted = choices.get(value) ?? server;
    const isOther = wanted !== zone;
    zone = wanted;
    format = formatOf(zone);
    if (isOther) draw();
  };
  select.value = localStorage.getItem(KEY) ?? "server";
  if (select.selectedIndex < 0) select.selectedIndex = 0;
  choose(select.value);
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    choose(select.value);
  });
}
