// Rows that are chosen by their boxes, and how many there are.

import { counted } from "./text.js";

/** `what` they are; `told(values)` when the choice is another. */
export function setUpChoice(what, told) {
  const all = document.getElementById("choose-all");
  const shown = document.getElementById("chosen");
  const boxes = () => [...document.querySelectorAll("td.c-choose input")].filter((box) => !box.disabled);
  const chosen = () => boxes().filter((box) => box.checked && !box.closest("tr").hidden);
  const tell = () => {
    const values = chosen().map((box) => box.value);
    for (const box of boxes()) box.closest("tr").classList.toggle("chosen", box.checked);
    if (shown) {
      shown.textContent = values.length ? `${counted(values.length, what)} selected:` : "Nothing selected";
    }
    told(values);
  };
  all?.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked && !box.closest("tr").hidden;
    tell();
  });
  document.addEventListener("change", ({ target }) => target.closest("td.c-choose") && tell());
  tell();
  return { values: () => chosen().map((box) => box.value), refresh: tell };
}
