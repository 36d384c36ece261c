"""The shape of the model that the parameters describe, without TensorFlow."""

from lstm_lm.config.schema import Params
from lstm_lm.model.shape import Shape


def model_shape(settings: Params, vocabulary_size: int) -> Shape:
    """Return the shape of the model for a vocabulary of this size."""
    section = settings.model
    return Shape(
        vocabulary_size=vocabulary_size,
        embedding_size=section.embedding_size,
        hidden_size=section.hidden_size,
        layers=section.layers,
        projection_size=section.projection_size,
        tie_weights=section.tie_weights,
        adaptive_cutoffs=tuple(section.adaptive_cutoffs or ()),
        members=section.ensemble_size,
        mogrifier_rounds=section.mogrifier_rounds,
        mogrifier_rank=section.mogrifier_rank if section.mogrifier_rounds else 1,
    )
