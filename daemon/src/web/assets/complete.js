// The filter box offers how to go on: fields, operators, values that occur.

import { read } from "./api.js";
import { el } from "./dom.js";
import { plain } from "./text.js";

const PATIENCE_MS = 120;
const MOST = 12;

class Completer {
  constructor(input, id) {
    this.input = input;
    this.list = el("div", { class: "completions", role: "listbox", id, "aria-label": "How to go on" });
    this.list.hidden = true;
    input.after(this.list);
    for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list",
      "aria-expanded": "false", "aria-controls": id })) input.setAttribute(name, value);
    input.addEventListener("input", () => this.askSoon());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.close());
  }

  close() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.list.hidden = true;
    this.list.replaceChildren();
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  askSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PATIENCE_MS);
  }

  async ask() {
    this.asking?.abort();
    this.asking = new AbortController();
    const query = new URLSearchParams({ filter: this.input.value, cursor: this.input.selectionStart });
    try {
      const found = await read(`/api/v1/complete?${query}`, { signal: this.asking.signal });
      if (document.activeElement === this.input) this.show(found.slice(0, MOST));
    } catch {
      // Nothing is offered; the text can be written all the same.
      this.close();
    }
  }

  show(found) {
    if (found.length === 0) return this.close();
    this.list.replaceChildren(...found.map((completion, at) => {
      const option = el("div", { role: "option", id: `${this.list.id}-${at}`, "aria-selected": "false" },
        el("span", { class: "word" }, plain(completion.text)),
        el("span", { class: "doc" }, plain(completion.doc ?? "")));
      // Not `click`: the field would lose the focus, and the list go, before it.
      option.addEventListener("mousedown", (event) => {
        event.preventDefault();
        this.take(completion);
      });
      option.completion = completion;
      return option;
    }));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
  }

  chosen() {
    return this.list.querySelector("[aria-selected=true]");
  }

  move(step) {
    const options = [...this.list.children];
    const before = this.chosen();
    const at = before ? options.indexOf(before) + step : step > 0 ? 0 : options.length - 1;
    before?.setAttribute("aria-selected", "false");
    const next = options[(at + options.length) % options.length];
    next.setAttribute("aria-selected", "true");
    next.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", next.id);
  }

  take({ from, to, text }) {
    const { value } = this.input;
    const written = text.endsWith(" ") ? text : `${text} `;
    this.input.value = value.slice(0, from) + written + value.slice(to).trimStart();
    this.input.setSelectionRange(from + written.length, from + written.length);
    this.close();
    this.askSoon();
  }

  key(event) {
    if (event.key === " " && event.ctrlKey) this.ask();
    else if (this.list.hidden) return;
    else if (event.key === "ArrowDown") this.move(1);
    else if (event.key === "ArrowUp") this.move(-1);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab" || (event.key === "Enter" && this.chosen())) {
      this.take((this.chosen() ?? this.list.firstChild).completion);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

export function setUpCompletion() {
  document.querySelectorAll("input[data-complete]").forEach((input, at) => {
    new Completer(input, `complete-${at}`);
  });
}
