// Building the document. An article is a stranger's text: it reaches the document as text nodes only, and styles come
// through classes and SVG attributes, because the Content-Security-Policy allows neither inline script nor style.

export const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children); // strings become text nodes
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const percent = (share) => `${Math.round(share * 100)} %`;
export const decimals = (value) => (value == null ? "not measured" : value.toFixed(2));
export const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
export const side = (value) => (value > 0 ? "state" : "independent");
export const strongest = (items) =>
  items.reduce((most, item) => Math.max(most, Math.abs(item.contribution)), 0);
export const say = (message) => {
  $("status").textContent = message;
};
