// Rows of the table of alerts, for those raised now. alert_rows.rs builds the same: keep both in step.

import { el } from "./dom.js";
import { level, status } from "./marks.js";
import { clip, line, nameOf, processUrl, user, value } from "./rows.js";
import { number, short } from "./text.js";
import { timeElement } from "./times.js";

const cell = (classes, ...content) => el("td", { class: classes }, content);

function process({ process, recorder }) {
  const name = nameOf({ process, recorder });
  return el("span", { class: "line" },
    el("a", { class: "clip", href: processUrl(process.entity_id) }, short(name)),
    el("span", { class: "pid" }, String(process.pid)));
}

function choose(id) {
  const box = el("input", { class: "needs-js", type: "checkbox", value: id,
    "aria-label": `Choose alert ${id}` });
  return cell("c-choose", box);
}

export function alertRow(alert, canChoose) {
  const { id, count, note } = alert.alert;
  const url = `/alerts/${Number(id)}`;
  const command = alert.process.command_line ?? "";
  return el("tr", { "data-id": id, "data-open": url, tabindex: "-1" },
    canChoose ? choose(id) : null,
    cell("c-time num", el("a", { href: url }, timeElement(alert["@timestamp"], "row"))),
    cell("c-level", level(alert.rule.level)),
    cell("c-status", status(alert.alert.status)),
    cell("c-rule", el("a", { class: "clip", href: url }, short(alert.rule.name))),
    cell("c-name", process(alert)),
    cell("c-cmd", value("cmd", command, line(command))),
    cell("c-user", user(alert)),
    cell("c-count num", count > 1 ? `${number(count)}×` : null),
    cell("c-note", clip(note ?? "")));
}
