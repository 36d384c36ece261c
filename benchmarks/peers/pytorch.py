"""The same model in PyTorch: nn.Embedding, nn.LSTM, nn.Linear. The setting "bfloat16" runs it under autocast."""

from typing import Optional, Tuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import protocol

State = Tuple[torch.Tensor, torch.Tensor]


class Model(nn.Module):
    """Embedding, LSTM and softmax, with dropout, a projection and tied weights as the settings require."""

    def __init__(self, config: protocol.Settings) -> None:
        super().__init__()
        embedding, hidden, projection = config["embedding_size"], config["hidden_size"], config["projection_size"]
        self.dropout = config["dropout"]
        self.embedding = nn.Embedding(config["vocabulary"], embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.projection = nn.Linear(hidden, projection, bias=False) if projection else nn.Identity()
        self.softmax = nn.Linear(projection or hidden, config["vocabulary"])
        if config["tie_weights"]:
            self.softmax.weight = self.embedding.weight
        scale = config["initializer_scale"]
        nn.init.uniform_(self.embedding.weight, -scale, scale)
        nn.init.uniform_(self.softmax.weight, -scale, scale)
        nn.init.zeros_(self.softmax.bias)

    def drop(self, x: torch.Tensor) -> torch.Tensor:
        """Apply dropout to x [batch, time, features], with one mask for all words of a window."""
        return x * functional.dropout(torch.ones(x.shape[0], 1, x.shape[2]), self.dropout) if self.dropout else x

    def forward(self, ids: torch.Tensor, state: Optional[State]) -> Tuple[torch.Tensor, State]:
        """Return the logits [batch, time, vocabulary] and the next state."""
        x, state = self.lstm(self.drop(self.embedding(ids)), state)
        return self.softmax(self.projection(self.drop(x))), state


def main() -> None:
    """Serve a training."""
    config = protocol.settings()
    torch.manual_seed(1)
    model = Model(config)
    optimizer = (
        torch.optim.AdamW(model.parameters(), config["learning_rate"], weight_decay=config["weight_decay"])
        if config["weight_decay"]
        else torch.optim.Adam(model.parameters(), config["learning_rate"])
    )
    state = None

    def step(inputs: np.ndarray, targets: np.ndarray) -> float:
        nonlocal state
        ids, labels = torch.from_numpy(inputs).long(), torch.from_numpy(targets).long()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config["bfloat16"]):
            logits, state = model(ids, state)
            loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        state = tuple(tensor.detach() for tensor in state)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config["clip_norm"])
        optimizer.step()
        return loss.item()

    protocol.train(step, config, version="PyTorch " + torch.__version__.split("+", maxsplit=1)[0])


if __name__ == "__main__":
    main()
