// The list of alerts: those raised now on top, and decisions on those that are chosen.

import "./page.js";
import { alertRow } from "./alertrows.js";
import { setUpChoice } from "./choice.js";
import { follow, teller } from "./live.js";
import { status } from "./marks.js";
import { draw } from "./times.js";
import { setUpTriage } from "./triage.js";

const MOST_ROWS = 500;

const frame = document.querySelector(".rows-frame[data-live]");
const table = document.querySelector("table.alerts");
const canChoose = document.getElementById("choose-all") !== null;
const rowOf = (id) => table?.querySelector(`tr[data-id="${Number(id)}"]`);

const choice = setUpChoice("alert", (values) => {
  for (const button of document.querySelectorAll("form[data-triage] button[value]")) {
    button.disabled = values.length === 0;
  }
});

setUpTriage(() => choice.values().map(Number), (ids, decided, note) => {
  for (const row of ids.map(rowOf).filter(Boolean)) {
    if (decided) row.querySelector(".c-status").replaceChildren(status(decided));
    if (note) row.querySelector(".c-note .clip").textContent = note;
    row.querySelector("td.c-choose input").checked = false;
  }
  choice.refresh();
});

/** Below the heading of its rule, or on top. `null`: its group is not in this page yet. */
function placeOf(alert) {
  if (!table.classList.contains("grouped")) return document.getElementById("rows");
  return [...table.tBodies].find((group) => group.dataset.rule === alert.rule.id) ?? null;
}

function raised(alert, told) {
  const made = alertRow(alert, canChoose);
  const known = rowOf(alert.alert.id);
  if (known) {
    const box = made.querySelector("td.c-choose input");
    if (box) box.checked = known.querySelector("td.c-choose input").checked;
    known.replaceWith(made);
  } else {
    const body = placeOf(alert);
    if (!body) return told("again");
    made.classList.add("is-new");
    const heading = body.querySelector("tr.group");
    if (heading) heading.after(made);
    else body.prepend(made);
    while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
    frame.hidden = false;
    document.getElementById("empty")?.remove();
    made.nextElementSibling && draw(made.nextElementSibling);
  }
  draw(made);
}

if (frame) {
  const told = teller();
  follow(frame.dataset.live, { alert: (alert) => raised(alert, told), missed: () => told("again") }, told);
}
