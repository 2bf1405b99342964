// Everything without a mouse. The table of keys in the help is in frame.rs.

import { close as closeMenu, isOpen as isMenuOpen, open as openMenu } from "./menu.js";

const PLACES = { p: "/processes", a: "/alerts", r: "/rules", b: "/binaries", h: "/health" };
let isGoing = false;

const rows = () => [...document.querySelectorAll("main tr[data-open]")].filter((row) => row.checkVisibility());
const current = () => document.activeElement?.closest("main tr[data-open]");

function focusRow(row) {
  for (const other of document.querySelectorAll("main tr[tabindex='0']")) other.tabIndex = -1;
  row.tabIndex = 0;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.indexOf(current());
  focusRow(all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + by))]);
}

function press(selector) {
  document.querySelector(selector)?.click();
}

function rowMenu() {
  const row = current();
  if (!row) return;
  const box = row.getBoundingClientRect();
  openMenu(row, box.left + 40, box.bottom);
}

function focusFilter() {
  const field = document.querySelector("#filter, #words");
  field?.focus();
  field?.select();
}

const KEYS = {
  "/": focusFilter,
  j: () => step(1),
  ArrowDown: () => step(1),
  k: () => step(-1),
  ArrowUp: () => step(-1),
  Home: () => step(-1e6),
  End: () => step(1e6),
  m: rowMenu,
  ContextMenu: rowMenu,
  x: () => current()?.querySelector("input[type=checkbox]")?.click(),
  p: () => press("#pause"),
  "[": () => press("a[rel=first]"),
  "]": () => press("a[rel=next]"),
  "?": () => document.getElementById("help")?.showModal(),
  g: () => {
    isGoing = true;
    setTimeout(() => (isGoing = false), 1500);
  },
};

/** Where a key belongs to something else: a field, a menu, a list that scrolls. */
function isTaken(event) {
  const { target, key } = event;
  if (target.closest("input:not([type=checkbox]), textarea, select, dialog")) return true;
  const isArrow = /^(Arrow|Home|End)/.test(key);
  // Arrows scroll a page that has no rows, and what is in focus and scrolls.
  return isArrow && (rows().length === 0 || target.closest(".long, summary, [role=menu]"));
}

function onKey(event) {
  const { key, target } = event;
  if (key.toLowerCase() === "l" && event.ctrlKey && document.querySelector("#filter, #words")) {
    focusFilter();
    return event.preventDefault();
  }
  if (key === "Escape" && target.closest("input, textarea")) return target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || isMenuOpen() || isTaken(event)) return;
  if (isGoing && key in PLACES) return location.assign(PLACES[key]);
  if (key === "Enter" && target.matches("tr[data-open]")) return location.assign(target.dataset.open);
  const act = KEYS[key];
  if (!act) return;
  act();
  event.preventDefault();
}

export function setUpKeys() {
  document.addEventListener("keydown", onKey);
  const first = rows()[0];
  if (first) first.tabIndex = 0;
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-help]")) KEYS["?"]();
    const row = target.closest("main tr[data-open]");
    if (row && !target.closest("a, button, input") && !String(getSelection())) focusRow(row);
  });
  document.addEventListener("dblclick", ({ target }) => {
    const row = target.closest("main tr[data-open]");
    if (row && !target.closest("a, button, input")) location.assign(row.dataset.open);
  });
  document.addEventListener("scroll", () => isMenuOpen() && closeMenu(), { passive: true });
}
