/** The panel in which texts are generated. */

import { Alternatives } from "./alternatives.js";
import { ApiError, streamCompletion } from "./api.js";
import { Column } from "./column.js";
import { ValueError } from "./controls.js";
import { byId, make, number } from "./dom.js";
import * as link from "./link.js";
import { NextWords } from "./next.js";
import { Speaker } from "./speaker.js";

const MAX_SEED = 2 ** 31 - 1;
const LOGPROBS = 5; // the most that the API reports
const MAX_SPOKEN = 3; // texts that a screen reader reads to the end
const BEAM = "A beam search reports no other words. It ignores temperature, top k, top p, min p, typical p and the seed.";
const SAME = "Both models generated the same text.";
const OTHER_WEIGHTS = "This link was made with other weights than this server's: the text may be another one.";

export class GeneratePanel {
  /**
   * @param {object[]} models of /v1/models
   * @param {Controls} controls
   * @param {{refused: (error: ApiError) => void, score: (text: string) => void}} callbacks called when the server asks for a key; scores a text
   */
  constructor(models, controls, { refused, score }) {
    this.models = models;
    this.controls = controls;
    this.refused = refused;
    this.score = score;
    this.running = null; // AbortController
    this.shown = null; // settings of the texts that are shown
    this.columns = [];
    this.speaker = new Speaker(byId("spoken"));
    this.alternatives = new Alternatives(byId("generated"), (text, word, token) => this.#continueFrom(text, word, token));
    this.next = new NextWords(() => this.#checkedPrompt(), (error) => this.#refuse(error));
    this.#addModels();
    this.#listen();
  }

  #addModels() {
    if (this.models.length < 2) return;
    const boxes = this.models.map(({ id }) => {
      const box = make("input", { type: "checkbox", name: "model", value: id, "aria-describedby": "generate-error" });
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
    byId("prompt").addEventListener("input", () => byId("prompt").removeAttribute("aria-invalid"));
    byId("stop").addEventListener("click", () => this.running?.abort());
    byId("copy-text").addEventListener("click", () => this.#copy(this.#texts(), "Copied the text"));
    byId("copy-link").addEventListener("click", () => this.#copyLink());
    byId("keep-seed").addEventListener("click", () => this.#keepSeed());
    byId("score-this").addEventListener("click", () => this.score(this.#texts()));
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

  /**
   * Generate what the controls describe. The texts before stay until the first word arrives: a mistake costs nothing.
   *
   * @param {{isLink: boolean, fingerprints: string[], seed: ?number}} how the address of the page is the right one already; the weights
   *   that it was made with; the seed, if the controls have none
   */
  async generate({ isLink = false, fingerprints = [], seed = null } = {}) {
    this.#clearErrors();
    let settings;
    try {
      settings = this.#settings(seed);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    const columns = settings.models.map((model) => new Column(model, this.models.length, settings));
    const run = { ...settings, columns, isLink, fingerprints, running, isShown: false, focus: null };
    setEnabled(byId("stop"), true);
    byId("progress").textContent = "Waiting for the first word";
    await Promise.all(columns.map((column) => this.#fill(column, run)));
    if (this.running !== running) return; // another one has started
    this.running = null;
    setEnabled(byId("stop"), false);
    byId("progress").textContent = run.isShown || !running.signal.aborted ? "" : "Stopped before the first word";
    if (run.isShown) this.#finish(run);
  }

  #settings(seed) {
    const { prompt, models } = this.#checkedPrompt();
    const values = this.controls.values();
    // Chosen here, so that two models get the same one.
    values.seed ??= seed ?? crypto.getRandomValues(new Uint32Array(1))[0] % MAX_SEED;
    return { prompt, models, values };
  }

  #checkedPrompt() {
    this.#clearErrors();
    const prompt = byId("prompt").value;
    if (!prompt.trim()) throw new ValueError("Type a prompt first: the model continues it.", "prompt");
    const models = this.#chosenModels();
    if (!models.length) throw new ValueError("Choose a model.", "model");
    return { prompt, models };
  }

  /** Replace the texts before. */
  #show(run) {
    const { prompt, models, values, columns } = run;
    run.isShown = true;
    run.focus = this.#focusedModel();
    const isBeam = values.beam_width > 1;
    this.alternatives.hide();
    this.next.hide();
    this.speaker.start();
    this.columns = columns;
    byId("progress").textContent = "";
    byId("note").textContent = [isBeam ? BEAM : "", withoutSentenceEnds(run)].filter(Boolean).join(" ");
    byId("copied").textContent = "";
    byId("link").hidden = true;
    byId("alternatives-hint").hidden = isBeam;
    byId("keep-seed").hidden = isBeam;
    byId("score-this").hidden = columns.length * (values.n ?? 1) > 1;
    byId("columns").replaceChildren(...columns.map((column) => column.element));
    byId("generated").hidden = false;
    const ids = this.models.length > 1 ? models.map(({ id }) => id) : [];
    this.shown = { prompt, models: ids, values: this.controls.differing(values), fingerprints: models.map((model) => model.system_fingerprint) };
    if (!run.isLink) history.pushState(null, "", link.encode(this.shown));
  }

  async #fill(column, run) {
    const { prompt, values, running } = run;
    const body = { ...values, prompt, model: column.model.id };
    if (!(values.beam_width > 1)) body.logprobs = LOGPROBS; // beam searches have none
    const isOnlyText = run.columns.length * (values.n ?? 1) === 1;
    let how = "";
    try {
      await streamCompletion(body, running.signal, (chunk) => {
        if (!run.isShown) this.#show(run);
        column.add(chunk, prompt);
        this.#restoreFocus(run, column);
        if (isOnlyText) this.speaker.add(chunk.choices.map((choice) => choice.text).join(""));
      });
    } catch (error) {
      how = error.name === "AbortError" ? "stopped" : "incomplete";
      if (this.running === running && error.name !== "AbortError") this.#refuse(error, run.columns.length > 1 ? column.model.id : "");
    }
    column.end(how);
  }

  /** What is known once all texts are complete. */
  #finish(run) {
    const texts = run.columns.flatMap((column) => column.texts.map((text) => ({ model: column.model.id, text: text.generated })));
    if (texts.length > MAX_SPOKEN && !run.running.signal.aborted) this.speaker.add(`${number(texts.length)} texts are complete.`);
    if (texts.length > 1 && texts.length <= MAX_SPOKEN) for (const { model, text } of texts) this.speaker.add(`${model}: ${text}. `);
    this.speaker.flush();
    const fingerprints = run.columns.map((column) => column.fingerprint ?? column.model.system_fingerprint);
    const notes = [byId("note").textContent];
    if (run.fingerprints.length && fingerprints.some((one) => !run.fingerprints.includes(one))) notes.push(OTHER_WEIGHTS);
    const contents = run.columns.map((column) => column.texts.map((text) => text.generated).join("\n"));
    if (contents.length > 1 && contents.every((one) => one && one === contents[0])) notes.push(SAME);
    byId("note").textContent = notes.filter(Boolean).join(" ");
    this.shown.fingerprints = fingerprints;
    if (run.focus && document.activeElement === document.body) byId("generated").focus();
  }

  /** The model of the word that has the focus, which is about to be replaced. */
  #focusedModel() {
    const column = this.columns.find(({ element }) => element.contains(document.activeElement));
    return column?.model.id ?? null;
  }

  /** Go to the first new word, if an old one had the focus. */
  #restoreFocus(run, column) {
    if (document.activeElement !== document.body || ![column.model.id, null].includes(run.focus)) return;
    const first = run.focus && column.element.querySelector(".word");
    if (!first) return;
    run.focus = null;
    this.alternatives.focusQuietly(first);
  }

  /** Show what is wrong: beside its control if there is one, and else beside the buttons. */
  #refuse(error, model = "") {
    if (!(error instanceof ApiError || error instanceof ValueError)) throw error;
    if (error.status === 401) this.refused(error);
    const message = error instanceof ApiError && error.param ? this.controls.inLabels(error.message) : error.message;
    const line = model && !error.param ? `${model}: ${message}` : message;
    if (this.controls.showError(error.param, line)) return;
    byId("generate-error").textContent = line;
    if (error.param === "prompt") {
      byId("prompt").setAttribute("aria-invalid", "true");
      byId("prompt").focus();
    } else if (error.param === "model") byId("models").querySelector("input")?.focus();
  }

  #clearErrors() {
    byId("generate-error").textContent = "";
    byId("prompt").removeAttribute("aria-invalid");
    this.controls.clearErrors();
  }

  /** Continue a text with another word, which is written as it would be in this place. The seed stays. */
  #continueFrom(text, word, token) {
    byId("prompt").value = text.before(word) + token;
    return this.generate({ seed: this.shown.values.seed });
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
    byId("copied").textContent = `The next text will use seed ${this.shown.values.seed}`;
  }
}

function withoutSentenceEnds({ models, values }) {
  const without = values.stop_at_sentence_end ? models.filter((model) => !model.sentence_ends.length) : [];
  return without.length ? `No word of ${without.map(({ id }) => id).join(" and ")} ends a sentence: stopping there has no effect.` : "";
}

/** A button that keeps the focus while it does nothing. */
function setEnabled(button, enabled) {
  button.setAttribute("aria-disabled", String(!enabled));
}
