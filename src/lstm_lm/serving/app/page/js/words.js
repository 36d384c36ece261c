/** A generated text, word by word. */

import { ranked } from "./choices.js";
import { make } from "./dom.js";

const MAX_PROMPT = 300; // characters that are shown: the whole prompt is in its field

/** One text of an answer. Its words are one stop of the Tab key; arrows move between them. */
export class WordText {
  /**
   * @param {string} prompt of which the end is shown in front of the words
   * @param {string} model id, of which the words are
   * @param {number} place among the texts of the model, from 1
   */
  constructor(prompt, model, place) {
    this.prompt = prompt;
    this.model = model;
    this.words = []; // {text, token, alternatives, start}
    this.generated = "";
    this.length = 0; // characters of `generated` that are words already
    this.finishReason = null;
    const about = { role: "group", "aria-label": `Text ${place} of ${model}`, "aria-describedby": "alternatives-hint" };
    this.body = make("p", { class: "text", ...about }, make("span", { class: "prompt" }, end(prompt)));
    this.element = make("li", {}, make("span", { class: "place quiet" }, `${place}.`), this.body);
    owners.set(this.body, this);
    this.body.addEventListener("keydown", (event) => this.#move(event));
  }

  /** Append what a chunk of the answer brings. */
  add(choice) {
    this.generated += choice.text;
    this.finishReason = choice.finish_reason ?? this.finishReason;
    const { tokens = [], top_logprobs: top = [] } = choice.logprobs ?? {};
    this.body.append(...tokens.flatMap((text, place) => this.#word(text, top[place] ?? {})));
    // Beam searches report no words.
    if (this.finishReason && this.length < this.generated.length) {
      this.body.append(this.generated.slice(this.length));
      this.length = this.generated.length;
    }
  }

  /** Number of words: of a text without reported words, what is between spaces. */
  get count() {
    return this.words.length || this.generated.split(/\s+/).filter(Boolean).length;
  }

  /** The prompt and the generated text before a word. */
  before(word) {
    return this.prompt + this.generated.slice(0, word.start);
  }

  #word(text, top) {
    // The space in front does not belong to what is pointed at, unless there is nothing else.
    const space = text.trim() ? text.slice(0, text.length - text.trimStart().length) : "";
    const shown = text.slice(space.length);
    const word = { text: shown, alternatives: ranked(top, text), start: this.length };
    this.length += text.length;
    this.words.push(word);
    const first = this.words.length === 1;
    const label = shown.trim() ? null : { "\n": "new line", " ": "space" }[shown] ?? "space";
    const about = { class: "word", role: "button", "aria-haspopup": "true", tabindex: first ? 0 : -1, "aria-label": label };
    const span = make("span", about, shown === "\n" ? "\u21b5\n" : shown);
    wordOf.set(span, word);
    return [space, span];
  }

  #move(event) {
    const spans = [...this.body.querySelectorAll(".word")];
    const place = spans.indexOf(event.target);
    const target = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: spans.length - 1 }[event.key];
    if (place < 0 || target === undefined) return;
    event.preventDefault();
    this.focus(spans[Math.max(0, Math.min(target, spans.length - 1))]);
  }

  /** Move the focus to a word: the Tab key comes back to it. */
  focus(span) {
    for (const each of this.body.querySelectorAll('.word[tabindex="0"]')) each.tabIndex = -1;
    span.tabIndex = 0;
    span.focus();
  }
}

const owners = new WeakMap(); // of elements
const wordOf = new WeakMap();

/** @returns {?{span, word, text}} the word that an event is about */
export function find(target) {
  const span = target.closest?.(".word");
  return span ? { span, word: wordOf.get(span), text: owners.get(span.parentElement) } : null;
}

/** The end of a long text, from the start of a word on. */
function end(text) {
  return text.length <= MAX_PROMPT ? text : text.slice(-MAX_PROMPT).replace(/^\S*\s*/, "\u2026 ");
}
