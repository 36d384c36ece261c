import numpy as np
import pytest

from drift_reports import TOKENIZER, WORDS, logged
from lstm_lm.serving.prompts import texts
from lstm_lm.text.encoded import Characters


def test_the_same_words_are_one_prompt() -> None:
    found = texts.distinct(logged(["Thou art", "the king", "thou  ART!", "...", "thou art"]), TOKENIZER)
    assert [prompt.prompt for prompt in found.prompts] == ["Thou art", "the king"]
    assert (list(found.counts), found.wordless, found.omitted) == ([3, 1], 1, 0)
    few = texts.distinct(logged([f"thou {i}" for i in range(100)]), TOKENIZER, limit=3)
    assert [prompt.prompt for prompt in few.prompts] == ["thou 0", "thou 50", "thou 99"]
    assert few.omitted == 97


def test_prompts_become_ids_with_their_characters() -> None:
    found = texts.distinct(logged(["the zounds king", "art"]), TOKENIZER)
    encoded = texts.encode(found, TOKENIZER, WORDS)
    assert [ids.tolist() for ids in encoded.ids] == [[1, 0, 2], [5]]
    assert [flags.tolist() for flags in encoded.unknown] == [[False, True, False], [False]]
    assert [sizes.tolist() for sizes in encoded.characters] == [[7, 5], []]  # each with the space before it


def test_pieces_are_as_long_as_prompts_and_together_the_whole_text() -> None:
    documents = [np.arange(1, 1001, dtype=np.int32) % 8, np.arange(500, dtype=np.int32) % 8]
    characters = Characters(np.full(8, 4, np.int32), np.zeros(8, np.int32))
    pieces = texts.pieces_like(documents, characters, 6, [3, 9, 9], seed=1)
    sizes = [len(ids) for ids in pieces.ids]
    assert sum(sizes) == 1500
    assert set(sizes[: pieces.documents[0] - 1]) == {3, 9}
    assert np.mean(np.array(sizes) == 9) == pytest.approx(2 / 3, abs=0.1)
    assert sum(pieces.documents) == len(pieces.ids)
    expected = np.concatenate(documents)
    assert np.array_equal(np.concatenate(pieces.ids), np.where(expected < 6, expected, 0))
    assert np.array_equal(np.concatenate(pieces.unknown), (expected >= 6) | (expected == 0))
    assert all(set(each.tolist()) <= {5} for each in pieces.characters)


def test_of_a_large_text_an_even_part_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_VALIDATION_WORDS", 1_000)
    documents = [np.ones(5_000, np.int32)] * 2
    pieces = texts.pieces_like(documents, Characters(np.ones(2, np.int32), np.zeros(2, np.int32)), 2, [5], seed=1)
    assert sum(map(len, pieces.ids)) == pytest.approx(1_000, abs=10)
    assert pieces.documents[0] == pytest.approx(pieces.documents[1], abs=1)
