// The one way to ask for changes: adds the header that no form can send, and says in words what went
// wrong.

const CHANGE = { "X-BPF-Recorder": "1" };

/** What the server said no with: `{"error": …, "hint": …}`. */
async function refusal(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    // Not JSON: the status has to do.
  }
  const text = told.error ?? `the server answered ${response.status}`;
  return new Error(told.hint ? `${text} (${told.hint})` : text);
}

async function ask(method, url, body, type, signal) {
  const headers = method === "GET" ? {} : { ...CHANGE };
  if (body !== undefined) headers["Content-Type"] = type;
  const response = await fetch(url, { method, headers, body, signal, credentials: "same-origin" });
  if (!response.ok) throw await refusal(response);
  return response;
}

/** JSON in, JSON out; `undefined` where there is no answer. */
export async function change(method, url, value) {
  const body = value === undefined ? undefined : JSON.stringify(value);
  const response = await ask(method, url, body, "application/json");
  return response.status === 204 ? undefined : response.json();
}

/** A text in, JSON out. */
export async function send(method, url, text) {
  return (await ask(method, url, text, "application/yaml")).json();
}

/** GET of JSON, or of a text. */
export async function read(url, { signal, asText = false } = {}) {
  const response = await ask("GET", url, undefined, undefined, signal);
  return asText ? response.text() : response.json();
}

/** NDJSON as it comes, a value for each line. */
export async function* lines(method, url, value, signal) {
  const response = await ask(method, url, JSON.stringify(value), "application/json", signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value: part, done } = await reader.read();
    if (done) break;
    const whole = (rest + part).split("\n");
    rest = whole.pop();
    for (const line of whole) if (line) yield JSON.parse(line);
  }
  if (rest.trim()) yield JSON.parse(rest);
}
