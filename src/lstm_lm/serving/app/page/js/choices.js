/** A list of words to choose from, with their probabilities. */

import { make, percent } from "./dom.js";

const UNKNOWN = "<unk>";

/**
 * Sort words by their probabilities.
 *
 * @param {object} top log probabilities by token
 * @param {?string} taken the token that is in the text
 */
export function ranked(top, taken = null) {
  const words = Object.entries(top).map(([token, value]) => ({ token, probability: Math.exp(value), taken: token === taken }));
  return words.sort((one, other) => other.probability - one.probability);
}

/** @returns {Element} a list of buttons; the longest bar is that of the most probable word */
export function choices(words) {
  const most = words[0]?.probability || 1;
  return make("ol", { class: "choices" }, ...words.map((word) => make("li", {}, choice(word, most))));
}

function choice({ token, probability, taken }, most) {
  const shown = { "\n": "\u21b5 new line", " ": "space" }[token] ?? token.trim();
  const label = `${shown}, ${percent(probability)}${taken ? ", in this text" : ""}`;
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  bar.style.width = `calc(${((100 * probability) / most).toFixed(1)}% - 4px)`;
  const parts = [bar, make("span", { class: "name" }, shown), make("span", { class: "probability" }, percent(probability))];
  const button = make("button", { type: "button", "data-token": token, "aria-label": label, class: taken ? "taken" : null }, ...parts);
  button.disabled = shown === UNKNOWN;
  return button;
}
