/** Small helpers to make elements. */

/**
 * Make an element. Text is always text, never HTML.
 *
 * @param {string} tag
 * @param {object} attributes a value of false or null leaves the attribute out
 * @param {...(Node|string)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** The element with an id of index.html. */
export function byId(id) {
  return document.getElementById(id);
}

/** A number as people read it, rounded to so many digits behind the point. */
export function number(value, digits = 0) {
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** A probability in percent. */
export function percent(probability) {
  if (probability > 0 && probability < 0.001) return "< 0.1 %";
  return `${number(100 * probability, 1)} %`;
}
