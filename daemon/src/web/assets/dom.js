// Elements, made without HTML: attributes and text nodes only.

const SVG = "http://www.w3.org/2000/svg";

/** An element; attributes that are null, undefined or false are left out. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== ""));
  return element;
}

/** One of the shapes of mark.rs. */
export function mark(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `mark m-${name}`);
  svg.setAttribute("viewBox", "0 0 12 12");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#m-${name}`);
  svg.append(use);
  return svg;
}

export function rect(attributes) {
  const element = document.createElementNS(SVG, "rect");
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

let clearing = 0;

/** A short word on what was done, read aloud, too. */
export function say(text) {
  const said = document.getElementById("said");
  if (!said) return;
  said.textContent = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => said.replaceChildren(), 4000);
}
