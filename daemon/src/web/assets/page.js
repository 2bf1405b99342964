// What every page has: scripts run, so what needs them is shown; times, keys, folds, menus, copying.

import { change } from "./api.js";
import { setUpCompletion } from "./complete.js";
import { setUpCopying } from "./copy.js";
import { say } from "./dom.js";
import { setUpFolds } from "./folds.js";
import { setUpKeys } from "./keys.js";
import { setUpMenus } from "./menu.js";
import { setUpZone } from "./times.js";

document.documentElement.classList.add("js");
setUpZone();
setUpFolds();
setUpMenus();
setUpKeys();
setUpCopying();
setUpCompletion();

document.getElementById("log-out")?.addEventListener("click", async () => {
  try {
    await change("POST", "/api/v1/logout");
    location.assign("/");
  } catch (error) {
    say(error.message);
  }
});
