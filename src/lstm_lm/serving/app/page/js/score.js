/** The panel that shows how surprising each word of a text is. */

import { ApiError, postJson } from "./api.js";
import { byId, make, number } from "./dom.js";

const BITS = [2, 4, 7, 10, 13]; // at which the levels 1 to 5 start
const MAX_SURPRISING = 5;
const HIGH_UNKNOWN_RATE = 0.1; // above it, the page warns
const FACTS = [
  ["perplexity", "perplexity", 1, "as uncertain as a choice among so many equally probable words"],
  ["adjusted_perplexity", "adjusted perplexity", 1, "each unknown word also costs the choice among the different unknown words of the text"],
  ["bits_per_character", "bits per character", 2, "of surprisal, unknown words included; a rough guide between models with different vocabularies"],
  ["surprisal", "bits per word", 2, "the mean surprisal"],
];

export class ScorePanel {
  /**
   * @param {object[]} models of /v1/models
   * @param {object} table answer to /v1/options
   * @param {(error: ApiError) => void} refused called when the server asks for a key
   */
  constructor(models, table, refused) {
    this.models = models;
    this.limit = table.max_score_characters;
    this.refused = refused;
    this.running = null;
    this.scored = null; // the text whose score is shown
    byId("score-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.score();
    });
    byId("text").addEventListener("input", () => this.#count());
    byId("numbers").addEventListener("change", (event) => byId("scored").classList.toggle("numbers", event.target.checked));
    byId("legend").append(...legend());
    this.#count();
  }

  /** Score a text from elsewhere. */
  scoreText(text) {
    byId("text").value = text;
    this.#count();
    byId("text").focus();
    return this.score();
  }

  /** Score the text with every model. */
  async score() {
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    const text = byId("text").value;
    const length = characters(text);
    this.#refuse("");
    if (!text.trim()) return this.#refuse("Paste a text first.", text);
    if (length > this.limit) {
      return this.#refuse(`The text has ${number(length)} characters: must be at most ${number(this.limit)}. Score it in parts.`, text);
    }
    byId("score-progress").textContent = "Scoring";
    try {
      const answers = await Promise.all(this.models.map(({ id }) => postJson("/v1/score", { text, model: id }, running.signal)));
      const columns = answers.map((answer) => column(answer.data[0], text, this.models.length > 1 ? answer.model : null));
      byId("score-columns").replaceChildren(...columns);
      byId("scored").hidden = false;
      this.scored = text;
      byId("score-status").textContent = summary(answers.map(({ data }) => data[0]));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) this.refused(error);
      this.#refuse(error.message.replace(/^text\b/, "The text"), text, error.param === "text");
    } finally {
      if (this.running === running) byId("score-progress").textContent = "";
    }
  }

  /** Show what is wrong. The score of another text must not look like that of this one. */
  #refuse(message, text = this.scored, isInvalid = true) {
    byId("score-error").textContent = message;
    if (text !== this.scored) byId("scored").hidden = true;
    if (message && isInvalid) {
      byId("text").setAttribute("aria-invalid", "true");
      byId("text").focus();
    } else byId("text").removeAttribute("aria-invalid");
  }

  #count() {
    const length = characters(byId("text").value);
    byId("text-count").textContent = `${number(length)} of at most ${number(this.limit)} characters`;
    byId("text-count").classList.toggle("error", length > this.limit);
    byId("text").removeAttribute("aria-invalid");
  }
}

/** Characters as the server counts them. */
function characters(text) {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, "-").length;
}

function summary(scores) {
  const [{ words, perplexity }] = scores;
  const counted = `${number(words)} ${words === 1 ? "word" : "words"}`;
  if (perplexity === null) return `${counted}: too short to score.`;
  return `Scored ${counted}. Perplexity ${scores.map((score) => shown(score.perplexity, 1)).join(" and ")}.`;
}

/** What the levels look like. Each has a bar of its own height, for those who do not see the colours. */
function legend() {
  const levels = [0, ...BITS].map((from, level) => {
    const to = BITS[level];
    const range = to === undefined ? `${from} or more` : `${from}\u2013${to}`;
    return make("span", { class: `token level-${level}` }, `\u00a0${range}\u00a0`);
  });
  const unknown = make("span", {}, make("span", { class: "token unknown" }, "word"), " not in the vocabulary");
  return [make("strong", {}, "Surprisal in bits:"), ...levels, unknown];
}

function column(score, source, title) {
  const facts = make("dl", { class: "facts" });
  for (const [name, label, digits, help] of FACTS) facts.append(fact(label, shown(score[name], digits), help));
  const unknown = score.tokens.filter((token) => token.unknown).length;
  const different = score.unknown_words.length;
  const count = unknown > different ? `${number(unknown)} (${number(different)} different)` : number(unknown);
  facts.append(fact("words", number(score.words), "as the model counts them"), fact("unknown words", count, "not in the model's vocabulary"));
  const text = make("p", { class: "text scored" }, ...aligned(score.tokens, source));
  const names = score.unknown_words.length ? [make("p", { class: "hint" }, `Not in the vocabulary: ${score.unknown_words.join(", ")}`)] : [];
  const parts = [...(title ? [make("h2", {}, title)] : []), facts, ...warning(score, unknown), text, ...names, ...surprising(score.tokens)];
  return make("section", { class: "column", "aria-label": title ?? "Scored text" }, ...parts);
}

/** Unknown words look easy: the model only has to expect any of them. */
function warning({ words, perplexity, unknown_words: different }, unknown) {
  if (perplexity === null || unknown <= HIGH_UNKNOWN_RATE * words) return [];
  const those = different.length > 1 ? "Their surprisal is" : "Its surprisal is";
  const start = `${number(unknown)} of ${number(words)} words ${unknown === 1 ? "is" : "are"} unknown.`;
  return [make("p", { class: "warning" }, `${start} ${those} that of \u201cany unknown word\u201d, so perplexity looks too good.`)];
}

function fact(label, value, help) {
  return make("div", { title: help }, make("dt", {}, label), make("dd", {}, value));
}

function shown(value, digits) {
  return value === null ? "\u2013" : number(value, digits);
}

/** The words that cost most: what the colours say, in a list. */
function surprising(tokens) {
  const scored = tokens.map((token, place) => ({ ...token, place })).filter((token) => token.surprisal !== null);
  const most = scored.sort((one, other) => other.surprisal - one.surprisal).slice(0, MAX_SURPRISING);
  if (!most.length) return [make("p", { class: "hint" }, "Too short to score: the first word has nothing before it.")];
  const items = most.map(({ token, surprisal, unknown, place }) => {
    const before = tokens.slice(Math.max(0, place - 3), place).map((each) => written(each.token).trim()).join(" ");
    const what = unknown ? ", not in the vocabulary" : "";
    return make("li", {}, make("span", { class: "quiet" }, `\u2026 ${before} `), make("strong", {}, written(token)), ` ${number(surprisal, 1)} bits${what}`);
  });
  return [make("h2", {}, "Most surprising words"), make("ol", { class: "surprising" }, ...items)];
}

/**
 * Show the tokens where they are in the text as it was pasted, so that line breaks and what the tokenizer drops stay.
 *
 * A token that normalization has changed is not found: it is shown as the model sees it.
 */
export function aligned(tokens, source) {
  const text = comparable(source);
  const nodes = [];
  let end = 0;
  for (const token of tokens) {
    const word = written(token.token);
    const start = text.indexOf(comparable(word), end);
    if (start < 0) {
      nodes.push(" ", scored(token, word));
      continue;
    }
    if (start > end) nodes.push(make("span", { class: "gap" }, source.slice(end, start)));
    end = start + word.length;
    nodes.push(scored(token, source.slice(start, end)));
  }
  if (end < source.length) nodes.push(make("span", { class: "gap" }, source.slice(end)));
  return nodes;
}

function scored(token, word) {
  const { surprisal, unknown } = token;
  const bits = surprisal === null ? "first word: not scored" : `${number(surprisal, 1)} bits`;
  const level = unknown || surprisal === null ? "" : `level-${BITS.filter((from) => surprisal >= from).length}`;
  const classes = ["token", level, surprisal === null ? "first" : "", unknown ? "unknown" : ""].filter(Boolean).join(" ");
  const note = surprisal === null ? [] : [make("small", {}, number(surprisal, 1))];
  return make("span", { class: classes, title: unknown ? `not in the vocabulary; ${surprisal === null ? bits : `${bits} for any unknown word`}` : bits }, word, ...note);
}

/** How a token is written, without its markers of spaces. */
function written(token) {
  return token === "<eos>" ? "\n" : token.replace(/^\uffed|\uffed$/g, "").replaceAll("\u2581", " ");
}

/** Text in which a token is looked for; every character keeps its place. */
function comparable(text) {
  const lower = Array.from(text, (one) => (one.toLowerCase().length === one.length ? one.toLowerCase() : one)).join("");
  return lower.replace(/[\u2018\u2019]/g, "'").replace(/[\u201c\u201d]/g, '"');
}
