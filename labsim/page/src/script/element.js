// Elements are made by these two only: texts stay texts.
const maker = (space) => (name, attributes, ...children) => {
  const element = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
};
const html = maker("http://www.w3.org/1999/xhtml");
const svg = maker("http://www.w3.org/2000/svg");
const link = (scenario, packet, hop) =>
  `#${encodeURIComponent(scenario.name)}/${scenario.hops[packet.hops[0]].number}/${hop + 1}`;
// An input with its label; the label's text is all of the input's name.
let labels = 0;
const labelled = (text, input) => {
  input.id = `input-${++labels}`;
  return html("span", { class: "labelled" }, html("label", { for: input.id }, text), " ", input);
};
