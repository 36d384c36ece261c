/** What else the model thought of at a place: shown at the word that is pointed at or has the focus. */

import { byId, make, percent } from "./dom.js";
import { find } from "./words.js";

const HIDE_MILLISECONDS = 250; // for the way from the word to the list
const UNKNOWN = "<unk>";

export class Alternatives {
  /**
   * @param {Element} area with the texts and the list
   * @param {(text: WordText, word: object, token: string) => void} choose called with the alternative that was chosen
   */
  constructor(area, choose) {
    this.area = area;
    this.popup = byId("alternatives");
    this.choose = choose;
    this.current = null;
    this.timer = null;
    area.addEventListener("pointerover", (event) => this.#enter(event));
    area.addEventListener("pointerleave", () => this.#leave());
    area.addEventListener("focusin", (event) => this.#focus(event));
    area.addEventListener("focusout", (event) => this.#blur(event));
    area.addEventListener("click", (event) => this.#click(event));
    area.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("resize", () => this.current && this.#place(this.current.span));
  }

  /** Hide the list. */
  hide() {
    clearTimeout(this.timer);
    this.popup.hidden = true;
    this.current?.span.classList.remove("shown");
    this.current?.span.removeAttribute("aria-describedby");
    this.current = null;
  }

  #enter(event) {
    // Fingers show a list by a tap, which focuses the word.
    if (event.pointerType === "touch") return;
    const found = find(event.target);
    if (found) this.#show(found);
    else if (this.popup.contains(event.target)) clearTimeout(this.timer);
    else this.#leave();
  }

  #leave() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      // Safari does not focus a button that is pressed.
      if (!this.#hasFocus() && !this.popup.matches(":hover")) this.hide();
    }, HIDE_MILLISECONDS);
  }

  #hasFocus() {
    return this.current && (this.popup.contains(document.activeElement) || this.current.span === document.activeElement);
  }

  #focus(event) {
    const found = find(event.target);
    if (found) this.#show(found);
  }

  #blur(event) {
    const next = event.relatedTarget;
    if (!next || (!this.popup.contains(next) && !find(next))) this.#leave();
  }

  #click(event) {
    const button = event.target.closest("button");
    if (button && this.popup.contains(button)) {
      const { text, word } = this.current;
      this.hide();
      this.choose(text, word, button.dataset.token);
      return;
    }
    const found = find(event.target);
    // A click that selects text must not take the selection away.
    if (found && getSelection().isCollapsed) found.text.focus(found.span);
  }

  #key(event) {
    if (!this.current) return;
    const buttons = [...this.popup.querySelectorAll("button")];
    const place = buttons.indexOf(document.activeElement);
    if (event.key === "Escape") this.#back();
    else if (place < 0 && find(event.target) && ["Enter", " ", "ArrowDown"].includes(event.key)) buttons[0]?.focus();
    else if (place >= 0 && event.key === "ArrowDown") buttons[Math.min(place + 1, buttons.length - 1)].focus();
    else if (place > 0 && event.key === "ArrowUp") buttons[place - 1].focus();
    else if (place === 0 && event.key === "ArrowUp") this.current.span.focus();
    else return;
    event.preventDefault();
  }

  #back() {
    const { span } = this.current;
    if (this.popup.contains(document.activeElement)) span.focus();
    this.hide();
  }

  #show(found) {
    clearTimeout(this.timer);
    if (this.current?.span === found.span && !this.popup.hidden) return;
    this.hide();
    this.current = found;
    const { span, word } = found;
    this.popup.replaceChildren(...content(word));
    for (const bar of this.popup.querySelectorAll(".bar")) bar.style.width = `calc(${bar.dataset.percent}% - 4px)`;
    this.popup.hidden = false;
    span.classList.add("shown");
    span.setAttribute("aria-describedby", this.popup.id);
    this.#place(span);
  }

  /** Below the word, or above it where there is more room; never over the edge. */
  #place(span) {
    const area = this.area.getBoundingClientRect();
    const lines = span.getClientRects();
    const [first, last] = [lines[0], lines[lines.length - 1]];
    const { offsetWidth: width, offsetHeight: height } = this.popup;
    const left = Math.max(0, Math.min(last.left - area.left, this.area.clientWidth - width));
    const fitsBelow = last.bottom + height < innerHeight || first.top < height;
    this.popup.style.left = `${left}px`;
    this.popup.style.top = `${fitsBelow ? last.bottom - area.top + 2 : first.top - area.top - height - 2}px`;
  }
}

function content(word) {
  const name = JSON.stringify(word.text);
  if (!word.alternatives.length) return [make("p", {}, `No probabilities for ${name}`)];
  const items = word.alternatives.map(({ token, probability, taken }) => {
    const shown = { "\n": "\u21b5 new line", " ": "space" }[token] ?? token.trim();
    const label = `${shown}, ${percent(probability)}${taken ? ", in this text" : ""}`;
    const bar = make("span", { class: "bar", "data-percent": (100 * probability).toFixed(1), "aria-hidden": "true" });
    const parts = [bar, make("span", { class: "name" }, shown), make("span", { class: "probability" }, percent(probability))];
    const button = make("button", { type: "button", "data-token": token, "aria-label": label, class: taken ? "taken" : null }, ...parts);
    button.disabled = shown === UNKNOWN;
    return make("li", {}, button);
  });
  return [make("p", {}, `Instead of ${name}, continue with`), make("ol", {}, ...items)];
}
