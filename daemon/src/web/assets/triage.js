// Decisions on alerts: the chosen ones of a list, or the one of a page.

import { change } from "./api.js";
import { counted } from "./text.js";

/** `ids()` are those that are meant; `changed(ids, status, note)` shows what became of them. */
export function setUpTriage(ids, changed) {
  const form = document.querySelector("form[data-triage]");
  if (!form) return;
  const note = form.elements.note;
  const result = form.querySelector(".result");
  const decide = async (decided) => {
    const meant = ids();
    const text = note.value.trim();
    if (meant.length === 0 || (!decided && !text)) return;
    result.classList.remove("is-bad");
    result.textContent = "…";
    try {
      const answer = await change("POST", "/api/v1/alerts/status", { ids: meant, status: decided, note: text });
      note.value = "";
      result.textContent = `${counted(answer.changed, "alert")} changed`;
      changed(meant, decided, text);
    } catch (error) {
      result.classList.add("is-bad");
      result.textContent = error.message;
    }
  };
  for (const button of form.querySelectorAll("button[value]")) {
    button.addEventListener("click", () => decide(button.value));
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    decide("");
  });
}
