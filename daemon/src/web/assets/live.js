// What happens now, from the server's stream of events; tries again when it breaks, later each time.

const SOONEST_MS = 1000;
const LATEST_MS = 30000;

/** `handlers` by the name of the event; `told(state, text)` as the stream comes and goes. */
export function follow(url, handlers, told) {
  let delay = SOONEST_MS;
  let wasOpen = false;
  const open = () => {
    const source = new EventSource(url);
    const again = (text) => {
      source.close();
      told("broken", text);
      setTimeout(open, delay);
      delay = Math.min(delay * 2, LATEST_MS);
    };
    source.onopen = () => {
      delay = SOONEST_MS;
      // What happened in between was not sent: it is only in the store.
      told(wasOpen ? "again" : "live");
      wasOpen = true;
    };
    source.onerror = () => again("Reconnecting…");
    source.addEventListener("end", ({ data }) => {
      const reason = JSON.parse(data || "{}").reason ?? "ended";
      if (!reason.includes("session")) return again("Reconnecting…");
      source.close();
      told("broken", "The session is over");
    });
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, ({ data }) => handle(JSON.parse(data)));
    }
    addEventListener("pagehide", () => source.close(), { once: true });
  };
  open();
}

/** Shows in the page how the stream is. */
export function teller() {
  const shown = document.getElementById("stream");
  return (state, text) => {
    shown.className = state === "broken" ? "is-broken" : "";
    const isRefreshable = state === "again";
    shown.lastChild.textContent = text ?? "live";
    shown.nextElementSibling?.matches("a.again") && shown.nextElementSibling.remove();
    if (!isRefreshable) return;
    const refresh = document.createElement("a");
    refresh.className = "again";
    refresh.href = location.href;
    refresh.textContent = "some may be missing: refresh";
    shown.after(refresh);
  };
}
