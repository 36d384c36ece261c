"""How much a request may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Limits of an engine.

    Attributes:
        max_rows: texts in the batch at once.
        max_words: of a text; None: as in the model's table of generation options.
        max_texts_per_request: prompts x samples (or best_of, or beam_width).
        max_words_per_request: texts x max_words.
        max_beam_words_per_request: prompts x beam_width x max_words of a beam search, which is several times as much work for a word.
        max_queued_requests: requests that are not complete; above it, a request is refused as `Busy`.
        max_stops: stop strings of a text.
        max_stop_characters: of a stop string.
        max_bias: entries of a text's logit_bias.
        max_logprobs: most probable words beside each word.
        deadline_s: seconds from `submit` until a request must be complete, if the caller gives no other deadline. MLflow's server answers
            504 after 60 s.
        max_score_characters: of a text that is scored.
        prefill_words: words of prompts that are read in one call, between two chunks of the decode loop.
    """

    max_rows: int = 64
    max_words: int | None = None
    max_texts_per_request: int = 256
    max_words_per_request: int = 256_000
    max_beam_words_per_request: int = 50_000
    max_queued_requests: int = 1_000
    max_stops: int = 16
    max_stop_characters: int = 100
    max_bias: int = 300
    max_logprobs: int = 20
    deadline_s: float = 55.0
    max_score_characters: int = 100_000
    prefill_words: int = 1_024

    def applied_to(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """Return a table of generation options with the limit of `max_words`."""
        if self.max_words is None:
            return dict(table)
        rows = [{**row, "maximum": self.max_words} if row["name"] == "max_words" else row for row in table["options"]]
        return {**table, "options": rows}
