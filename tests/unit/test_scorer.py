import threading
from pathlib import Path

import numpy as np
import pytest

from lstm_lm_serving import scorer
from lstm_lm_serving.errors import Cancelled
from lstm_lm_serving.saved_model import SavedModel
from lstm_lm_serving.scorer import Scorer

pytestmark = pytest.mark.slow
WORDS = ["thou", "art", "zounds", "the", "king", "zounds", "and", "to", "be"]


@pytest.fixture(scope="module")
def model(tiny_saved_models: Path) -> SavedModel:
    return SavedModel(tiny_saved_models / "1/saved_model")


def never() -> bool:
    return False


@pytest.mark.parametrize("words", [0, 1, 2, 3, 4, 7, 9])
def test_pieces_are_scored_as_the_whole_text(model: SavedModel, monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    monkeypatch.setattr(scorer, "PIECE_WORDS", 3)
    scored = Scorer(model).score(WORDS[:words], never)
    [expected] = model.score([" ".join(WORDS[:words]).encode()])
    assert (scored.tokens, scored.ids) == (expected.tokens, expected.ids)
    assert [nats is None for nats in scored.nats] == [True, *[False] * 8][:words]
    np.testing.assert_allclose(scored.nats[1:], expected.nats[1:], rtol=1e-5)


def test_it_stops_before_the_next_piece(model: SavedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "PIECE_WORDS", 2)
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        Scorer(model).score(WORDS, lambda: next(answers))
    assert list(answers) == []


def test_a_short_text_does_not_wait_for_a_long_one(model: SavedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "PIECE_WORDS", 1)
    shared, has_begun, is_over = Scorer(model), threading.Event(), threading.Event()
    pieces = []

    def next_piece() -> bool:
        pieces.append(1)
        if len(pieces) > 2:
            has_begun.set()
        return is_over.is_set()

    def score_long_text() -> None:
        with pytest.raises(Cancelled):  # it is not at its end when the short one is
            shared.score(["king"] * 1_000_000, next_piece)

    long = threading.Thread(target=score_long_text)
    long.start()
    try:
        assert has_begun.wait(60)
        before = len(pieces)
        assert len(shared.score(WORDS, never).nats) == len(WORDS)
        assert len(pieces) - before < len(WORDS)  # a thread that waits comes first
    finally:
        is_over.set()
        long.join(60)
    assert not long.is_alive()
