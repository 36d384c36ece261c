"""What the PyTorch peers share: training for some minutes, validations that do not count, the best weights, one scoring at the end."""

import abc
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import protocol

SCORING_WINDOW = 256
MEASURED_SECONDS, MIN_STEPS = 3.0, 3  # of each variant, after the first step, which compiles
ERROR_LENGTH = 60  # characters of a reason that fit into a table

State = Tuple[torch.Tensor, torch.Tensor]
Documents = List[torch.Tensor]


class Streams:
    """The training text as parallel streams, each of which resumes where its last window ended.

    Args:
        ids: int64 [words].
        batch: number of streams.
    """

    def __init__(self, ids: torch.Tensor, batch: int) -> None:
        self.length = len(ids) // batch
        self.columns = ids[: batch * self.length].view(batch, self.length).t().contiguous()  # [words, batch]
        self.position = 0

    def window(self, words: int) -> Tuple[torch.Tensor, torch.Tensor, bool]:
        """Return the next inputs and targets [time, batch], and whether they are the first ones of an epoch."""
        words = min(words, self.length - 1)
        if self.position + words + 1 > self.length:
            self.position = 0
        begin, end = self.position, self.position + words
        self.position = end
        return self.columns[begin:end], self.columns[begin + 1 : end + 1], begin == 0


def detached(state: Optional[State]) -> Optional[State]:
    """Return a state without its history."""
    return None if state is None else (state[0].detach(), state[1].detach())


class Training(abc.ABC):
    """A training that can be continued for some seconds at a time.

    Args:
        model: its weights are changed.
        validations: how many, evenly over the time.

    Attributes:
        seconds: of the training steps alone.
        words: trained on.
        notes: what the table says about it.
    """

    def __init__(self, model: nn.Module, validations: int) -> None:
        self.model, self.validations = model, validations
        self.seconds, self.words = 0.0, 0
        self.notes: List[str] = []

    @abc.abstractmethod
    def begin(self) -> None:
        """Make a new optimizer and go to the start of the text."""

    @abc.abstractmethod
    def step(self, progress: float) -> int:
        """Train on the next window, after a fraction of the time. Return how many words it had."""

    @abc.abstractmethod
    def score(self, documents: Documents) -> float:
        """Return the mean nats per word, of every word but each document's first."""

    def validated(self, is_best: bool) -> None:  # noqa: B027 (most of them do nothing)
        """Take note of a validation."""

    def run_until(self, seconds: float, total: float) -> None:
        """Train until the training steps have taken so many of all seconds."""
        while self.seconds < seconds:
            start = time.perf_counter()
            self.words += self.step(self.seconds / total)
            self.seconds += time.perf_counter() - start

    def words_per_second(self) -> float:
        """Measure the speed. Model and training are as before afterwards."""
        weights = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.begin()
        self.step(0.0)
        start, words, steps = time.perf_counter(), 0, 0
        while steps < MIN_STEPS or time.perf_counter() - start < MEASURED_SECONDS:
            words, steps = words + self.step(0.0), steps + 1
        speed = words / (time.perf_counter() - start)
        self.model.load_state_dict(weights)
        self.begin()
        return speed


class Variant(NamedTuple):
    """A way to compute the same step.

    Attributes:
        bfloat16: under autocast.
        chunked: the softmax's loss in chunks, so that no more than some of the logits are in memory.
        compiled: by torch.compile.
    """

    bfloat16: bool = False
    chunked: bool = False
    compiled: bool = False

    def __str__(self) -> str:
        """Return the words for the table."""
        parts = ["bfloat16" if self.bfloat16 else "float32", "loss in chunks" if self.chunked else "", "compiled" if self.compiled else ""]
        return ", ".join(part for part in parts if part)


class VariedTraining(Training):
    """A training whose step can be computed in several ways. The model has `loss` and `training_loss`."""

    variant = Variant()
    training_loss: Callable[..., Any]

    def use(self, variant: Variant) -> None:
        """Compute the steps this way from now on."""
        self.variant = variant
        self.model.loss.options = nn.LinearCrossEntropyOptions() if variant.chunked else None
        self.training_loss = torch.compile(self.model.training_loss) if variant.compiled else self.model.training_loss

    def autocast(self) -> Any:
        """Return the context of the forward pass."""
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.variant.bfloat16)

    def use_fastest(self, try_compile: bool) -> float:
        """Measure the variants, use the fastest one, and return its words per second."""
        speeds: Dict[Variant, float] = {}
        self._measure(Variant(), speeds)
        self._measure(Variant(chunked=True), speeds)
        best = max(speeds, key=lambda variant: speeds[variant])
        self._measure(best._replace(bfloat16=True), speeds)
        if try_compile:
            best = max(speeds, key=lambda variant: speeds[variant])
            # The loss in chunks can't be compiled; the compiler fuses the plain one.
            self._measure(best._replace(chunked=False, compiled=True), speeds)
        best = max(speeds, key=lambda variant: speeds[variant])
        self.use(best)
        self.begin()
        self.notes.insert(0, str(best))
        return speeds[best]

    def _measure(self, variant: Variant, speeds: Dict[Variant, float]) -> None:
        """Add the speed of a variant. One that does not work here is noted."""
        self.use(variant)
        weights = {name: value.clone() for name, value in self.model.state_dict().items()}
        try:
            speeds[variant] = self.words_per_second()
        except Exception as error:  # a compiler may fail in any way
            if not speeds:
                raise
            self.model.load_state_dict(weights)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:ERROR_LENGTH]
            self.notes.append(f"not {variant}: {reason}")


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def score_carried(model: nn.Module, documents: Documents) -> float:
    """Return the mean nats per word of a recurrent model, which starts each document from a zero state and carries it to the end."""
    model.eval()
    total, words = 0.0, 0
    with torch.no_grad():
        for document in documents:
            state = None
            for start in range(0, len(document) - 1, SCORING_WINDOW):
                window = document[start : start + SCORING_WINDOW + 1]
                logits, state = model(window[:-1, None], state)
                total += functional.cross_entropy(logits[:, 0], window[1:], reduction="sum").item()
                words += len(window) - 1
    model.train()
    return total / words


def load_documents(path: Path) -> Documents:
    """Load the documents of a held-out split."""
    with np.load(path) as archive:
        return [torch.from_numpy(archive[name]).long() for name in archive.files]


def run(training: Training, minutes: float, folder: Path) -> Dict[str, Any]:
    """Train for some minutes, and return the losses of the best weights and the validation losses over time.

    Args:
        training: at its start.
        minutes: of training steps.
        folder: with validation.npz and test.npz.
    """
    model, validation = training.model, load_documents(folder / "validation.npz")
    prepared = time.perf_counter() - protocol.START
    training.seconds, training.words = 0.0, 0
    best, best_weights, curve = None, None, []
    for number in range(1, training.validations + 1):
        training.run_until(minutes * 60 * number / training.validations, minutes * 60)
        loss = training.score(validation)
        curve.append((training.seconds, loss))
        is_best = best is None or loss < best
        if is_best:
            best, best_weights = loss, {name: value.clone() for name, value in model.state_dict().items()}
        training.validated(is_best)
    if best_weights:
        model.load_state_dict(best_weights)
    return {
        "trained": training.seconds,
        "prepared": prepared,
        "words": training.words,
        "weights": count(model.parameters()),
        "notes": training.notes,
        "curve": curve,
        "validation_loss": best,
        "test_loss": training.score(load_documents(folder / "test.npz")),
    }


def count(parameters: Iterable[torch.Tensor]) -> int:
    """Return the number of weights; shared ones count once."""
    return sum(parameter.numel() for parameter in parameters)


def serve(build: Callable[[Dict[str, Any], torch.Tensor], Training]) -> None:
    """Serve a whole training.

    Args:
        build: makes it of the settings and the training text, int64 [words].
    """
    config = protocol.settings()
    folder = Path(config["ids"])
    torch.manual_seed(1)
    ids = torch.from_numpy(np.load(folder / "train.npy")).long()

    def train(_: int) -> Dict[str, Any]:
        return run(build(config, ids), config["minutes"], folder)

    protocol.serve(train, version="PyTorch " + torch.__version__.split("+", maxsplit=1)[0])
