/** What screen readers read while words arrive: each word once, several at a time, so that the reader is not interrupted by the next one. */

const MILLISECONDS = 2500;

export class Speaker {
  /** @param {Element} log a visually hidden element with role=log */
  constructor(log) {
    this.log = log;
    this.start();
  }

  /** Forget the text before. Removing it is not read. */
  start() {
    this.log.replaceChildren();
    this.waiting = "";
    this.last = performance.now();
  }

  /** Read this, soon. */
  add(text) {
    this.waiting += text;
    if (performance.now() - this.last > MILLISECONDS) this.flush();
  }

  /** Read what was held back. */
  flush() {
    if (this.waiting.trim()) {
      const part = document.createElement("p");
      part.textContent = this.waiting;
      this.log.append(part);
    }
    this.waiting = "";
    this.last = performance.now();
  }
}
