"""The model of PyTorch's example word_language_model, with its defaults: LSTM of 2 layers, embedding and units 200, dropout 0.2, not
tied; plain SGD from learning rate 20, divided by 4 whenever validation is no better, clipping at 0.25; batches of 20 x 35.

Scaled to fit: the example looks at validation after each of 40 epochs; here it does eight times in the minutes it has. It keeps the best
weights, as the example does.
"""

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import protocol

UNITS, LAYERS, DROPOUT = 200, 2, 0.2
RATE, CLIP, BATCH, WINDOW, LOOKS = 20.0, 0.25, 20, 35, 8


class Model(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.drop = nn.Dropout(DROPOUT)
        self.encoder = nn.Embedding(vocabulary, UNITS)
        self.rnn = nn.LSTM(UNITS, UNITS, LAYERS, dropout=DROPOUT)
        self.decoder = nn.Linear(UNITS, vocabulary)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, ids, state):
        """ids: [time, batch]."""
        x, state = self.rnn(self.drop(self.encoder(ids)), state)
        return self.decoder(self.drop(x)), state


def score(model, documents):
    """Nats per word: every word but each document's first, from zero state."""
    model.eval()
    total, words = 0.0, 0
    with torch.no_grad():
        for document in documents:
            state = None
            for start in range(0, len(document) - 1, 256):
                piece = document[start : start + 257]
                logits, state = model(piece[:-1, None], state)
                total += functional.cross_entropy(logits[:, 0], piece[1:], reduction="sum").item()
                words += len(piece) - 1
    model.train()
    return total / words


def held_out(path):
    with np.load(path) as saved:
        return [torch.from_numpy(saved[name]).long() for name in saved.files]


def main():
    chosen = protocol.settings()
    folder = Path(chosen["ids"])
    torch.manual_seed(1)
    ids = torch.from_numpy(np.load(folder / "train.npy")).long()
    length = len(ids) // BATCH
    rows = ids[: BATCH * length].view(BATCH, length).t().contiguous()  # [words, batch]
    validation = held_out(folder / "validation.npz")

    def run(_):
        model, rate = Model(chosen["vocabulary"]), RATE
        spent, best, weights, curve, state, start = 0.0, None, None, [], None, 0
        for look in range(1, LOOKS + 1):
            while spent < chosen["minutes"] * 60 * look / LOOKS:
                began = time.perf_counter()
                if start + WINDOW + 1 > length:
                    state, start = None, 0
                state = None if state is None else tuple(each.detach() for each in state)
                model.zero_grad()
                logits, state = model(rows[start : start + WINDOW], state)
                functional.cross_entropy(logits.flatten(0, 1), rows[start + 1 : start + WINDOW + 1].flatten()).backward()
                nn.utils.clip_grad_norm_(model.parameters(), CLIP)
                with torch.no_grad():
                    for weight in model.parameters():
                        weight.add_(weight.grad, alpha=-rate)
                start += WINDOW
                spent += time.perf_counter() - began
            loss = score(model, validation)
            curve.append((spent, loss))
            if best is None or loss < best:
                best, weights = loss, {name: value.clone() for name, value in model.state_dict().items()}
            else:
                rate /= 4
        model.load_state_dict(weights)
        test = score(model, held_out(folder / "test.npz"))
        return {"trained": spent, "curve": curve, "validation_loss": best, "test_loss": test}

    protocol.serve(run, version="PyTorch " + torch.__version__.split("+", maxsplit=1)[0])


if __name__ == "__main__":
    main()
