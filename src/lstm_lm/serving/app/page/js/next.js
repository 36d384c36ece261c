/** The most probable next words after the prompt. */

import { postJson } from "./api.js";
import { choices, ranked } from "./choices.js";
import { byId, make } from "./dom.js";

const LOGPROBS = 5;
const MAX_TITLE = 40; // characters of the prompt

export class NextWords {
  /**
   * @param {() => {prompt: string, models: object[]}} read returns what to ask; throws ValueError
   * @param {(error: Error) => void} refuse called with what went wrong
   */
  constructor(read, refuse) {
    this.read = read;
    this.refuse = refuse;
    this.running = null;
    byId("next").addEventListener("click", () => this.ask());
    byId("prompt").addEventListener("input", () => this.hide());
    byId("next-columns").addEventListener("click", (event) => this.#append(event.target.closest("button")));
  }

  /** Hide the words: they are those of another prompt. */
  hide() {
    this.running?.abort();
    byId("next-words").hidden = true;
  }

  /** Show the words, and return whether they are there. */
  async ask() {
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    try {
      const { prompt, models } = this.read();
      const answers = await Promise.all(models.map(({ id }) => postJson("/v1/completions", request(prompt, id), running.signal)));
      byId("next-title").textContent = `Most probable next words after \u201c${end(prompt)}\u201d`;
      byId("next-columns").replaceChildren(...answers.map((answer) => column(answer, models.length > 1)));
      byId("next-words").hidden = false;
      byId("next-words").scrollIntoView({ block: "nearest" });
      return true;
    } catch (error) {
      if (error.name !== "AbortError") this.refuse(error);
      return false;
    }
  }

  async #append(button) {
    if (!button) return;
    const column = [...byId("next-columns").children].indexOf(button.closest("section"));
    byId("prompt").value += button.dataset.token;
    if (await this.ask()) byId("next-columns").children[column].querySelector("button")?.focus();
  }
}

/** Completions write a word as it is written behind the prompt, which /v1/next does not. */
function request(prompt, model) {
  return { prompt, model, max_tokens: 1, temperature: 0, logprobs: LOGPROBS };
}

function column({ model, choices: [choice] }, withTitle) {
  const words = ranked(choice.logprobs?.top_logprobs[0] ?? {});
  return make("section", { "aria-label": model }, ...(withTitle ? [make("h2", {}, model)] : []), choices(words));
}

function end(text) {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length <= MAX_TITLE ? line : `\u2026 ${line.slice(-MAX_TITLE).replace(/^\S*\s+/, "")}`;
}
