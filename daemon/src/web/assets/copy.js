// Buttons that put something on the clipboard.

import { read } from "./api.js";
import { say } from "./dom.js";

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}`);
  } catch {
    say("The browser does not let this page copy");
  }
}

export function setUpCopying() {
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("button[data-copy], button[data-copy-from]");
    if (!button) return;
    const what = button.textContent.replace(/^Copy /, "");
    if (button.dataset.copy !== undefined) return copy(button.dataset.copy, what);
    try {
      await copy(await read(button.dataset.copyFrom, { asText: true }), what);
    } catch (error) {
      say(error.message);
    }
  });
}
