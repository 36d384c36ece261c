"""Models and trainers from the sections of params.yaml."""

import numpy as np

from lstm_lm.config.schema import Params
from lstm_lm.config.sizes import check_vocabulary_size
from lstm_lm.data.dataset import Batches
from lstm_lm.model import ensemble
from lstm_lm.model.dropout import Regularization
from lstm_lm.model.ensemble import Model
from lstm_lm.model.initializer import Initializer
from lstm_lm.training.shapes import model_shape
from lstm_lm.training.trainer import Trainer
from lstm_lm.training.training_config import Hooks, TrainingConfig


def build_model(settings: Params, counts: np.ndarray) -> Model:
    """Build the model that the parameters describe, with its initial weights.

    Args:
        settings: all parameters.
        counts: int [vocabulary], occurrences of each word in the training text.
    Raises:
        SettingError: a parameter does not fit the size of the vocabulary.
    """
    check_vocabulary_size(settings, len(counts))
    section = settings.model
    model = ensemble.build(
        model_shape(settings, len(counts)), Initializer(section.initializer, section.initializer_scale, settings.train.seed)
    )
    if section.unigram_bias:
        model.initialize_bias_from_counts(counts)
    return model


def regularization(settings: Params) -> Regularization:
    """Collect what the sections `model` and `train` say about regularization."""
    model, train = settings.model, settings.train
    return Regularization(
        dropout_words=model.dropout_words,
        dropout_input=model.dropout_input,
        dropout_hidden=model.dropout_hidden,
        dropout_output=model.dropout_output,
        dropout_recurrent=model.dropout_recurrent,
        locked=model.locked_dropout,
        activation=train.activation_regularization,
        temporal=train.temporal_regularization,
    )


def build_trainer(settings: Params, precision: str, batches: Batches, model: Model, hooks: Hooks) -> Trainer:
    """Build the trainer that the parameters describe.

    Args:
        settings: all parameters.
        precision: "float32" or "bfloat16", in place of the parameter, which may be "auto".
        batches: what to train on.
        model: to be trained.
        hooks: observers, samples, checkpoints, interruption.
    """
    config = TrainingConfig(settings.train, settings.reporting, regularization(settings), precision)
    return Trainer(model, batches, config, hooks)
