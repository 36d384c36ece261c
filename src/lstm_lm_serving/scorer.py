"""Scoring texts of any length beside the decode loop: in pieces, so that requests take turns and streams go on."""

from collections.abc import Callable, Sequence

import numpy as np

from lstm_lm_serving.errors import Cancelled
from lstm_lm_serving.saved_model import SavedModel
from lstm_lm_serving.texts import Score
from lstm_lm_serving.turns import Turns

PIECE_WORDS = 64  # more would hold up others for longer than a chunk of the decode loop, fewer would take longer in all


class Scorer:
    """Scores one piece of one text at a time. All methods may be called from any thread, which then does the work."""

    def __init__(self, model: SavedModel) -> None:
        """Take the SavedModel. Each piece is one call of its `score`, much faster than `score_texts`, which reads word by word."""
        self._model = model
        self._turns = Turns()

    def score(self, tokens: Sequence[str], should_stop: Callable[[], bool]) -> Score:
        """Score a text.

        Args:
            tokens: all of it.
            should_stop: asked before each piece.
        Raises:
            Cancelled: `should_stop` was true.
        """
        ids = [self._model.ids.get(token, 0) for token in tokens]
        layers, parts, hidden = self._model.state_shape
        array, state = np.array([ids], np.int32), np.zeros([layers, parts, 1, hidden], np.float32)
        nats: list[float | None] = [None] * min(len(ids), 1)
        constant = self._model.tf.constant
        for start in range(0, len(ids) - 1, PIECE_WORDS):
            given, targets = array[:, start : start + PIECE_WORDS], array[:, start + 1 : start + PIECE_WORDS + 1]
            with self._turns.turn(start):
                if should_stop():
                    raise Cancelled("the request was cancelled")
                scored = self._model.model.score(constant(given[:, : targets.shape[1]]), constant(targets), constant(state))
                nats += scored["nats"].numpy()[0].tolist()
                state = scored["state"].numpy()
        return Score(tuple(tokens), tuple(ids), tuple(nats))
