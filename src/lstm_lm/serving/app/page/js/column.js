/** The texts of one model, with the facts about them. */

import { make, number } from "./dom.js";
import { WordText } from "./words.js";

const GENERATING = "generating";

export class Column {
  /**
   * @param {object} model of /v1/models
   * @param {number} models on the page: with several of them the column has a title
   * @param {{models: object[], values: object}} settings of the texts
   */
  constructor(model, models, settings) {
    this.model = model;
    this.settings = settings;
    this.texts = [];
    this.started = performance.now();
    this.first = null; // milliseconds until the first word
    this.fingerprint = null;
    const isNumbered = (settings.values.n ?? 1) > 1;
    this.list = make("ol", { class: isNumbered ? "samples numbered" : "samples" });
    this.facts = make("p", { class: "quiet", role: "status" }, "waiting for the first word");
    const title = make("h2", {}, model.id, " ", make("span", { class: "quiet" }, model.version ? `version ${model.version}` : ""));
    this.element = make("section", { class: "column running", "aria-label": model.id }, ...(models > 1 ? [title] : []), this.facts, this.list);
  }

  /** Append what a chunk of the answer brings. */
  add(chunk, prompt) {
    this.fingerprint = chunk.system_fingerprint;
    this.seed = chunk.seed;
    for (const choice of chunk.choices) {
      while (this.texts.length <= choice.index) {
        const text = new WordText(prompt, this.model.id, this.texts.length + 1);
        this.texts.push(text);
        this.list.append(text.element);
      }
      if (choice.text) this.first ??= performance.now() - this.started;
      this.texts[choice.index].add(choice);
    }
    if (this.facts.textContent !== GENERATING) this.facts.textContent = GENERATING;
  }

  /**
   * Show the facts.
   *
   * @param {string} how the texts ended, if it was not by themselves
   */
  end(how) {
    this.element.classList.remove("running");
    const { models, values } = this.settings;
    const seconds = (performance.now() - this.started) / 1000;
    const words = this.texts.reduce((sum, text) => sum + text.count, 0);
    const facts = [how, `${number(words)} ${words === 1 ? "word" : "words"}`];
    // Two models share the processor: their times say nothing about either of them.
    if (this.first !== null && models.length === 1) facts.push(`first word after ${number(this.first)} ms`, `${number(words / seconds)} words/s`);
    if (this.seed !== undefined && !(values.beam_width > 1)) facts.push(`seed ${this.seed}`);
    const reasons = new Set(this.texts.map((text) => this.#reason(text)));
    if (!how && reasons.size === 1) facts.push(...reasons);
    this.facts.textContent = facts.filter(Boolean).join(" \u00b7 ");
  }

  #reason(text) {
    if (text.finishReason !== "stop") return "";
    const { stop, stop_at_sentence_end: bySentence } = this.settings.values;
    const last = text.generated.trimEnd();
    const isSentence = bySentence && (!stop || this.model.sentence_ends.some((end) => last.endsWith(end)));
    return isSentence ? "ended at the end of a sentence" : "ended at the stop text";
  }
}
