// One rule: its switch, its removal, trying it on history.

import "./page.js";
import { setUpHunt } from "./hunt.js";
import { act } from "./switch.js";

const bar = document.getElementById("rule-actions");

bar?.querySelectorAll("button").forEach((button) => {
  button.addEventListener("click", async () => {
    const result = bar.querySelector(".result");
    try {
      const told = await act(button.value, [bar.dataset.id]);
      if (told === null) return;
      result.textContent = told;
      if (button.value === "remove") location.assign("/rules");
      else location.reload();
    } catch (error) {
      result.classList.add("is-bad");
      result.textContent = error.message;
    }
  });
});
setUpHunt();
