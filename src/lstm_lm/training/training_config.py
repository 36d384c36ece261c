"""What a Trainer is configured with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lstm_lm.config.schema import Reporting, Train
from lstm_lm.events import Observer
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.model.dropout import Regularization


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        train: the section `train` of the parameters.
        reporting: the section `reporting`; it does not change what is learned.
        regularization: dropout and penalties.
        precision: "float32" or "bfloat16", of matrix products.
        steps_per_call: steps in one call into TensorFlow; None: as many as fit into a tenth of a second, so that Python costs little
            even where a step is fast. It does not change what is learned.
    """

    train: Train
    reporting: Reporting
    regularization: Regularization
    precision: str
    steps_per_call: int | None = None


class CheckpointStore(Protocol):
    """Keeps the latest state of a training: `io.checkpoints.Checkpoints`."""

    def is_due(self) -> bool: ...

    def save(self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None: ...


class StopRequest(Protocol):
    """Says whether to stop: `io.interruption.Interruption`."""

    @property
    def reason(self) -> str | None: ...


@dataclass(frozen=True)
class Hooks:
    """What takes part in a training without changing it.

    Attributes:
        observers: get the rows, samples and other events.
        generate: continues prompts, as `export.generator.Generator`; None: no samples.
        checkpoints: keeps the state from which a later process resumes; None: nothing is kept.
        stop_request: asked after every call into TensorFlow. The training stops if its `reason` is not None.
    """

    observers: Sequence[Observer] = ()
    generate: Callable[[Sequence[str], GenerationOptions], list[str]] | None = None
    checkpoints: CheckpointStore | None = None
    stop_request: StopRequest | None = None
