// One alert: what is decided on it is shown at once.

import "./page.js";
import { status } from "./marks.js";
import { plain } from "./text.js";
import { setUpTriage } from "./triage.js";

const form = document.querySelector("form[data-triage]");

setUpTriage(() => [Number(form.dataset.id)], (_ids, decided, note) => {
  if (decided) document.getElementById("status").replaceChildren(status(decided));
  if (!note) return;
  const shown = document.getElementById("note");
  shown.hidden = false;
  shown.textContent = plain(note);
});
