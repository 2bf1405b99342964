// The menu of a cell or of a row: include, exclude, copy. Opened by the right button, by the button of
// the row, or by a key.

import { condition, narrowed } from "./condition.js";
import { copy } from "./copy.js";
import { el } from "./dom.js";
import { short } from "./text.js";

let menu = null;
let opener = null;

export function isOpen() {
  return menu !== null;
}

export function close() {
  menu?.remove();
  menu = null;
  opener?.focus({ preventScroll: true });
  opener = null;
}

function valueOf(sought) {
  const { field, value } = sought.dataset;
  return { field, value, isCut: "cut" in sought.dataset };
}

function item(name, label, attributes, act) {
  const tag = attributes.href ? "a" : "button";
  const isButton = tag === "button";
  const shown = el(tag, { role: "menuitem", tabindex: "-1", "aria-label": label, ...attributes,
    type: isButton ? "button" : null }, name);
  if (act) shown.addEventListener("click", act);
  return shown;
}

function choices(sought) {
  const value = valueOf(sought);
  const what = `${value.field} ${short(value.value).slice(0, 80)}`;
  const add = (name, isWanted) =>
    item(name, `${name} ${what}`, { href: narrowed(condition(value, isWanted)) });
  const copying = item("Copy", `Copy ${what}`, {}, () => {
    copy(value.value, value.isCut ? "the beginning" : value.field);
    close();
  });
  return [
    el("div", { class: "about" }, what),
    el("div", { class: "choices" }, add("Include", true), add("Exclude", false), copying),
  ];
}

/** `within` is a value, or a row with several. */
export function open(within, x, y) {
  close();
  const values = within.matches("[data-field]") ? [within] : within.querySelectorAll("[data-field]");
  if (values.length === 0) return;
  opener = within.closest("tr[tabindex]") ?? document.activeElement;
  menu = el("div", { class: "menu", role: "menu", "aria-label": "Include, exclude, copy" },
    [...values].flatMap(choices));
  document.body.append(menu);
  const box = menu.getBoundingClientRect();
  menu.style.left = `${scrollX + Math.max(4, Math.min(x, innerWidth - box.width - 12))}px`;
  menu.style.top = `${scrollY + Math.max(4, Math.min(y, innerHeight - box.height - 8))}px`;
  menu.querySelector("[role=menuitem]").focus({ preventScroll: true });
}

function move(event) {
  const items = [...menu.querySelectorAll("[role=menuitem]")];
  const at = items.indexOf(document.activeElement);
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 3, ArrowUp: -3, Home: -at,
    End: items.length - 1 - at };
  if (event.key === "Escape" || event.key === "Tab") close();
  else if (event.key in steps) {
    items[Math.max(0, Math.min(items.length - 1, at + steps[event.key]))].focus();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

export function setUpMenus() {
  document.addEventListener("contextmenu", (event) => {
    const sought = event.target.closest("main [data-field]");
    // With a key held, and on selected text, the browser's own menu comes.
    if (!sought || event.shiftKey || String(getSelection())) return;
    event.preventDefault();
    open(sought, event.clientX, event.clientY);
  });
  document.addEventListener("click", (event) => {
    const more = event.target.closest("button.more");
    if (more) {
      const box = more.getBoundingClientRect();
      open(more.closest("tr"), box.left, box.bottom);
    } else if (menu && !menu.contains(event.target)) close();
  });
  document.addEventListener("keydown", (event) => menu && move(event), { capture: true });
}
