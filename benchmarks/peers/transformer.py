"""A small Transformer of nanoGPT's kind: learned positions, pre-norm blocks, GELU, tied weights, no biases; AdamW and a cosine.

Windows start at random places of the text, each with all its context in view. The context is 128 words or 256 characters. Layers, heads,
width and dropout are by the minutes (`SIZES`). Before it starts, the script measures a few steps and takes the fastest of: float32 or
bfloat16 autocast; the loss over all logits, in chunks, or compiled.

Scoring: windows that overlap by half (`schedules.sliding_windows`), so that each word is predicted from at least half a context of words,
where the document has as many.
"""

import math
from typing import Any, Dict, List

import torch
from torch import nn
from torch.nn import functional

import schedules
import timed_training
from timed_training import Documents, VariedTraining

SIZES = ((10, 4, 4, 192, 0.1), (float("inf"), 6, 6, 384, 0.2))  # up to so many minutes: layers, heads, width, dropout
CONTEXTS = {"char": 256}
CONTEXT, WINDOWS_WORDS = 128, 2048  # of other units; words in a step
LEARNING_RATE, WEIGHT_DECAY, CLIP, BETAS = 0.001, 0.1, 1.0, (0.9, 0.99)
SCORED_TOGETHER = 16  # windows


class Block(nn.Module):
    """Attention and a feed-forward network, each added to its input."""

    def __init__(self, heads: int, width: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention, self.norm_network = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.wide, self.narrow = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs of x [batch, time, width]."""
        rate = self.dropout if self.training else 0.0
        parts = self.queries_keys_values(self.norm_attention(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], dropout_p=rate, is_causal=True)
        x = x + functional.dropout(self.attended(attended.transpose(1, 2).flatten(2)), rate)
        return x + functional.dropout(self.narrow(functional.gelu(self.wide(self.norm_network(x)))), rate)


class Model(nn.Module):
    """Embeddings of words and positions, blocks, softmax."""

    def __init__(self, vocabulary: int, context: int, layers: int, heads: int, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.words, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(heads, width, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width, bias=False)
        self.loss = nn.LinearCrossEntropyLoss(width, vocabulary, bias=False)
        self.loss.linear.weight = self.words.weight
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)
        for block in self.blocks:
            for linear in (block.attended, block.narrow):
                nn.init.normal_(linear.weight, std=0.02 / math.sqrt(2 * layers))

    def encode(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the softmax's inputs [batch, time, width] of ids [batch, time]."""
        x = self.dropout(self.words(ids) + self.positions(torch.arange(ids.shape[1])))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def training_loss(self, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean nats per word."""
        return self.loss(self.encode(ids).flatten(0, 1), targets.flatten())


class TransformerTraining(VariedTraining):
    """AdamW, whose learning rate follows a cosine over the time."""

    def __init__(self, model: Model, config: Dict[str, Any], ids: torch.Tensor, context: int) -> None:
        super().__init__(model, config["validations"])
        self.rate, self.ids, self.context = config.get("learning_rate", LEARNING_RATE), ids, context

    def begin(self) -> None:
        """Start over."""
        decayed = [weight for weight in self.model.parameters() if weight.dim() > 1]
        others = [weight for weight in self.model.parameters() if weight.dim() < 2]
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, betas=BETAS, fused=True)
        self.places = torch.Generator().manual_seed(1)

    def step(self, progress: float) -> int:
        """Train on windows from random places."""
        batch = max(1, WINDOWS_WORDS // self.context)
        starts = torch.randint(len(self.ids) - self.context, (batch, 1), generator=self.places)
        windows = self.ids[starts + torch.arange(self.context + 1)]
        timed_training.set_rate(self.optimizer, self.rate * schedules.cosine(progress))
        with self.autocast():
            loss = self.training_loss(windows[:, :-1], windows[:, 1:])
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return batch * self.context

    def score(self, documents: Documents) -> float:
        """Return the mean nats per word."""
        self.model.eval()
        total, words = 0.0, 0
        with torch.no_grad():
            for document in documents:
                windows = list(schedules.sliding_windows(len(document), self.context))
                for first in range(0, len(windows), SCORED_TOGETHER):
                    total += self._nats(document, windows[first : first + SCORED_TOGETHER])
                words += len(document) - 1
        self.model.train()
        return total / words

    def _nats(self, document: torch.Tensor, windows: List[Any]) -> float:
        """Return the sum of the nats of some windows. The last one may be shorter than the others: it is padded at its end."""
        longest = max(stop - start for start, stop, _ in windows)
        rows = torch.zeros(len(windows), longest, dtype=torch.long)
        is_scored = torch.zeros(len(windows), longest - 1, dtype=torch.bool)
        for row, (start, stop, skipped) in enumerate(windows):
            rows[row, : stop - start] = document[start:stop]
            is_scored[row, skipped : stop - start - 1] = True
        hidden = self.model.encode(rows[:, :-1])[is_scored]
        return functional.cross_entropy(self.model.loss.linear(hidden), rows[:, 1:][is_scored], reduction="sum").item()


def build(config: Dict[str, Any], ids: torch.Tensor) -> VariedTraining:
    """Return the training, computed in the fastest way."""
    context = min(CONTEXTS.get(config["unit"], CONTEXT), len(ids) - 1)
    layers, heads, width, dropout = next(sizes for most, *sizes in SIZES if config["minutes"] <= most)
    training = TransformerTraining(Model(config["vocabulary"], context, layers, heads, width, dropout), config, ids, context)
    training.use_fastest(config["compile"])
    training.notes.insert(0, f"{layers} layers, {width} wide, context {context}")
    return training


if __name__ == "__main__":
    timed_training.serve(build)
