// Rows of the table of processes, for what happens now. rows.rs builds the same: keep both in step.

import { el, mark } from "./dom.js";
import { state, stateOf } from "./marks.js";
import { cut, number, short, sought } from "./text.js";
import { timeElement } from "./times.js";

export const processUrl = (id) => `/processes/${encodeURIComponent(id)}`;

/** The end of a first image tells when it began, and that is where it belongs. */
export function timeOf(event) {
  const isEnd = event.event.action === "end" && event.recorder.ordinal === 0;
  return isEnd ? event.process.start : event["@timestamp"];
}

export function nameOf(event) {
  return event.process.name ?? event.recorder.comm ?? "?";
}

/** A value with what its menu needs. */
export function value(field, text, ...shown) {
  const [beginning, isCut] = sought(text);
  return el("span", { class: "sought", "data-field": field, "data-value": beginning,
    "data-cut": isCut }, shown);
}

/** One line, cut where it is long. */
export function line(text) {
  const [shown, rest] = cut(text);
  return el("span", { class: "line" }, el("span", { class: "clip" }, shown),
    rest ? el("span", { class: "cut" }, `… ${number(rest)} more bytes`) : null);
}

export function clip(text, ...before) {
  return el("span", { class: "clip" }, before, short(text));
}

const cell = (classes, ...content) => el("td", { class: classes }, content);
const link = (id, text) => el("a", { class: "clip", href: processUrl(id) }, short(text));

function name(event) {
  const shown = link(event.process.entity_id, nameOf(event));
  const known = event.process.name;
  return el("span", { class: "line" }, known == null ? shown : value("name", known, shown));
}

export function user({ user }) {
  if (!user) return null;
  const own = user.name ?? user.id;
  const effective = user.effective && (user.effective.name ?? user.effective.id);
  const shown = effective ? `${short(own)} → ${short(effective)}` : short(own);
  return value("user", own, el("span", { class: "clip" }, shown));
}

function place({ container, recorder }) {
  if (container) {
    const beginning = [...container.id].slice(0, 12).join("");
    return value("container", container.id, clip(beginning, mark("box")));
  }
  return recorder.unit ? value("unit", recorder.unit, clip(recorder.unit)) : null;
}

function parentOf({ process: { parent } }) {
  if (!parent) return null;
  if (!parent.executable) return link(parent.entity_id, `pid ${parent.pid}`);
  const base = parent.executable.split("/").pop();
  return value("parent", parent.executable, link(parent.entity_id, base));
}

function more() {
  return el("button", { class: "more needs-js", type: "button", "aria-haspopup": "menu",
    "aria-label": "Menu of this row" }, mark("more"));
}

export function row(event) {
  const { process } = event;
  const command = process.command_line ?? process.executable ?? "";
  const attributes = { "data-seq": event.event.sequence, "data-open": processUrl(process.entity_id),
    tabindex: "-1" };
  return el("tr", attributes,
    cell("c-time num", timeElement(timeOf(event), "row")),
    cell("c-pid num", value("pid", String(process.pid), String(process.pid))),
    cell("c-name", name(event)),
    cell("c-cmd", command ? value("cmd", command, line(command)) : null),
    cell("c-user", user(event)),
    cell("c-place", place(event)),
    cell("c-state", value("state", stateOf(event), state(event))),
    cell("c-parent", parentOf(event)),
    cell("c-more", more()));
}

/** Takes over what a newer message says of the same record: how it ended. */
export function update(known, event) {
  // A beginning that comes late does not undo an end.
  if (stateOf(event) === "running") return;
  known.querySelector(".c-state").replaceChildren(value("state", stateOf(event), state(event)));
}

export function gapRow({ kind, count, cause }) {
  const missing = count ? `${number(count)} ${kind === "any" ? "events" : kind}` : "an unknown number";
  return el("tr", { class: "gap" }, el("td", { colspan: "9" },
    el("span", { class: "warning" }, mark("warn"), `gap: ${missing} missing (${short(cause)})`)));
}
