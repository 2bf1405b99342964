// A text of rules: from files or pasted, checked, tried, uploaded; and what was said of it.

import { send } from "./api.js";
import { el } from "./dom.js";
import { hunt } from "./hunt.js";
import { level, ruleState } from "./marks.js";
import { counted, plain } from "./text.js";

const form = document.getElementById("upload");
const report = form?.querySelector(".report");

function verdict({ reason, is_stored: isStored, rules, file }) {
  const isUsable = rules.some((rule) => rule.state !== "unusable");
  if (reason) return [`Refused: ${plain(reason)}`, false];
  if (isStored) return [`Stored as ${plain(file)}`, true];
  return isUsable ? ["Good; nothing is stored yet", true] : ["No rule in it can be used", false];
}

function ruleLine(rule) {
  const said = [rule.state === "active" ? null : rule.reason, ...(rule.notes ?? [])].filter(Boolean);
  return el("li", {},
    el("p", { class: "node" }, ruleState(rule.state), level(rule.level),
      el("strong", {}, plain(rule.title || "(no title)"))),
    said.map((text) => el("p", { class: "weak" }, plain(text))));
}

function show(told) {
  const [text, isGood] = verdict(told);
  const replaced = told.replaced?.length ?? 0;
  const verb = told.is_stored ? "replaced" : "would replace";
  report.append(
    el("p", { class: isGood ? "is-good" : "is-bad" }, el("strong", {}, text)),
    replaced ? el("p", { class: "weak" }, `${verb} ${counted(replaced, "rule")} with the same id`) : "",
    el("ul", { class: "plain" }, told.rules.map(ruleLine)));
}

function complain(error) {
  report.append(el("p", { class: "is-bad" }, plain(error.message)));
}

async function sendOne(name, text, isStored) {
  const encoded = encodeURIComponent(name);
  try {
    show(isStored
      ? await send("PUT", `/api/v1/rules/uploads/${encoded}`, text)
      : await send("POST", `/api/v1/rules/validate?name=${encoded}`, text));
  } catch (error) {
    complain(error);
  }
}

/** The files that were chosen, or the text as it stands. */
async function texts() {
  const { name, text, files } = form.elements;
  const chosen = [...files.files];
  if (chosen.length < 2) return [[name.value.trim() || "pasted.yml", text.value]];
  return Promise.all(chosen.map(async (file) => [file.name, await file.text()]));
}

async function act(what) {
  const { text } = form.elements;
  report.replaceChildren();
  if (what === "example") {
    text.value = form.dataset.example;
  } else if (what === "hunt") {
    hunt({ text: text.value }, "the text above");
  } else {
    for (const [name, content] of await texts()) await sendOne(name, content, what === "upload");
  }
}

export function setUpUpload() {
  if (!form) return;
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of form.querySelectorAll("button[value]")) {
    button.addEventListener("click", () => act(button.value));
  }
  form.elements.files.addEventListener("change", async ({ target }) => {
    const [first] = target.files;
    if (!first) return;
    form.elements.name.value = first.name;
    form.elements.text.value = await first.text();
    act("validate");
  });
  document.querySelector("a[href='#add']")?.addEventListener("click", () => {
    document.getElementById("add").open = true;
    form.elements.text.focus();
  });
}
