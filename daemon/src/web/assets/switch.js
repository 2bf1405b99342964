// Rules switched on and off, and uploaded ones removed.

import { change } from "./api.js";
import { counted } from "./text.js";

/** Says in the words of the recorder what became of it; `null` where somebody thought better of it. */
export async function act(what, ids) {
  if (what === "remove") {
    const question = `Remove ${counted(ids.length, "uploaded rule")}? The text is gone then; alerts stay.`;
    if (!confirm(question)) return null;
    let removed = 0;
    for (const id of ids) {
      removed += (await change("DELETE", `/api/v1/rules/${encodeURIComponent(id)}`)).changed;
    }
    return `${counted(removed, "rule")} removed`;
  }
  const asked = { patterns: ids, enabled: what === "enable" };
  const { meant, changed } = await change("POST", "/api/v1/rules/enabled", asked);
  return changed ? `${counted(changed, "rule")} switched` : `${counted(meant, "rule")} so already`;
}
