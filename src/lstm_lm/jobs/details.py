"""`reports/details.json`: the data behind the figures of the report, which the metrics sum up."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_lm import paths
from lstm_lm.data import dataset
from lstm_lm.evaluation import scoring
from lstm_lm.evaluation.baselines import KNESER_NEY, UNIGRAM
from lstm_lm.evaluation.details.calibration import calibration
from lstm_lm.evaluation.details.frequency_bands import by_frequency
from lstm_lm.evaluation.details.nearest_words import choose_words, nearest_words
from lstm_lm.evaluation.details.passage import LENGTHS, choose_passage, describe_passage
from lstm_lm.evaluation.details.positions import by_position
from lstm_lm.evaluation.details.rank_frequency import rank_frequency
from lstm_lm.evaluation.details.scored_split import ScoredSplit
from lstm_lm.evaluation.details.word_map import word_map
from lstm_lm.generation.options import sentence_end_ids
from lstm_lm.io import atomic
from lstm_lm.io.addresses import mask_values
from lstm_lm.jobs import passage_text
from lstm_lm.jobs.evaluation_inputs import Inputs
from lstm_lm.model.shape import Shape, count_parameters
from lstm_lm.text import splits
from lstm_lm.text.splits import Span
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.ui import evaluation_messages

DETAILS = Path("reports/details.json")
DECIMALS = 6
CALIBRATION_WORDS = 50_000  # of the test text; of a longer one, evenly spread pieces are predicted
CALIBRATION_LOGITS = 10**9  # of them: 10,000 words with a vocabulary of 100,000
LOSSES = {"loss": "model", "kneser_ney_loss": KNESER_NEY, "unigram_loss": UNIGRAM}  # name in the file: whose costs

Costs = Mapping[str, Mapping[str, Sequence[np.ndarray]]]  # {"model", or name of a baseline: {split: nats as of `scoring.score`}}


@dataclass(frozen=True)
class Text:
    """The text in tokens.

    Attributes:
        tokenizer: of the text.
        words: the vocabulary, in the order of the ids.
        counts: int64 [ids], occurrences of each id in the training text, those of unknown words included.
        spans: of each split.
    """

    tokenizer: Tokenizer
    words: list[str]
    counts: np.ndarray
    spans: dict[str, list[Span]]

    @classmethod
    def load(cls, inputs: Inputs) -> "Text":
        """Load what `Inputs` leaves out."""
        words, _ = vocabulary.load_counts(paths.VOCABULARY)
        counts = inputs.parts["train"].counts(len(inputs.characters.lengths))
        return cls(Tokenizer.load(paths.TOKENIZER), words, counts, splits.load(paths.SPLITS))


def write(inputs: Inputs, costs: Costs, facts: Mapping[str, Any], references: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Compute and write all details.

    Args:
        inputs: what was evaluated.
        costs: of its held-out words.
        facts: of models/weights/config.json.
        references: of tracking.references.
        run: of tracking.run_facts.
    """
    evaluation_messages.show_details()
    text = Text.load(inputs)
    scored = {split: scored_split(inputs, costs, split) for split in dataset.HELD_OUT}
    known_counts = np.concatenate([[0], text.counts[1 : len(text.words)]])
    details = {
        "unit": text.tokenizer.unit,
        "run": dict(run),
        "model": {"parameters": count_parameters(Shape(**facts["shape"])), **facts["shape"], **without(facts, "shape")},
        "source": mask_values(inputs.batches.source),
        "splits": {name: describe_split(inputs, name) for name in splits.SPLITS},
        "documents": {name: split.by_document() for name, split in scored.items()},
        "frequency_bands": {name: by_frequency(split, known_counts) for name, split in scored.items()},
        "positions": {name: by_position(split) for name, split in scored.items()},
        "rank_frequency": rank_frequency(text.counts, len(text.words)),
        "passage": passage(text, scored["test"], "test"),
        **from_weights(inputs, text.words, known_counts),
        "references": dict(references),
    }
    atomic.write_text(DETAILS, json.dumps(rounded(details), ensure_ascii=False) + "\n")


def scored_split(inputs: Inputs, costs: Costs, split: str) -> ScoredSplit:
    """Collect what is known about the scored words of a split."""
    names = [document.name for document in inputs.batches.held_out[split].documents]
    of_split = {name: costs[predictor][split] if predictor in costs else None for name, predictor in LOSSES.items()}
    return ScoredSplit(names, inputs.batches.documents(split), of_split)


def describe_split(inputs: Inputs, split: str) -> dict[str, Any]:
    """Return how much text a split has, and of which files."""
    files = list(dict.fromkeys(document for document, _, _ in inputs.parts[split].ranges))
    return {"words": len(inputs.parts[split]), "documents": len(inputs.parts[split].ranges), "files": files}


def passage(text: Text, scored: ScoredSplit, split: str) -> dict[str, Any] | None:
    """Choose a passage of a split, and describe it."""
    spans = text.spans[split]
    files = [paths.RAW / span.document for span in spans]
    readable = [passage_text.is_readable(file) for file in files]
    stretch = choose_passage(scored, readable, sentence_end_ids(text.words), LENGTHS[text.tokenizer.unit])
    if stretch is None:
        return None
    i = stretch.document
    tokens = passage_text.read_passage(files[i], text.tokenizer, spans[i], stretch, text.words, scored.ids[i])
    return {"split": split, **describe_passage(scored, stretch, tokens)}


def from_weights(inputs: Inputs, words: Sequence[str], counts: np.ndarray) -> dict[str, Any]:
    """Compute what needs distributions or vectors, which the SavedModel does not provide."""
    from lstm_lm.evaluation.details.predictions import predict
    from lstm_lm.export.weights import load_weights

    model = load_weights("models/weights")
    documents = inputs.batches.documents("test")
    total, max_words = inputs.batches.held_out["test"].scored_words, min(CALIBRATION_WORDS, CALIBRATION_LOGITS // len(words))
    if total > max_words:
        pieces = scoring.spread_pieces(list(map(len, documents)), max_words)
        documents = [documents[i][start:stop] for i, start, stop in pieces]
        evaluation_messages.note_calibration_of_pieces(max_words, total, inputs.unit)
    embedding = model.members[0].embedding.numpy()
    return {
        "calibration": {"test": calibration(predict(model, documents))},
        "neighbours": nearest_words(embedding, words, choose_words(words, counts)),
        "map": word_map(embedding, words, counts),
    }


def without(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a copy without one key."""
    return {name: value for name, value in values.items() if name != key}


def rounded(value: Any) -> Any:
    """Round all numbers in a value that is ready for JSON; those that are infinite, or not a number, become None."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value
