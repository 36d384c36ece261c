"""The objects of OpenAI's completions protocol."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lstm_lm.serving.app.completion_request import Completions
from lstm_lm_serving.texts import Piece, PromptFacts, Word


@dataclass
class Choice:
    """One text of an answer, put together from its pieces."""

    content: list[str] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    count: int = 0
    finish_reason: str | None = None

    def add(self, piece: Piece) -> None:
        """Append a piece."""
        self.content.append(piece.new_text)
        self.words += piece.words
        self.count += piece.count
        self.finish_reason = piece.finish_reason or self.finish_reason


class Answer:
    """The answer to a request, or all chunks of it."""

    def __init__(self, wanted: Completions, model: str, fingerprint: str) -> None:
        """Choose its id.

        Args:
            wanted: the request.
            model: id of the model.
            fingerprint: identifies the model's version.
        """
        self.wanted = wanted
        self.head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": fingerprint,
            "seed": wanted.seed,
        }
        self.choices = [Choice() for _ in range(len(wanted.texts) * wanted.samples)]

    def index(self, piece: Piece) -> int:
        """Return which choice a piece belongs to."""
        return piece.text * self.wanted.samples + piece.sample

    def add(self, pieces: Iterable[Piece]) -> None:
        """Collect pieces for `whole`."""
        for piece in pieces:
            self.choices[self.index(piece)].add(piece)

    def chunks(self, pieces: Iterable[Piece]) -> list[dict[str, Any]]:
        """Return the chunks of a stream, one for each piece."""
        made = []
        for piece in pieces:
            choice = self.choices[self.index(piece)]
            choice.count += piece.count
            chunk: dict[str, Any] = {
                **self.head,
                "choices": [self._choice(self.index(piece), piece.new_text, piece.words, piece.finish_reason)],
            }
            if self.wanted.include_usage:
                chunk["usage"] = None
            made.append(chunk)
        return made

    def whole(self, prompts: Sequence[PromptFacts | None]) -> dict[str, Any]:
        """Return the answer, once all pieces are there."""
        choices = [
            self._choice(number, "".join(choice.content), choice.words, choice.finish_reason) for number, choice in enumerate(self.choices)
        ]
        return {**self.head, "choices": choices, "usage": self.usage(prompts)}

    def last_chunk(self, prompts: Sequence[PromptFacts | None]) -> dict[str, Any]:
        """Return the chunk with the numbers of words, which ends a stream."""
        return {**self.head, "choices": [], "usage": self.usage(prompts)}

    def usage(self, prompts: Sequence[PromptFacts | None]) -> dict[str, int]:
        """Return the numbers of words read and generated."""
        read, generated = sum(prompt.words for prompt in prompts if prompt), sum(choice.count for choice in self.choices)
        return {"prompt_tokens": read, "completion_tokens": generated, "total_tokens": read + generated}

    def _choice(self, index: int, text: str, words: Sequence[Word], finish_reason: str | None) -> dict[str, Any]:
        logprobs = log_probabilities(words) if self.wanted.logprobs else None
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}


def log_probabilities(words: Sequence[Word]) -> dict[str, Any]:
    """Return the words of a text in four parallel lists.

    `top_logprobs` has the generated word too, under the same text as in `tokens`, even if others were more probable.
    """
    return {
        "tokens": [word.text for word in words],
        "token_logprobs": [word.log_probability for word in words],
        "top_logprobs": [_top(word) for word in words],
        "text_offset": [word.offset for word in words],
    }


def _top(word: Word) -> dict[str, float] | None:
    if word.log_probability is None:
        return None
    top: dict[str, float] = {}
    for text, value in word.top:
        top.setdefault(text, value)  # of two words that are written alike, the more probable one
    return {**top, word.text: word.log_probability}
