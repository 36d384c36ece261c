"""Generation in plain NumPy: the few lines that a user would write around the weights."""

from typing import Any, Dict, List, Tuple

import numpy as np

import protocol

State = Tuple[np.ndarray, np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


class Model:
    """A language model with random weights.

    Args:
        config: sizes.
    """

    def __init__(self, config: protocol.Settings) -> None:
        self.weights = protocol.random_weights(config)
        self.hidden = config["hidden_size"]

    def step(self, words: np.ndarray, state: State) -> Tuple[np.ndarray, State]:
        """Read one word of each row: int [rows] -> (logits float32 [rows, vocabulary], next state)."""
        weights, (h, c) = self.weights, state
        z = weights["embedding"][words] @ weights["kernel"] + h @ weights["recurrent"] + weights["bias"]
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        x = h @ weights["projection"] if "projection" in weights else h
        return x @ weights["softmax"].T + weights["softmax_bias"], (h, c)

    def generate(self, prompts: protocol.Prompts, words: int, temperature: float) -> List[List[int]]:
        """Continue prompts of equal length, all of them together."""
        random, rows = np.random.default_rng(1), len(prompts)
        state = np.zeros([rows, self.hidden], np.float32), np.zeros([rows, self.hidden], np.float32)
        ids = np.array(prompts)
        for t in range(ids.shape[1] - 1):
            _, state = self.step(ids[:, t], state)
        last, texts = ids[:, -1], []
        for _ in range(words):
            logits, state = self.step(last, state)
            logits[:, 0] = -np.inf  # <unk> is never generated
            if temperature == 0:
                last = logits.argmax(axis=1)
            else:
                cumulative = np.exp(logits - logits.max(axis=1, keepdims=True)).cumsum(axis=1)
                bounds = random.random(rows) * cumulative[:, -1]
                last = np.array([row.searchsorted(bound) for row, bound in zip(cumulative, bounds)])
            texts.append(last)
        return np.array(texts).T.tolist()


def main() -> None:
    """Serve generation."""
    config = protocol.settings()
    model = Model(config)

    def generate_texts(case: Dict[str, Any], prompts: protocol.Prompts, words: int) -> List[List[int]]:
        return model.generate(prompts, words, case["temperature"])

    protocol.generate(generate_texts, config, version="NumPy " + np.__version__)


if __name__ == "__main__":
    main()
