/** The controls for the generation options, made from the server's table of them. */

import { byId, make } from "./dom.js";

const COMMON = ["max_words", "temperature", "top_p", "seed"];
const LABELS = { no_repeat_ngram: "No repeated n-grams" }; // of the others: their names
const MAX_INT32 = 2 ** 31 - 1;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const STOP = { name: "stop", label: "Stop text", type: "str", default: "", help: "the text ends before the first occurrence of this; empty: off" };

export class Controls {
  /** @param {object} table answer to /v1/options */
  constructor(table) {
    this.fields = new Map(); // by the name that the API uses
    this.rows = new Map();
    this.errors = new Map();
    const rows = [...table.options, STOP];
    const common = COMMON.map((name) => rows.find((row) => row.name === name)).filter(Boolean);
    const rest = rows.filter((row) => !common.includes(row));
    for (const [box, part] of [[byId("common-options"), common], [byId("more-options"), rest]]) {
      box.replaceChildren(...part.map((row) => this.#control(row, table.names[row.name] ?? row.name)));
    }
    byId("defaults").addEventListener("click", () => this.reset());
  }

  #control(row, name) {
    const id = `option-${name}`;
    const field = input(row, id);
    const error = make("p", { id: `${id}-error`, class: "error", role: "alert" });
    this.fields.set(name, field);
    this.rows.set(name, { ...row, label: label(row) });
    this.errors.set(name, error);
    field.addEventListener("input", () => this.#clear(name));
    const caption = make("label", { for: id }, label(row));
    const hint = make("p", { id: `${id}-hint`, class: "hint" }, describe(row));
    if (row.type !== "bool") return make("div", { class: "option", title: name }, caption, field, error, hint);
    caption.classList.add("check");
    caption.prepend(field);
    return make("div", { class: "option", title: name }, caption, error, hint);
  }

  /** Set every control to its default. */
  reset() {
    for (const [name, field] of this.fields) show(field, initial(this.rows.get(name)));
    this.clearErrors();
  }

  /** Set the controls named in a link, and the others to their default. */
  set(values) {
    this.reset();
    for (const [name, value] of Object.entries(values)) {
      if (this.fields.has(name)) show(this.fields.get(name), value);
    }
    // Nobody should have to look for what differs from the defaults.
    byId("more").open = [...this.fields].some(
      ([name, field]) => byId("more-options").contains(field) && current(field) !== String(this.rows.get(name).default),
    );
  }

  /**
   * The values as the API wants them. What is empty is left out: the server takes its default.
   *
   * @returns {object} by the names that the API uses
   * @throws {ValueError} for a value that the table does not allow
   */
  values() {
    const found = {};
    for (const [name, field] of this.fields) {
      const row = this.rows.get(name);
      if (row.type === "bool") found[name] = field.checked;
      else if (row.type === "str" ? field.value !== "" : field.value.trim() !== "") {
        found[name] = row.type === "str" ? field.value : parse(field.value.trim(), row, name);
      }
    }
    return found;
  }

  /** Those of some values that a link has to hold: not the defaults. */
  differing(values) {
    return Object.fromEntries(Object.entries(values).filter(([name, value]) => name === "seed" || value !== this.rows.get(name)?.default));
  }

  /** The names that a link holds. */
  get names() {
    return [...this.fields.keys()];
  }

  /** A message of the server, with the options called as on the page. */
  inLabels(message) {
    const labels = new Map([...this.rows].map(([name, row]) => [name, row.label]));
    labels.set("prompt", "Prompt");
    return message.replace(/\b[a-z_]+\b(?= = | has )|\b[a-z]+_[a-z_]+\b/g, (name) => labels.get(name) ?? name);
  }

  /**
   * Show beside its control what is wrong with a value, and go there.
   *
   * @returns {boolean} whether there is such a control
   */
  showError(name, message) {
    const field = this.fields.get(name);
    if (!field) return false;
    if (byId("more-options").contains(field)) byId("more").open = true;
    field.setAttribute("aria-invalid", "true");
    this.errors.get(name).textContent = message;
    field.focus();
    return true;
  }

  /** Show all controls as valid again. */
  clearErrors() {
    for (const name of this.fields.keys()) this.#clear(name);
  }

  #clear(name) {
    this.fields.get(name).removeAttribute("aria-invalid");
    this.errors.get(name).textContent = "";
  }
}

export class ValueError extends Error {
  /**
   * @param {string} message one line
   * @param {string} param what is wrong: an option, "prompt" or "model"
   */
  constructor(message, param) {
    super(message);
    this.param = param;
  }
}

function parse(given, row, name) {
  const number = NUMBER.test(given) ? Number(given) : NaN;
  const isAbove = row.exclusive_minimum ? number > row.minimum : number >= row.minimum;
  const isWhole = row.type === "int";
  if (isAbove && number <= row.maximum && (!isWhole || Number.isInteger(number))) return number;
  const range = row.exclusive_minimum ? `above ${row.minimum} and at most ${row.maximum}` : `from ${row.minimum} to ${row.maximum}`;
  const comma = isWhole ? ", without commas" : ", with a point: 0.5";
  throw new ValueError(`${row.label} = ${given}: must be a ${isWhole ? "whole " : ""}number ${range}${given.includes(",") ? comma : ""}`, name);
}

function label(row) {
  const title = row.name.replaceAll("_", " ");
  return row.label ?? LABELS[row.name] ?? title[0].toUpperCase() + title.slice(1);
}

/** Numbers are typed into plain text fields: a number field of a browser drops what it does not understand, such as a comma. */
function input(row, id) {
  const about = { id, name: row.name, "aria-describedby": `${id}-error ${id}-hint`, autocomplete: "off" };
  if (row.type === "bool") {
    const field = make("input", { ...about, type: "checkbox" });
    field.checked = row.default;
    return field;
  }
  if (row.type === "str") return make("input", { ...about, type: "text" });
  const placeholder = row.name === "seed" ? "random" : String(row.default);
  return make("input", { ...about, type: "text", inputmode: row.type === "int" ? "numeric" : "decimal", value: initial(row), placeholder });
}

/** The same seed at every start would look as if the model knew one text only. */
function initial(row) {
  return row.name === "seed" ? "" : row.default;
}

function show(field, value) {
  if (field.type === "checkbox") field.checked = value === true || value === "true";
  else field.value = value;
}

function current(field) {
  return field.type === "checkbox" ? String(field.checked) : field.value;
}

function describe(row) {
  const help = row.help[0].toUpperCase() + row.help.slice(1);
  if (row.type === "bool" || row.type === "str" || row.maximum === MAX_INT32) return help;
  return `${help} (${row.exclusive_minimum ? `above ${row.minimum}, at most` : `${row.minimum} to`} ${row.maximum})`;
}
