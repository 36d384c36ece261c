/** The model's most probable words at a position: shown at the word that is pointed at or has the focus. */

import { choices } from "./choices.js";
import { byId, make } from "./dom.js";
import { find } from "./words.js";

const HIDE_MILLISECONDS = 250; // for the way from the word to the list
const DOCK_MARGIN = 12; // pixels between a word and the list at the edge of a narrow window

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
    this.isQuiet = false;
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

  /** Move the focus to a word without showing its list. */
  focusQuietly(span) {
    this.isQuiet = true;
    find(span).text.focus(span);
    this.isQuiet = false;
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
    if (found && !this.isQuiet) this.#show(found);
  }

  #blur(event) {
    const next = event.relatedTarget;
    if (!next || (!this.popup.contains(next) && !find(next))) this.#leave();
  }

  #click(event) {
    const button = event.target.closest("button");
    if (button && this.popup.contains(button)) {
      const { text, word, span } = this.current;
      this.hide();
      this.focusQuietly(span); // until the new text is there
      this.choose(text, word, button.dataset.token);
      return;
    }
    const found = find(event.target);
    // A click that selects text must not take the selection away.
    if (!found || !getSelection().isCollapsed) return;
    found.text.focus(found.span);
    this.#show(found); // also if the word has had the focus, and its list was hidden
  }

  #key(event) {
    const found = find(event.target);
    const opens = found && ["Enter", " ", "ArrowDown"].includes(event.key);
    if (opens) this.#show(found); // also after Escape
    if (!this.current) return;
    const buttons = [...this.popup.querySelectorAll("button")];
    const place = buttons.indexOf(document.activeElement);
    if (event.key === "Escape") this.#back();
    else if (opens) buttons.find((button) => !button.disabled)?.focus();
    else if (place >= 0 && event.key === "ArrowDown") buttons[Math.min(place + 1, buttons.length - 1)].focus();
    else if (place > 0 && event.key === "ArrowUp") buttons[place - 1].focus();
    else if (place === 0 && event.key === "ArrowUp") this.#returnToWord();
    else return;
    event.preventDefault();
  }

  #returnToWord() {
    this.current.span.focus();
  }

  #back() {
    if (this.popup.contains(document.activeElement)) this.#returnToWord();
    this.hide();
  }

  #show(found) {
    clearTimeout(this.timer);
    if (this.current?.span === found.span && !this.popup.hidden) return;
    this.hide();
    this.current = found;
    const { span, word } = found;
    this.popup.replaceChildren(...content(word));
    this.popup.hidden = false;
    span.classList.add("shown");
    span.setAttribute("aria-describedby", this.popup.id);
    this.#place(span);
  }

  /** Below the word, or above it where there is more room; never over the edge. A narrow window has it at its lower edge. */
  #place(span) {
    const area = this.area.getBoundingClientRect();
    const lines = span.getClientRects();
    const [first, last] = [lines[0], lines[lines.length - 1]];
    if (getComputedStyle(this.popup).position === "fixed") {
      const covered = last.bottom + DOCK_MARGIN - this.popup.getBoundingClientRect().top;
      if (covered > 0) scrollBy({ top: covered, behavior: "instant" });
      return;
    }
    const { offsetWidth: width, offsetHeight: height } = this.popup;
    const left = Math.max(0, Math.min(last.left - area.left, this.area.clientWidth - width));
    const fitsBelow = last.bottom + height < innerHeight || first.top < height;
    this.popup.style.left = `${left}px`;
    this.popup.style.top = `${fitsBelow ? last.bottom - area.top + 2 : first.top - area.top - height - 2}px`;
  }
}

function content(word) {
  if (!word.alternatives.length) return [make("p", {}, `No probabilities for ${JSON.stringify(word.text)}`)];
  return [make("p", {}, "Most probable words here (\u2713 = in the text)"), choices(word.alternatives)];
}
