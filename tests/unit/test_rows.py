"""Rows without a model: what clients are told does not depend on how many words a call of the decode loop generates."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest

from lstm_lm_serving.requests import Checked, Request
from lstm_lm_serving.rows import Generated
from lstm_lm_serving.texts import Completion, Piece, Text

VOCABULARY = ["<unk>", "the", "king", "of", "kin", "and"]
WORDS = [1, 2, 3, 1, 4, 5, 1, 2, 5, 1, 2, 3]
CHUNKS = [[12], [1] * 12, [3, 9], [5, 1, 6], [6, 6]]


def generated(words: Sequence[int]) -> Generated:
    probabilities = -np.array(words, np.float32)
    top = np.zeros([len(words), 0], np.int32), np.zeros([len(words), 0], np.float32)
    return Generated("".join(f" {VOCABULARY[word]}" for word in words), words, has_ended=False, log_probabilities=probabilities, top=top)


def complete(chunks: Sequence[int], texts: Sequence[list[int]], text: Text, samples: int = 1) -> tuple[list[Completion], list[Piece]]:
    """Generate texts of given words in such chunks. Returns them, and the pieces of another reader who reads after each chunk."""
    options = {"max_words": len(WORDS), "samples": samples, "beam_width": 1}
    checked = Checked(text, text.prompt.encode(), text.prompt, options, text.stop, best_of=len(texts))
    requests = [Request([checked], 0.0, VOCABULARY.__getitem__) for _ in range(2)]
    pieces: list[Piece] = []
    start = 0
    for chunk in chunks:
        for request in requests:
            for row, words in zip(request.prompts[0].rows, texts, strict=True):
                if row.is_needed:
                    row.accept(generated(words[start : start + chunk]))
        start += chunk
        if not (pieces and pieces[-1].finish_reason) and len(texts) == 1:
            with suppress(TimeoutError):
                pieces += requests[1].stream.next(timeout=0)
    return requests[0].stream.result(), pieces


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("logprobs", [None, 0])
@pytest.mark.parametrize(
    ("stop", "text", "count"),
    [
        ((" kin ", "xyz"), "the king of the", 4),
        (("n and",), "the king of the ki", 5),
        (("king",), "the", 2),  # the space before it is a part of it
        ((" and the king of",), "the king of the kin and the king", 8),
        (("xyz",), "the king of the kin and the king and the king of", 12),
    ],
)
def test_the_words_that_are_counted_are_those_of_the_text(
    chunks: list[int], logprobs: int | None, stop: tuple[str, ...], text: str, count: int
) -> None:
    wanted = Text("or", stop=stop, logprobs=logprobs)
    [whole], pieces = complete(chunks, [WORDS], wanted)
    assert (whole.content.strip(), whole.count) == (text, count)
    assert ("".join(piece.new_text for piece in pieces), sum(piece.count for piece in pieces)) == (whole.content, count)
    assert len(whole.words) == (0 if logprobs is None else count)
    assert whole.words == tuple(word for piece in pieces for word in piece.words)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_words_behind_a_stop_string_do_not_decide_which_text_is_the_best(chunks: list[int]) -> None:
    best, worst, middle = [1, 3, 5, *[5] * 9], [4, 3, 5, *[1] * 9], [2, 3, 5, *[2] * 9]
    whole, _ = complete(chunks, [worst, best, middle], Text("or", stop=(" and",)), samples=2)
    assert [(each.content, each.count) for each in whole] == [(" the of", 2), (" king of", 2)]
