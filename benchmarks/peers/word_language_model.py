"""The model of PyTorch's example word_language_model: LSTM of 2 layers, plain SGD from learning rate 20, batches of 20 x 35, clip 0.25.

The sizes (units, also those of the embedding, and the dropout) and tied weights are settings: the example's defaults are 200 and 0.2,
not tied; its README's best are 650 and 0.5, tied. Of several sizes, the first one is taken that has time for 6 epochs, the fewest that
the README trains, and otherwise the last one.

The schedule is scaled to the time available. The example validates after each of its 6 to 40 epochs and divides the learning rate by 4
whenever the validation loss does not improve. This script validates as often as there is time for epochs, but 8 to 40 times. Like the
example, it keeps the best weights. Other learning rates than 20 were not tried: 20 is part of the recipe.
"""

from typing import Any, Dict, Optional, Tuple

import torch
from torch import nn
from torch.nn import functional

import timed_training
from timed_training import Documents, State, Streams, Training

LAYERS, LEARNING_RATE, CLIP, BATCH, WINDOW = 2, 20.0, 0.25, 20, 35
MIN_VALIDATIONS, MAX_VALIDATIONS, MIN_EPOCHS = 8, 40, 6


class Model(nn.Module):
    """Embedding, LSTM and softmax."""

    def __init__(self, vocabulary: int, units: int, dropout: float, tied: bool) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(vocabulary, units)
        self.rnn = nn.LSTM(units, units, LAYERS, dropout=dropout)
        self.decoder = nn.Linear(units, vocabulary)
        if tied:
            self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, ids: torch.Tensor, state: Optional[State]) -> Tuple[torch.Tensor, State]:
        """Return the logits [time, batch, vocabulary] of ids [time, batch], and the next state."""
        x, state = self.rnn(self.drop(self.encoder(ids)), state)
        return self.decoder(self.drop(x)), state


class SgdTraining(Training):
    """The example's training."""

    def __init__(self, model: Model, ids: torch.Tensor) -> None:
        super().__init__(model, MIN_VALIDATIONS)
        self.ids = ids
        self.begin()

    def begin(self) -> None:
        """Go to the start."""
        self.streams = Streams(self.ids, BATCH)
        self.learning_rate = LEARNING_RATE
        self.state: Optional[State] = None

    def step(self, progress: float) -> int:
        """Train on the next window."""
        inputs, targets, is_first = self.streams.window(WINDOW)
        self.model.zero_grad()
        logits, self.state = self.model(inputs, None if is_first else timed_training.detached(self.state))
        functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        with torch.no_grad():
            for weight in self.model.parameters():
                weight.add_(weight.grad, alpha=-self.learning_rate)
        return inputs.numel()

    def score(self, documents: Documents) -> float:
        """Return the mean nats per word."""
        return timed_training.score_carried(self.model, documents)

    def validated(self, is_best: bool) -> None:
        """Lower the learning rate if that did not help."""
        if not is_best:
            self.learning_rate /= 4


def build(config: Dict[str, Any], ids: torch.Tensor) -> Training:
    """Return the training with the largest model that has time for enough epochs."""
    for units, dropout in config["sizes"]:
        training = SgdTraining(Model(config["vocabulary"], units, dropout, config["tied"]), ids)
        epochs = training.words_per_second() * config["minutes"] * 60 / len(ids)
        if epochs >= MIN_EPOCHS:
            break
    training.validations = min(MAX_VALIDATIONS, max(MIN_VALIDATIONS, int(epochs)))
    training.notes = [f"{units} units"]
    return training


if __name__ == "__main__":
    timed_training.serve(build)
