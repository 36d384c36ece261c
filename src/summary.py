"""What the pipeline made, and what to type next: printed at the end of `make repro`."""

import json
import re
from pathlib import Path

from lstm_lm.config import loading
from lstm_lm.errors import UserError
from lstm_lm.ui import console


def main():
    try:
        figures = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
        run_id = json.loads(Path("models/run.json").read_text(encoding="utf-8"))["run_id"]
        samples = Path("reports/samples.md").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing: run the pipeline first, with: make repro") from None
    settings = loading.load()
    print()
    print("\n".join(console.held_out_table(figures, beside=["test"]) + console.written_table(figures)))
    print("\nsamples (all of them: reports/samples.md)")
    texts = re.findall(r"^- \*\*(.*)\*\*(.*)$", samples.replace("  \n  ", " / "), re.MULTILINE)
    # The middle temperature reads best: the greedy one repeats itself.
    chosen = settings.evaluate_sample
    counts = [1 if temperature == 0 else chosen.samples for temperature in chosen.temperatures]  # texts after each prompt
    middle = len(counts) // 2
    first = len(chosen.prime_texts) * sum(counts[:middle])
    for prompt, rest in texts[first :: counts[middle]][: min(3, len(chosen.prime_texts))]:
        print(f"  {prompt}{rest}")
    print(f"\nMLflow run {run_id}")
    print("\nwhat next")
    print("  make ui                                  curves, samples and the model in MLflow's pages")
    print("  make serve                               the model over HTTP")
    sample = f'make sample PROMPT="{settings.evaluate_sample.prime_texts[0]}"'
    print(f"  {sample:<40} a text from the model")


if __name__ == "__main__":
    console.run(main)
