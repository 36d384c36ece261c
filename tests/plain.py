"""The model in plain NumPy, word by word, from nothing but the saved weights: what the fast code is held against."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, h, c, kernel, recurrent, bias):
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class PlainModel:
    """weights: {name: array}; tied unless there is one named softmax."""

    def __init__(self, weights, layers):
        self.weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
        self.layers = layers

    @classmethod
    def load(cls, folder):
        with np.load(Path(folder) / "weights.npz") as saved:
            weights = dict(saved)
        return cls(weights, json.loads((Path(folder) / "config.json").read_text())["shape"]["layers"])

    @classmethod
    def of(cls, model):
        return cls({name: variable.numpy() for name, variable in model.weights.items()}, model.shape.layers)

    def initial_state(self, batch):
        hidden = self.weights["lstm_0_recurrent"].shape[0]
        return np.zeros([self.layers, 2, batch, hidden])

    def hidden(self, ids, state):
        """int [batch], state -> (softmax input [batch, output], next state)."""
        weights, state = self.weights, state.copy()
        x = weights["embedding"][ids]
        for layer in range(self.layers):
            names = (f"lstm_{layer}_kernel", f"lstm_{layer}_recurrent", f"lstm_{layer}_bias")
            state[layer] = lstm_step(x, *state[layer], *[weights[name] for name in names])
            x = state[layer, 0]
        return (x @ weights["projection"] if "projection" in weights else x), state

    def step(self, ids, state):
        """int [batch], state -> (logits [batch, vocabulary], next state)."""
        x, state = self.hidden(ids, state)
        return x @ self.weights.get("softmax", self.weights["embedding"]).T + self.weights["softmax_bias"], state

    def nats(self, document):
        """int [words] -> nats of each word but the first, from zero state."""
        state, costs = self.initial_state(1), []
        for word, target in pairwise(document):
            logits, state = self.step(np.array([word]), state)
            costs.append(-log_softmax(logits)[0, target])
        return np.array(costs)
