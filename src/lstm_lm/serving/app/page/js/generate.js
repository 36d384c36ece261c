/** The panel in which texts are generated. */

import { Alternatives } from "./alternatives.js";
import { ApiError, streamCompletion } from "./api.js";
import { ValueError } from "./controls.js";
import { byId, make, number } from "./dom.js";
import * as link from "./link.js";
import { Speaker } from "./speaker.js";
import { WordText } from "./words.js";

const MAX_SEED = 2 ** 31 - 1;
const LOGPROBS = 5; // the most that the API reports
const ENDS = { stop: "stopped by an option", length: "" };

export class GeneratePanel {
  /**
   * @param {object[]} models of /v1/models
   * @param {Controls} controls
   * @param {(error: ApiError) => void} refused called when the server asks for a key
   */
  constructor(models, controls, refused) {
    this.models = models;
    this.controls = controls;
    this.refused = refused;
    this.running = null; // AbortController
    this.shown = null; // settings of the texts that are shown
    this.columns = [];
    this.speaker = new Speaker(byId("spoken"));
    this.alternatives = new Alternatives(byId("generated"), (text, word, token) => this.#continueFrom(text, word, token));
    this.#addModels();
    this.#listen();
  }

  #addModels() {
    if (this.models.length < 2) return;
    const boxes = this.models.map(({ id }) => {
      const box = make("input", { type: "checkbox", name: "model", value: id });
      box.checked = true;
      return make("label", { class: "check" }, box, id);
    });
    byId("models").append(...boxes);
    byId("models").hidden = false;
  }

  #listen() {
    byId("generate-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.generate();
    });
    byId("prompt").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.generate();
      }
    });
    byId("stop").addEventListener("click", () => this.running?.abort());
    byId("copy-text").addEventListener("click", () => this.#copy(this.#texts(), "Copied the text"));
    byId("copy-link").addEventListener("click", () => this.#copyLink());
    byId("keep-seed").addEventListener("click", () => this.#keepSeed());
    addEventListener("popstate", () => this.openLink());
  }

  /** Generate what the address of the page describes, if it describes anything. */
  openLink() {
    const settings = link.decode(location.hash, this.controls.names);
    if (!settings) {
      this.running?.abort();
      return;
    }
    byId("prompt").value = settings.prompt;
    this.controls.set(settings.values);
    const boxes = [...byId("models").querySelectorAll("input")];
    if (boxes.some((box) => settings.models.includes(box.value))) {
      for (const box of boxes) box.checked = settings.models.includes(box.value);
    }
    this.generate({ isLink: true, fingerprints: settings.fingerprints });
  }

  #chosenModels() {
    const names = [...byId("models").querySelectorAll("input:checked")].map((box) => box.value);
    return this.models.length < 2 ? this.models : this.models.filter((model) => names.includes(model.id));
  }

  /** Generate what the controls describe. */
  async generate({ isLink = false, fingerprints = [] } = {}) {
    this.running?.abort();
    this.#report("");
    this.controls.clearInvalid();
    let settings;
    try {
      settings = this.#settings();
    } catch (error) {
      this.#report(error.message);
      if (error.param) this.controls.markInvalid(error.param);
      else byId("prompt").focus();
      return;
    }
    const running = new AbortController();
    this.running = running;
    this.#show(settings);
    if (!isLink) history.pushState(null, "", link.encode(this.shown));
    setEnabled(byId("stop"), true);
    await Promise.all(this.columns.map((column) => this.#fill(column, settings, running)));
    if (this.running !== running) return; // another one has started
    this.running = null;
    setEnabled(byId("stop"), false);
    this.speaker.flush();
    this.#compareFingerprints(fingerprints);
  }

  #settings() {
    const prompt = byId("prompt").value;
    if (!prompt.trim()) throw new ValueError("Type a prompt first: the model continues it.");
    const models = this.#chosenModels();
    if (!models.length) throw new ValueError("Choose a model.");
    const values = this.controls.values();
    // Chosen here, so that two models get the same one.
    values.seed ??= crypto.getRandomValues(new Uint32Array(1))[0] % MAX_SEED;
    return { prompt, models, values };
  }

  #show({ prompt, models, values }) {
    this.alternatives.hide();
    this.speaker.start();
    const without = values.stop_at_sentence_end ? models.filter((model) => !model.sentence_ends.length) : [];
    byId("note").textContent = without.length ? `No word of ${without.map(({ id }) => id).join(" and ")} ends a sentence: stopping there has no effect.` : "";
    byId("copied").textContent = "";
    byId("link").hidden = true;
    this.columns = models.map((model) => new Column(model, this.models.length > 1));
    byId("columns").replaceChildren(...this.columns.map((column) => column.element));
    byId("generated").hidden = false;
    this.shown = { prompt, models: models.length < this.models.length || models.length > 1 ? models.map(({ id }) => id) : [], values };
    this.shown.fingerprints = models.map((model) => model.system_fingerprint);
  }

  async #fill(column, { prompt, values }, running) {
    const body = { ...values, prompt, model: column.model.id };
    if (!(values.beam_width > 1)) body.logprobs = LOGPROBS; // beam searches have none
    const isOnlyText = this.columns.length === 1 && (values.n ?? 1) === 1;
    try {
      await streamCompletion(body, running.signal, (chunk) => {
        column.add(chunk, prompt);
        if (isOnlyText) this.speaker.add(chunk.choices.map((choice) => choice.text).join(""));
      });
      column.end("");
    } catch (error) {
      column.end(error.name === "AbortError" ? "stopped" : "incomplete");
      if (this.running === running && error.name !== "AbortError") this.#fail(error, column);
    }
    if (!isOnlyText && this.running === running) {
      for (const text of column.texts) this.speaker.add(`${column.model.id}: ${text.generated}. `);
    }
  }

  #fail(error, column) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) this.refused(error);
    this.#report(this.columns.length > 1 ? `${column.model.id}: ${error.message}` : error.message);
    if (error.param) this.controls.markInvalid(error.param);
    if (!this.columns.some((each) => each.texts.length)) byId("generated").hidden = true;
  }

  #report(message) {
    byId("generate-error").textContent = message;
  }

  #compareFingerprints(wanted) {
    const differs = wanted.length && this.columns.some((column) => column.fingerprint && !wanted.includes(column.fingerprint));
    if (differs) byId("note").textContent = "This link was made with other weights than this server's: the text may be another one.";
    this.shown.fingerprints = this.columns.map((column) => column.fingerprint ?? column.model.system_fingerprint);
  }

  /** Continue a text with another word, which is written as it would be in this place. */
  #continueFrom(text, word, token) {
    byId("prompt").value = text.before(word) + token;
    return this.generate();
  }

  #texts() {
    const several = this.columns.length > 1;
    return this.columns.map((column) => (several ? `${column.model.id}:\n` : "") + column.texts.map((text) => text.prompt + text.generated).join("\n\n")).join("\n\n");
  }

  async #copyLink() {
    const address = new URL(link.encode(this.shown), location.href).href;
    byId("link").value = address;
    await this.#copy(address, "Copied the link", () => {
      byId("link").hidden = false;
      byId("link").select();
    });
  }

  async #copy(text, done, otherwise = () => {}) {
    // Browsers have a clipboard only for pages from this machine, or over https.
    try {
      await navigator.clipboard.writeText(text);
      byId("copied").textContent = done;
    } catch {
      otherwise();
      byId("copied").textContent = "This browser does not let the page copy: select it and copy it yourself";
    }
  }

  #keepSeed() {
    byId("option-seed").value = this.shown.values.seed;
    byId("copied").textContent = `The next text has the seed ${this.shown.values.seed} too`;
  }
}

/** The texts of one model. */
class Column {
  constructor(model, withTitle) {
    this.model = model;
    this.texts = [];
    this.started = performance.now();
    this.first = null; // milliseconds until the first word
    this.fingerprint = null;
    this.list = make("ol", { class: "samples" });
    this.facts = make("p", { class: "quiet", role: "status" }, "waiting for the first word");
    const title = make("h2", {}, model.id, " ", make("span", { class: "quiet" }, model.version ? `version ${model.version}` : ""));
    this.element = make("section", { class: "column running", "aria-label": model.id }, ...(withTitle ? [title] : []), this.list, this.facts);
  }

  add(chunk, prompt) {
    this.fingerprint = chunk.system_fingerprint;
    this.seed = chunk.seed;
    for (const choice of chunk.choices) {
      while (this.texts.length <= choice.index) {
        const text = new WordText(prompt, this.model.id);
        this.texts.push(text);
        this.list.append(text.element);
      }
      if (choice.text) this.first ??= performance.now() - this.started;
      this.texts[choice.index].add(choice);
    }
    if (this.facts.textContent) this.facts.textContent = "";
  }

  end(how) {
    this.element.classList.remove("running");
    const seconds = (performance.now() - this.started) / 1000;
    const words = this.texts.reduce((sum, text) => sum + text.count, 0);
    const reasons = new Set(this.texts.map((text) => ENDS[text.finishReason] ?? ""));
    const facts = [how, `${number(words)} ${words === 1 ? "word" : "words"}`];
    if (this.first !== null) facts.push(`first word after ${number(this.first)} ms`, `${number(words / seconds)} words/s`, `seed ${this.seed}`);
    if (!how && reasons.size === 1) facts.push(...reasons);
    this.facts.textContent = facts.filter(Boolean).join(" \u00b7 ");
  }
}

/** A button that keeps the focus while it does nothing. */
function setEnabled(button, enabled) {
  button.setAttribute("aria-disabled", String(!enabled));
}
