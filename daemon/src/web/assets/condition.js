// From what is seen to a filter: include, exclude.

const BARE = /^[\p{L}\p{N}_\-./:+%@]+$/u;
const KEYWORD = /^(and|or|not)$/i;
const ESCAPES = { "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\" };

/** A value as the filter language has it. Bytes that are not UTF-8 come as `\xNN` and stay that. */
function quote(value) {
  if (BARE.test(value) && !KEYWORD.test(value)) return value;
  const inside = value.replace(/\\x[89a-f][0-9a-f]|[\p{Cc}"\\]/gu, (found) => {
    if (found.length === 4) return found;
    return ESCAPES[found] ?? [...new TextEncoder().encode(found)]
      .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
      .join("");
  });
  return `"${inside}"`;
}

/** That a field has this value; of one that was cut that it contains this. */
export function condition({ field, value, isCut }, isWanted) {
  const operator = isCut ? (isWanted ? "~" : "!~") : isWanted ? "=" : "!=";
  return `${field} ${operator} ${quote(value)}`;
}

/** The list of this page, or that of processes, narrowed by a condition more. */
export function narrowed(added) {
  const isList = document.getElementById("filter") !== null;
  const url = new URL(isList ? location.href : "/processes", location.origin);
  const before = (url.searchParams.get("filter") ?? "").trim();
  const kept = /\bor\b/i.test(before) ? `(${before})` : before;
  url.searchParams.set("filter", kept ? `${kept} and ${added}` : added);
  url.searchParams.delete("cursor");
  url.hash = "";
  return url.href;
}
