// Texts of traced processes are hostile: here they become visible, short and harmless, as
// hostile.rs does it on the server. They are only ever put into text nodes and attributes.

const UNSAFE =
  /[\p{Cc}\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}\u{e0100}-\u{e01ef}]/gu;
const NAMED = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };
const MOST_LINE_BYTES = 400;
const MOST_SOUGHT_CHARS = 120;

/** Control, bidirectional and invisible characters as escapes. */
export function plain(text) {
  return text.replace(UNSAFE, (c) => {
    const code = c.codePointAt(0).toString(16);
    return NAMED[c] ?? (c < "\x80" ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`);
  });
}

/** The beginning for a line of a list, and how many bytes are missing. */
export function cut(text) {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MOST_LINE_BYTES) return [plain(text), 0];
  let end = MOST_LINE_BYTES;
  while ((bytes[end] & 0xc0) === 0x80) end -= 1;
  return [plain(new TextDecoder().decode(bytes.subarray(0, end))), bytes.length - end];
}

/** As `cut`, for names. */
export function short(text) {
  const [shown, rest] = cut(text);
  return rest ? `${shown}…` : shown;
}

/** What a menu looks for: the beginning of the value, and whether that is not all. */
export function sought(text) {
  const chars = [...text.slice(0, 2 * MOST_SOUGHT_CHARS + 2)];
  if (chars.length <= MOST_SOUGHT_CHARS) return [text, false];
  return [chars.slice(0, MOST_SOUGHT_CHARS).join(""), true];
}

/** `12,481` */
export function number(value) {
  return value.toLocaleString("en-US");
}

/** `3 alerts` */
export function counted(count, what) {
  return `${number(count)} ${what}${count === 1 ? "" : "s"}`;
}
