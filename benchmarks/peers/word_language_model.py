"""The model of PyTorch's example word_language_model, with its defaults.

These are: an LSTM of 2 layers, embedding and units 200, dropout 0.2, weights not tied; plain SGD from learning rate 20, divided by 4
whenever the validation loss does not improve; clipping at 0.25; batches of 20 x 35.

The schedule is scaled to the time available: the example validates after each of 40 epochs, this script eight times in the given
minutes. Like the example, it keeps the best weights.
"""

import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import protocol

UNITS, LAYERS, DROPOUT = 200, 2, 0.2
LEARNING_RATE, CLIP, BATCH, WINDOW, VALIDATIONS = 20.0, 0.25, 20, 35, 8
SCORING_WINDOW = 256

State = Tuple[torch.Tensor, torch.Tensor]


class Model(nn.Module):
    """Embedding, LSTM and softmax."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.drop = nn.Dropout(DROPOUT)
        self.encoder = nn.Embedding(vocabulary, UNITS)
        self.rnn = nn.LSTM(UNITS, UNITS, LAYERS, dropout=DROPOUT)
        self.decoder = nn.Linear(UNITS, vocabulary)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, ids: torch.Tensor, state: Optional[State]) -> Tuple[torch.Tensor, State]:
        """Return the logits [time, batch, vocabulary] of ids [time, batch], and the next state."""
        x, state = self.rnn(self.drop(self.encoder(ids)), state)
        return self.decoder(self.drop(x)), state


class Training:
    """A training that can be continued for some seconds at a time. `seconds` counts the training steps alone."""

    def __init__(self, model: Model, ids: torch.Tensor) -> None:
        self.model = model
        self.length = len(ids) // BATCH
        self.columns = ids[: BATCH * self.length].view(BATCH, self.length).t().contiguous()  # [words, batch]
        self.learning_rate = LEARNING_RATE
        self.seconds = 0.0
        self.position = 0
        self.state: Optional[State] = None

    def run_until(self, seconds: float) -> None:
        """Train until the training steps have taken so many seconds."""
        while self.seconds < seconds:
            start = time.perf_counter()
            self.step()
            self.seconds += time.perf_counter() - start

    def step(self) -> None:
        """Train on the next window."""
        if self.position + WINDOW + 1 > self.length:
            self.state, self.position = None, 0
        state = None if self.state is None else (self.state[0].detach(), self.state[1].detach())
        begin, end = self.position, self.position + WINDOW
        self.model.zero_grad()
        logits, self.state = self.model(self.columns[begin:end], state)
        functional.cross_entropy(logits.flatten(0, 1), self.columns[begin + 1 : end + 1].flatten()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        with torch.no_grad():
            for weight in self.model.parameters():
                weight.add_(weight.grad, alpha=-self.learning_rate)
        self.position = end


def score(model: Model, documents: List[torch.Tensor]) -> float:
    """Return the mean nats per word: of every word but each document's first, starting each document from a zero state."""
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


def load_documents(path: Path) -> List[torch.Tensor]:
    """Load the documents of a held-out split."""
    with np.load(path) as archive:
        return [torch.from_numpy(archive[name]).long() for name in archive.files]


def train(training: Training, minutes: float, folder: Path) -> Dict[str, Any]:
    """Train for some minutes, and return the losses of the best weights and the validation losses over time."""
    model, validation = training.model, load_documents(folder / "validation.npz")
    best, best_weights, curve = None, None, []
    for number in range(1, VALIDATIONS + 1):
        training.run_until(minutes * 60 * number / VALIDATIONS)
        loss = score(model, validation)
        curve.append((training.seconds, loss))
        if best is None or loss < best:
            best, best_weights = loss, {name: value.clone() for name, value in model.state_dict().items()}
        else:
            training.learning_rate /= 4
    if best_weights:
        model.load_state_dict(best_weights)
    test_loss = score(model, load_documents(folder / "test.npz"))
    return {"trained": training.seconds, "curve": curve, "validation_loss": best, "test_loss": test_loss}


def main() -> None:
    """Serve a whole training."""
    config = protocol.settings()
    folder = Path(config["ids"])
    torch.manual_seed(1)
    ids = torch.from_numpy(np.load(folder / "train.npy")).long()

    def run(_: int) -> Dict[str, Any]:
        return train(Training(Model(config["vocabulary"]), ids), config["minutes"], folder)

    protocol.serve(run, version="PyTorch " + torch.__version__.split("+", maxsplit=1)[0])


if __name__ == "__main__":
    main()
