"""Our model and recipe in PyTorch, as a careful user would write it: nn.LSTM, AdamW, a cosine, LinearCrossEntropyLoss, torch.compile.

Sizes, tied weights, dropout with one mask for a window, weight decay, clipping and batches are those of the settings. Before it starts, the
script measures a few steps and takes the fastest of: float32 or bfloat16 autocast; the loss over all logits, in chunks, or compiled.
"""

from typing import Any, Dict, Optional, Tuple

import torch
from torch import nn
from torch.nn import functional

import schedules
import timed_training
from timed_training import Documents, State, Streams, VariedTraining


class Model(nn.Module):
    """Embedding, LSTM, projection and softmax."""

    def __init__(self, config: Dict[str, Any]) -> None:
        super().__init__()
        embedding, hidden, projection = config["embedding_size"], config["hidden_size"], config["projection_size"]
        self.dropout_input, self.dropout_output = config["dropout_input"], config["dropout_output"]
        self.embedding = nn.Embedding(config["vocabulary"], embedding)
        self.lstm = nn.LSTM(embedding, hidden, config["layers"], dropout=config["dropout_hidden"] if config["layers"] > 1 else 0)
        self.projection = nn.Linear(hidden, projection, bias=False) if projection else nn.Identity()
        self.loss = nn.LinearCrossEntropyLoss(projection or hidden, config["vocabulary"], bias=True)
        if config["tie_weights"]:
            self.loss.linear.weight = self.embedding.weight
        for weight in {self.embedding.weight, self.loss.linear.weight}:
            nn.init.uniform_(weight, -0.05, 0.05)
        nn.init.zeros_(self.loss.linear.bias)

    def drop(self, x: torch.Tensor, rate: float) -> torch.Tensor:
        """Apply dropout to x [time, batch, features], with one mask for all words of a window."""
        return x * functional.dropout(torch.ones_like(x[:1]), rate, self.training)

    def encode(self, ids: torch.Tensor, state: Optional[State]) -> Tuple[torch.Tensor, State]:
        """Return the softmax's inputs [time, batch, width] and the next state."""
        x, state = self.lstm(self.drop(self.embedding(ids), self.dropout_input), state)
        return self.projection(self.drop(x, self.dropout_output)), state

    def forward(self, ids: torch.Tensor, state: Optional[State]) -> Tuple[torch.Tensor, State]:
        """Return the logits [time, batch, vocabulary] and the next state."""
        x, state = self.encode(ids, state)
        return self.loss.linear(x), state

    def training_loss(self, ids: torch.Tensor, targets: torch.Tensor, state: Optional[State]) -> Tuple[torch.Tensor, State]:
        """Return the mean nats per word and the next state."""
        x, state = self.encode(ids, state)
        return self.loss(x.flatten(0, 1), targets.flatten()), state


class AdamWTraining(VariedTraining):
    """AdamW, whose learning rate follows a cosine over the time."""

    def __init__(self, model: Model, config: Dict[str, Any], ids: torch.Tensor) -> None:
        super().__init__(model, config["validations"])
        self.config, self.ids = config, ids

    def begin(self) -> None:
        """Start over."""
        decayed = [weight for weight in self.model.parameters() if weight.dim() > 1]
        others = [weight for weight in self.model.parameters() if weight.dim() < 2]
        groups = [{"params": decayed, "weight_decay": self.config["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, fused=True)
        self.streams = Streams(self.ids, self.config["batch_size"])
        self.state: Optional[State] = None

    def step(self, progress: float) -> int:
        """Train on the next window."""
        inputs, targets, is_first = self.streams.window(self.config["sequence_length"])
        timed_training.set_rate(self.optimizer, self.config["learning_rate"] * schedules.cosine(progress))
        with self.autocast():
            loss, self.state = self.training_loss(inputs, targets, None if is_first else timed_training.detached(self.state))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config["clip_norm"])
        self.optimizer.step()
        return inputs.numel()

    def score(self, documents: Documents) -> float:
        """Return the mean nats per word."""
        return timed_training.score_carried(self.model, documents)


def build(config: Dict[str, Any], ids: torch.Tensor) -> VariedTraining:
    """Return the training, computed in the fastest way."""
    training = AdamWTraining(Model(config), config, ids)
    training.use_fastest(config["compile"])
    return training


if __name__ == "__main__":
    timed_training.serve(build)
