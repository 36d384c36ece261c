"""What is known of logged prompts: measures against the validation text, also over time, unknown words, the most surprising prompts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from lstm_lm.errors import UserError
from lstm_lm.io.hashing import digest
from lstm_lm.serving.prompts import comparison, files, texts
from lstm_lm.serving.prompts.comparison import Measure
from lstm_lm.serving.prompts.files import LoggedPrompt
from lstm_lm.serving.prompts.texts import DistinctPrompts, Texts
from lstm_lm.text import splits
from lstm_lm.text.splits import Span
from lstm_lm.text.tokenization.tokenizer import Tokenizer

PERIODS = 20  # points of the charts over time
MIN_PERIOD = 25  # different prompts of a point
LISTED_WORDS, LISTED_PROMPTS = 40, 15
QUANTILES = (0.1, 0.5, 0.9, 1.0)
SEED = 1
MIN_WORDS = 5  # of the most surprising prompts: shorter ones are surprising by chance
MAX_TEXT_BYTES = 2**26  # in which unknown words are looked up
Costs = Sequence[np.ndarray]


@dataclass(frozen=True)
class UnknownWord:
    """A word that the model does not know.

    Attributes:
        requests: prompts with it, repetitions included.
        in_text: how often it is in the training text, where it is too rare for the vocabulary; None: the text is too large to count.
    """

    word: str
    requests: int
    in_text: int | None


@dataclass(frozen=True)
class Period:
    """Consecutive different prompts.

    Attributes:
        start, end: times of the first and the last one, ISO 8601.
        prompts: how many.
        unknown: fraction of their words that are unknown.
        surprisal: bits per scored word, see `charged`; NaN if none is scored.
    """

    start: str
    end: str
    prompts: int
    unknown: float
    surprisal: float


@dataclass(frozen=True)
class DriftReport:
    """What a drift report shows.

    Attributes:
        unit: what a token is.
        requests: number of prompts, repetitions included.
        times: of the first and the last of these, ISO 8601.
        distinct: the different ones.
        damaged: lines of the files that could not be read.
        other_models: requests to models with other weights than this checkout's.
        measures: see `comparison.compare`.
        lengths: {quantile: words of a prompt}, repetitions included; 1.0 is the longest.
        periods: the measures over time.
        words: the unknown words of most requests.
        surprising: (prompt, bits per word) of the most surprising prompts.
        prompt_bits, piece_bits: bits per scored word of each different prompt, and of each piece of the validation text.
        validation_words: of the validation text that was scored.
    """

    unit: str
    requests: int
    times: tuple[str, str]
    distinct: DistinctPrompts
    damaged: int
    other_models: int
    measures: dict[str, Measure]
    lengths: dict[float, int]
    periods: Sequence[Period]
    words: Sequence[UnknownWord]
    surprising: Sequence[tuple[str, float]]
    prompt_bits: np.ndarray
    piece_bits: np.ndarray
    validation_words: int


@dataclass(frozen=True)
class Log:
    """What was read from the files: the prompts, and the number of damaged lines."""

    prompts: Sequence[LoggedPrompt]
    damaged: int

    def times(self) -> tuple[str, str]:
        """Return the times of the first and the last prompt, which need not be the first and last line: several processes write files."""
        times = [prompt.time for prompt in self.prompts]
        return min(times), max(times)


def read(folder: Path, since: str = "") -> Log:
    """Read the prompts of a folder.

    Args:
        folder: of `serve --log-prompts`.
        since: ISO 8601; earlier prompts are left out.
    Raises:
        UserError: there are none.
    """
    lines = list(files.read(folder))
    prompts = [prompt for prompt in lines if prompt is not None and prompt.time >= since]
    if not prompts:
        raise UserError(f"{folder}: holds no prompts{' of these days' if since else ''}: wait until the server has logged some")
    return Log(prompts, lines.count(None))


def make(log: Log) -> DriftReport:
    """Score the prompts and the validation text with the model in models/saved_model.

    Raises:
        UserError: there is no model, its text is not that in data/, or no prompt has two words.
    """
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.jobs.evaluation_inputs import Inputs
    from lstm_lm.text.tokenization import vocabulary

    folder = find_saved_model()
    tokenizer = Tokenizer.load(folder / "assets/tokenizer.json")
    words = vocabulary.read_tokens(folder / "assets/vocabulary.txt")
    inputs = Inputs.load()
    if inputs.vocabulary_size != len(words):
        raise UserError(
            f"data/vocab has {inputs.vocabulary_size:,} words, but the model in {folder} has {len(words):,}: run the pipeline: make repro"
        )
    found = texts.distinct(log.prompts, tokenizer)
    if not any(len(tokens) > 1 for tokens in found.tokens):
        raise UserError("no logged prompt has two words, and the first is not scored: wait until the server has logged longer ones")
    prompts = texts.encode(found, tokenizer, words)
    validation = texts.pieces_like(
        inputs.documents("validation"), inputs.characters, len(words), [len(tokens) for tokens in found.tokens], SEED
    )
    charge = math.log(max(1, inputs.batches.held_out["validation"].unknown_types))
    nats, other_nats = (
        charged(*each, charge) for each in zip((prompts, validation), _score(folder, [prompts, validation], len(words)), strict=True)
    )
    fingerprint = f"fp_{digest(folder)[:12]}"
    unknown = Counter[str]()
    for tokens, flags, count in zip(found.tokens, prompts.unknown, found.counts, strict=True):
        unknown.update(dict.fromkeys((token for token, flag in zip(tokens, flags, strict=True) if flag), count))
    counted = unknown.most_common(LISTED_WORDS)
    in_text = occurrences({word for word, _ in counted}, Path("data/raw"), splits.load("data/vocab/splits.json")["train"], tokenizer)
    return DriftReport(
        unit=tokenizer.unit,
        requests=len(log.prompts),
        times=log.times(),
        distinct=found,
        damaged=log.damaged,
        other_models=sum(prompt.fingerprint not in ("", fingerprint) for prompt in log.prompts),
        measures=comparison.compare(prompts, nats, validation, other_nats, SEED),
        lengths=_quantiles(found),
        periods=periods(found, prompts, nats),
        words=[UnknownWord(word, count, None if in_text is None else in_text[word]) for word, count in counted],
        surprising=most_surprising(found, nats),
        prompt_bits=_means(nats),
        piece_bits=_means(other_nats),
        validation_words=sum(map(len, validation.ids)),
    )


def _score(folder: Path, groups: Sequence[Texts], vocabulary_size: int) -> list[Costs]:
    from lstm_lm.io import memory, quiet

    memory.keep_freed()
    with quiet.tensorflow_import():
        from lstm_lm.evaluation.saved_model_scoring import score_saved_model
        from lstm_lm.export.text_model import load_text_model
    model = load_text_model(folder)
    return [score_saved_model(model, group.ids, vocabulary_size) for group in groups]


def charged(scored: Texts, nats: Costs, charge: float) -> list[np.ndarray]:
    """Add what it costs to name the unknown words: a model that expects many of them would find them anything but surprising.

    Args:
        scored: the texts.
        nats: float [words - 1] of each.
        charge: nats of an unknown word, as in the adjusted perplexity.
    """
    return [each + charge * unknown[1:] for each, unknown in zip(nats, scored.unknown, strict=True)]


def occurrences(words: set[str], raw: Path, spans: Sequence[Span], tokenizer: Tokenizer) -> Counter[str] | None:
    """Count words in the training text; None if there is too much text to tokenize it in seconds.

    Args:
        words: to count.
        raw: folder of the documents, data/raw.
        spans: the training text.
        tokenizer: of the text.
    """
    paths = {span.document: raw / span.document for span in spans}
    if sum(path.stat().st_size for path in paths.values()) > MAX_TEXT_BYTES:
        return None
    counts = Counter[str](dict.fromkeys(words, 0))
    for document, path in paths.items():
        tokens = tokenizer.tokenize(path.read_bytes().decode("utf-8"))
        for span in spans:
            if span.document == document:
                counts.update(token for token in tokens[span.start : span.stop] if token in words)
    return counts


def _means(nats: Costs) -> np.ndarray:
    """Bits per scored word of each text that has one."""
    return np.array([float(np.mean(each, dtype=np.float64)) / math.log(2) for each in nats if len(each)])


def _quantiles(found: DistinctPrompts) -> dict[float, int]:
    lengths = np.repeat([len(tokens) for tokens in found.tokens], found.counts)
    return {each: int(np.quantile(lengths, each, method="inverted_cdf")) for each in QUANTILES}


def periods(found: DistinctPrompts, prompts: Texts, nats: Costs) -> list[Period]:
    """Divide the prompts into at most `PERIODS` groups of nearly equal number, in order of time."""
    number = max(1, min(PERIODS, len(prompts.ids) // MIN_PERIOD))
    edges = np.linspace(0, len(prompts.ids), number + 1).round().astype(int)
    values = comparison.word_values(prompts, nats)
    stops = np.cumsum([0, *map(len, prompts.ids)])
    made = []
    for start, stop in pairwise(edges):
        sums = values[:, stops[start] : stops[stop]].sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            unknown, surprisal = (float(comparison.RATIOS[name](sums)) for name in (comparison.UNKNOWN, comparison.SURPRISAL))
        made.append(Period(found.prompts[start].time, found.prompts[stop - 1].time, int(stop - start), unknown, surprisal))
    return made


def most_surprising(found: DistinctPrompts, nats: Costs) -> list[tuple[str, float]]:
    """Return the prompts with the most bits per word, of those with at least `MIN_WORDS` words.

    Args:
        found: the prompts.
        nats: float [words - 1] of each.
    """
    long = [i for i, tokens in enumerate(found.tokens) if len(tokens) >= MIN_WORDS]
    bits = _means([nats[i] for i in long])
    return [(found.prompts[long[i]].prompt, float(bits[i])) for i in np.argsort(-bits, kind="stable")[:LISTED_PROMPTS]]
