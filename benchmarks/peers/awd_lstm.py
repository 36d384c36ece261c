"""The recipe of AWD-LSTM (Merity et al. 2018) with a one-cycle schedule: dropped recurrent weights and words, locked masks, AR and TAR.

Batches of 20 and windows of about 70, every twentieth half as long, with a learning rate in proportion, as published for the Penn Treebank.
In place of hundreds of epochs of averaged SGD: AdamW in one cycle over the time, as is usual for this model since Howard & Ruder (2018).
Minutes are too few for the published sizes (400, and 3 layers of 1,150), so that there are two smaller ones, by the minutes (`SIZES`).
The published dropout rates are for hundreds of epochs. They are multiplied by the epochs that there is time for, divided by 20, but by 0.1
to 1.
Below 1,000 units of text (characters) the weights are not tied, and the last layer is as wide as the others.
"""

import random
from typing import Any, Dict, List, Optional, Tuple

import torch
from torch import nn
from torch.nn import functional

import schedules
import timed_training
from timed_training import Documents, State, Streams, VariedTraining

SIZES = ((10, 200, 400, 2), (float("inf"), 280, 640, 2))  # up to so many minutes: embedding, units, layers
MIN_TIED = 1000  # vocabulary
BATCH, WINDOW, DEVIATION, SHORT, MIN_WINDOW = 20, 70, 5, 0.05, 5
DROP_WORDS, DROP_INPUT, DROP_HIDDEN, DROP_OUTPUT, DROP_WEIGHTS = 0.1, 0.4, 0.25, 0.4, 0.5
FULL_DROPOUT_EPOCHS, MIN_DROPOUT = 20, 0.1
ACTIVATION, TEMPORAL = 2.0, 1.0  # AR and TAR
LEARNING_RATE, WEIGHT_DECAY, CLIP, SECOND_BETA = 0.01, 0.01, 0.25, 0.99

States = List[State]


class Model(nn.Module):
    """Embedding, LSTM layers of which the last one is as wide as the embedding, softmax."""

    def __init__(self, vocabulary: int, embedding: int, units: int, layers: int) -> None:
        super().__init__()
        tied = vocabulary >= MIN_TIED
        widths = [embedding, *[units] * (layers - 1), embedding if tied else units]
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.layers = nn.ModuleList([nn.LSTM(inputs, outputs) for inputs, outputs in zip(widths, widths[1:])])
        self.loss = nn.LinearCrossEntropyLoss(widths[-1], vocabulary, bias=True)
        if tied:
            self.loss.linear.weight = self.embedding.weight
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.loss.linear.bias)
        self.multiplier = 1.0  # of all dropout rates

    def drop(self, x: torch.Tensor, rate: float) -> torch.Tensor:
        """Apply dropout to x [time, batch, features], with one mask for all words of a window."""
        return x * functional.dropout(torch.ones_like(x[:1]), rate * self.multiplier, self.training)

    def run_layer(self, layer: nn.LSTM, x: torch.Tensor, state: State) -> Tuple[torch.Tensor, State]:
        """Run an LSTM layer with some of its recurrent weights dropped, the same ones for the whole window."""
        recurrent = functional.dropout(layer.weight_hh_l0, DROP_WEIGHTS * self.multiplier, self.training)
        weights = [layer.weight_ih_l0, recurrent, layer.bias_ih_l0, layer.bias_hh_l0]
        x, hidden, cell = torch.lstm(x, state, weights, True, 1, 0.0, self.training, False, False)
        return x, (hidden, cell)

    def encode(self, ids: torch.Tensor, states: Optional[States]) -> Tuple[torch.Tensor, torch.Tensor, States]:
        """Return the last layer's outputs [time, batch, width] with and without dropout, and the next states."""
        words = functional.dropout(torch.ones_like(self.embedding.weight[:, :1]), DROP_WORDS * self.multiplier, self.training)
        x = self.drop(functional.embedding(ids, self.embedding.weight * words), DROP_INPUT)
        states = states or [(x.new_zeros(1, x.shape[1], layer.hidden_size),) * 2 for layer in self.layers]
        following = []
        for number, (layer, state) in enumerate(zip(self.layers, states), 1):
            raw, next_state = self.run_layer(layer, x, state)
            following.append(next_state)
            x = self.drop(raw, DROP_OUTPUT if number == len(self.layers) else DROP_HIDDEN)
        return x, raw, following

    def forward(self, ids: torch.Tensor, states: Optional[States]) -> Tuple[torch.Tensor, States]:
        """Return the logits [time, batch, vocabulary] and the next states."""
        x, _, states = self.encode(ids, states)
        return self.loss.linear(x), states

    def training_loss(self, ids: torch.Tensor, targets: torch.Tensor, states: Optional[States]) -> Tuple[torch.Tensor, States]:
        """Return the mean nats per word with the regularization of the activations (AR) and of their changes (TAR), and the next states."""
        x, raw, states = self.encode(ids, states)
        loss = self.loss(x.flatten(0, 1), targets.flatten())
        return loss + ACTIVATION * x.float().pow(2).mean() + TEMPORAL * (raw[1:] - raw[:-1]).float().pow(2).mean(), states


class OneCycleTraining(VariedTraining):
    """AdamW in one cycle over the time."""

    def __init__(self, model: Model, config: Dict[str, Any], ids: torch.Tensor) -> None:
        super().__init__(model, config["validations"])
        self.rate, self.ids = config.get("learning_rate", LEARNING_RATE), ids

    def begin(self) -> None:
        """Start over."""
        self.optimizer = torch.optim.AdamW(self.model.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
        self.streams = Streams(self.ids, BATCH)
        self.random = random.Random(1)
        self.states: Optional[States] = None

    def step(self, progress: float) -> int:
        """Train on the next window."""
        base = WINDOW / 2 if self.random.random() < SHORT else WINDOW
        inputs, targets, is_first = self.streams.window(max(MIN_WINDOW, round(self.random.gauss(base, DEVIATION))))
        factor, momentum = schedules.one_cycle(progress)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * factor * len(inputs) / WINDOW
            group["betas"] = (momentum, SECOND_BETA)
        states = None if is_first or self.states is None else [timed_training.detached(state) for state in self.states]
        with self.autocast():
            loss, self.states = self.training_loss(inputs, targets, states)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return inputs.numel()

    def score(self, documents: Documents) -> float:
        """Return the mean nats per word."""
        return timed_training.score_carried(self.model, documents)


def build(config: Dict[str, Any], ids: torch.Tensor) -> VariedTraining:
    """Return the training, computed in the fastest way, with as much dropout as its epochs need."""
    sizes = next(sizes for most, *sizes in SIZES if config["minutes"] <= most)
    model = Model(config["vocabulary"], *sizes)
    training = OneCycleTraining(model, config, ids)
    epochs = training.use_fastest(try_compile=False) * config["minutes"] * 60 / len(ids)  # windows of many lengths: a compilation for each
    model.multiplier = min(1.0, max(MIN_DROPOUT, epochs / FULL_DROPOUT_EPOCHS))
    embedding, units, layers = sizes
    training.notes.insert(0, f"{layers} layers, {embedding} and {units} wide, dropout x {model.multiplier:.2g}")
    return training


if __name__ == "__main__":
    timed_training.serve(build)
