// Every text that is seen, against the nearest ground that hides what is behind it.
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const paint = canvas.getContext("2d", { willReadFrequently: true });

/** Whatever the notation: red, green, blue and opacity. */
function parse(color) {
  paint.clearRect(0, 0, 1, 1);
  paint.fillStyle = color;
  paint.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = paint.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}

const over = (top, below) => top.slice(0, 3).map((part, at) => part * top[3] + below[at] * (1 - top[3]));

function grounds(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const layer = parse(getComputedStyle(at).backgroundColor);
    if (layer[3] > 0) layers.push(layer);
    if (layer[3] === 1) return layers;
  }
  return [...layers, [255, 255, 255, 1]];
}

function groundOf(element) {
  return grounds(element).reduceRight((below, layer) => over(layer, below), [0, 0, 0]);
}

function luminance(color) {
  const [red, green, blue] = color.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function opacityOf(element) {
  let opacity = 1;
  for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
  return opacity;
}

function isSeen(element) {
  const box = element.getBoundingClientRect();
  // What cannot be used is exempt.
  const isOff = element.closest(":disabled, script, style, option");
  return !isOff && element.checkVisibility({ visibilityProperty: true }) && box.width > 1 && box.height > 1;
}

const faint = new Map();
let texts = 0;

function judge(element, style, text) {
  const ground = groundOf(element);
  const ink = parse(element instanceof SVGElement ? style.fill : style.color);
  const shown = over([...ink.slice(0, 3), ink[3] * opacityOf(element)], ground);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const found = ratio(shown, ground);
  texts += 1;
  if (found >= (isLarge ? 3 : 4.5)) return;
  const where = `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
  faint.set(where, `${found.toFixed(2)} ${where} "${text.trim().slice(0, 40)}" ${style.color} on ${ground}`);
}

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const { parentElement: element, data } = walker.currentNode;
  if (data.trim() && isSeen(element)) judge(element, getComputedStyle(element), data);
}
for (const field of document.querySelectorAll("input, textarea, select")) {
  if (!isSeen(field)) continue;
  if (field.value && field.matches("textarea, select, [type=text], [type=search]")) {
    judge(field, getComputedStyle(field), field.value);
  } else if (field.placeholder) {
    judge(field, getComputedStyle(field, "::placeholder"), field.placeholder);
  }
}
return {
  texts,
  faint: [...faint.values()],
  text: luminance(parse(getComputedStyle(document.body).color).slice(0, 3)),
  ground: luminance(groundOf(document.body)),
};
