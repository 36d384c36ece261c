/** The controls for the generation options, made from the server's table of them. */

import { byId, make } from "./dom.js";

const COMMON = ["max_words", "temperature", "top_p", "seed"];
const MAX_INT32 = 2 ** 31 - 1;
const LISTED = ["stop"]; // of the API, beside the table
const STOP = { name: "stop", label: "Stop text", type: "str", default: "", help: "the text ends before the first occurrence of this; empty: off" };

export class Controls {
  /** @param {object} table answer to /v1/options */
  constructor(table) {
    this.fields = new Map(); // by the name that the API uses
    this.rows = new Map();
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
    this.fields.set(name, field);
    this.rows.set(name, row);
    field.addEventListener("input", () => field.removeAttribute("aria-invalid"));
    const title = row.name.replaceAll("_", " ");
    const caption = make("label", { for: id }, row.label ?? title[0].toUpperCase() + title.slice(1));
    const hint = make("p", { id: `${id}-hint`, class: "hint" }, describe(row));
    if (row.type !== "bool") return make("div", { class: "option", title: name }, caption, field, hint);
    caption.classList.add("check");
    caption.prepend(field);
    return make("div", { class: "option", title: name }, caption, hint);
  }

  /** Set every control to its default. */
  reset() {
    for (const [name, field] of this.fields) show(field, initial(this.rows.get(name)));
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
   * @throws {ValueError} for what is no number; the server checks the rest
   */
  values() {
    const found = {};
    for (const [name, field] of this.fields) {
      if (field.validity.badInput) throw new ValueError(`${name}: must be a number`, name);
      if (field.type === "checkbox") found[name] = field.checked;
      else if (field.value !== "") found[name] = field.type === "number" ? Number(field.value) : field.value;
    }
    return found;
  }

  /** The names that a link holds. */
  get names() {
    return [...this.fields.keys()];
  }

  /** Show which control is wrong. */
  markInvalid(name) {
    const field = this.fields.get(name);
    if (!field) return;
    if (byId("more-options").contains(field)) byId("more").open = true;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }

  /** Show all controls as valid again. */
  clearInvalid() {
    for (const field of this.fields.values()) field.removeAttribute("aria-invalid");
  }
}

export class ValueError extends Error {
  constructor(message, param) {
    super(message);
    this.param = param;
  }
}

function input(row, id) {
  const about = { id, name: row.name, "aria-describedby": `${id}-hint generate-error` };
  if (row.type === "bool") {
    const field = make("input", { ...about, type: "checkbox" });
    field.checked = row.default;
    return field;
  }
  if (LISTED.includes(row.name)) return make("input", { ...about, type: "text", autocomplete: "off" });
  const bounds = { min: row.minimum, max: row.maximum, step: row.type === "int" ? 1 : "any", inputmode: row.type === "int" ? "numeric" : "decimal" };
  const placeholder = row.name === "seed" ? "random" : String(row.default);
  return make("input", { ...about, ...bounds, type: "number", value: initial(row), placeholder, autocomplete: "off" });
}

/** The same seed at every start would look as if the model knew one text only. */
function initial(row) {
  return row.name === "seed" ? "" : row.default;
}

function show(field, value) {
  if (field.type === "checkbox") field.checked = value === true || value === "true";
  else field.value = value;
  field.removeAttribute("aria-invalid");
}

function current(field) {
  return field.type === "checkbox" ? String(field.checked) : field.value;
}

function describe(row) {
  const help = row.help[0].toUpperCase() + row.help.slice(1);
  if (row.type === "bool" || row.type === "str") return help;
  const least = `${row.exclusive_minimum ? "above" : "from"} ${row.minimum}`;
  const most = row.maximum === MAX_INT32 ? "" : `${row.exclusive_minimum ? ", at most" : " to"} ${row.maximum.toLocaleString("en")}`;
  return `${help} (${least}${most})`;
}
