/** A link that reproduces a text: the prompt and all settings, behind the # of the address, which browsers do not send to any server. */

/**
 * @param {object} settings {prompt, models: [ids], fingerprints: [strings], values: options by the API's names}
 * @returns {string} the part of the address from the #
 */
export function encode({ prompt, models, fingerprints, values }) {
  const pairs = [["prompt", prompt], ...Object.entries(values), ...models.map((id) => ["model", id]), ...fingerprints.map((one) => ["fingerprint", one])];
  return `#${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`;
}

/**
 * @param {string} hash the part of an address from the #
 * @param {string[]} names of the options; anything else is left out
 * @returns {?object} settings as above; null if there is no prompt
 */
export function decode(hash, names) {
  const found = new URLSearchParams(hash.replace(/^#/, ""));
  if (!found.has("prompt")) return null;
  const values = Object.fromEntries(names.filter((name) => found.has(name)).map((name) => [name, found.get(name)]));
  return { prompt: found.get("prompt"), models: found.getAll("model"), fingerprints: found.getAll("fingerprint"), values };
}
