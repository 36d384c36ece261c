"""Scoring with the exported model: what is judged is what is served."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_lm.evaluation import scoring


def score_saved_model(text_model: Any, documents: Sequence[np.ndarray], vocabulary_size: int) -> list[np.ndarray]:
    """Score documents with a SavedModel.

    Args:
        text_model: with the signatures `initial_state` and `score`.
        documents: int32 [words] each.
        vocabulary_size: number of ids.
    Returns:
        as `scoring.score`.
    """

    def score_window(ids: np.ndarray, targets: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        scored = text_model.score(ids, targets, state)
        return scored["nats"].numpy(), scored["state"]

    def initial_state(batch_size: int) -> Any:
        return text_model.initial_state(batch_size)["state"]

    return scoring.score(score_window, initial_state, documents, vocabulary_size)
