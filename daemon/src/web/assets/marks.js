// States, levels and decisions with their shapes, as mark.rs has them.

import { el, mark } from "./dom.js";

const STATES = { running: "run", ended: "done", failed: "fail", killed: "kill",
  unobserved: "unknown" };
const LEVELS = { informational: ["dot"], low: ["hollow"], medium: ["peak"], high: ["peak", "peak"],
  critical: ["peak", "peak", "peak"] };
const STATUSES = { new: "dot", in_progress: "run", resolved: "done", false_positive: "fail" };
const RULE_STATES = { active: ["dot", "enabled"], disabled: ["ring", "disabled"],
  inert: ["dash", "inert"], overridden: ["dash", "overridden"], unusable: ["fail", "unusable"] };
const SIGNALS = ["HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
  "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
  "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"];

/** What is not known runs, as far as anybody knows. */
export function stateOf(event) {
  return event.recorder.state in STATES ? event.recorder.state : "running";
}

export function state(event) {
  const name = stateOf(event);
  const { exit_code: code, exit_signal: signal } = event.process;
  let words = name;
  if (name === "failed" && code != null) words += ` ${code}`;
  if (name === "killed" && signal != null) words += ` ${SIGNALS[signal - 1] ?? signal}`;
  return el("span", { class: `state is-${name}` }, mark(STATES[name]), words);
}

export function level(name) {
  const shapes = (LEVELS[name] ?? ["dot"]).map(mark);
  return el("span", { class: `level is-${name}` }, shapes, el("span", { class: "word" }, name));
}

export function status(name) {
  const shape = mark(STATUSES[name] ?? "dot");
  return el("span", { class: `status is-${name}` }, shape, name.replace("_", " "));
}

export function ruleState(name) {
  const [shape, word] = RULE_STATES[name] ?? ["unknown", name];
  return el("span", { class: `rule-state is-${name}` }, mark(shape), word);
}
