// The list of rules: words to find them by, switches, uploads, trying on history.

import "./page.js";
import { setUpChoice } from "./choice.js";
import { hunt, setUpHunt } from "./hunt.js";
import { act } from "./switch.js";
import { setUpUpload } from "./upload.js";

const words = document.getElementById("words");
const bar = document.getElementById("rule-actions");
const rows = [...document.querySelectorAll("#rows tr")];
const rowOf = (id) => rows.find((row) => row.dataset.id === id);

const choice = setUpChoice("rule", (ids) => {
  if (!bar) return;
  const isUploaded = ids.length > 0 && ids.every((id) => "uploaded" in rowOf(id).dataset);
  for (const button of bar.querySelectorAll("button")) {
    button.disabled = { hunt: ids.length !== 1, remove: !isUploaded }[button.value] ?? ids.length === 0;
  }
});

function narrow() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) row.hidden = !wanted.every((word) => row.dataset.words.includes(word));
  const none = document.getElementById("none");
  if (none) none.hidden = rows.length === 0 || rows.some((row) => !row.hidden);
  choice.refresh();
}

async function press({ value }) {
  const ids = choice.values();
  if (value === "hunt") return hunt({ id: ids[0] }, rowOf(ids[0]).querySelector(".c-title").textContent);
  const result = bar.querySelector(".result");
  try {
    const told = await act(value, ids);
    if (told === null) return;
    result.textContent = told;
    location.reload();
  } catch (error) {
    result.classList.add("is-bad");
    result.textContent = error.message;
  }
}

words?.addEventListener("input", narrow);
bar?.querySelectorAll("button").forEach((button) => {
  button.addEventListener("click", () => press(button));
});
setUpUpload();
setUpHunt();
if (words?.value) narrow();
