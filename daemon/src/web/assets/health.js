// Health is asked for again every few seconds, while somebody looks and nothing is selected.

import "./page.js";

const EVERY_MS = 10000;

setInterval(() => {
  const isBusy = String(getSelection()) || document.querySelector("dialog[open]");
  const isWatched = document.visibilityState === "visible";
  if (isWatched && !isBusy && !document.activeElement?.matches("select, summary")) location.reload();
}, EVERY_MS);
