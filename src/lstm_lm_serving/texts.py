"""What a request asks for, and what it is answered with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FinishReason = Literal["length", "stop"]


@dataclass(frozen=True)
class Text:
    """A prompt to continue, once or several times.

    Attributes:
        prompt: any text with at least one word.
        options: of the table of generation options, by their names; those that are missing take their default. `samples` is the number of
            texts (OpenAI's n), `beam_width` above 1 makes a beam search.
        stop: a text ends before the first of these strings that is complete in it.
        best_of: so many texts are generated, of which the `samples` best ones are returned, the best first: those with the highest mean log
            probability per word. 0: as many as `samples`. Their pieces come when all of them are complete.
        logprobs: number of most probable words to report beside each generated word; 0: the generated words only; None: no words at all.
        logit_bias: added to the logits of words. A key is a word of the vocabulary or, if there is no such word, its id.
        echo: the text starts with the prompt.
    """

    prompt: str
    options: Mapping[str, Any] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    best_of: int = 0
    logprobs: int | None = None
    logit_bias: Mapping[str, float] = field(default_factory=dict)
    echo: bool = False


@dataclass(frozen=True)
class Word:
    """One word of a text, with its probability under the model itself: at temperature 1, before penalties, bias and filters.

    Attributes:
        token: the word as it is in the vocabulary.
        text: how it is written, including the space before it. The texts of all words together are the whole text.
        offset: characters of the text before `text`; with `echo`, the prompt counts.
        log_probability: in nats; None for the first word of an echoed prompt.
        top: the most probable words, the most probable first, each as it would be written here and with its log probability. If the word
            itself is among them, it is written as in `text`.
    """

    token: str
    text: str
    offset: int
    log_probability: float | None
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """The next part of one of the texts of a request.

    Attributes:
        text: index of the `Text` in the request.
        sample: which of its samples, from 0.
        new_text: to append to the pieces before, including any space in between. May be empty.
        count: number of words that were generated since the piece before. Where a stop string ends the text, only those that are in it,
            whole or in part: how many more were generated depends on other requests.
        words: the words of `new_text` if they were asked for with `logprobs`.
        finish_reason: None unless this is the sample's last piece.
    """

    text: int
    sample: int
    new_text: str
    count: int = 0
    words: tuple[Word, ...] = ()
    finish_reason: FinishReason | None = None


@dataclass(frozen=True)
class Completion:
    """One complete text.

    Attributes:
        text, sample: as in `Piece`.
        content: the whole text; it starts with the prompt only if `echo` was set.
        count, words, finish_reason: as in `Piece`, of the whole text.
    """

    text: int
    sample: int
    content: str
    count: int
    words: tuple[Word, ...]
    finish_reason: FinishReason


@dataclass(frozen=True)
class PromptFacts:
    """What the model sees in a prompt.

    Attributes:
        words: number of its words (tokens).
        known: how many of them are in the vocabulary.
    """

    words: int
    known: int


@dataclass(frozen=True)
class Score:
    """The words of a text and how surprising each one is.

    Attributes:
        tokens: the words as they are in the text, after normalization.
        ids: of the vocabulary; 0: unknown.
        nats: -ln P of each word given those before it; None for the first one.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    nats: tuple[float | None, ...]


@dataclass(frozen=True)
class NextWords:
    """The most probable next words after a prompt.

    Attributes:
        words: the most probable first, without `<unk>`.
        ids: of the vocabulary.
        log_probabilities: in nats, under the model itself.
        unknown: the log probability of `<unk>`: any word that is not in the vocabulary.
    """

    words: tuple[str, ...]
    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    unknown: float


@dataclass(frozen=True)
class Statistics:
    """Counters and gauges of an engine. Counters start with 0 and never fall.

    Attributes:
        rows: texts in the batch now.
        max_rows: the limit of `rows`.
        waiting: texts that wait now, parked ones included.
        requests: requests that are not complete now.
        accepted, refused, completed, cancelled, expired: counters of requests.
        prompt_words: counter of words read.
        known_words: counter of words read that are in the vocabulary.
        words: counter of words generated.
        steps: counter of steps of the decode loop; words / steps is the mean occupancy.
        busy_seconds: counter of seconds in which the decode loop ran.
        words_per_second: over the last seconds in which it ran; 0 before the first word.
        step_seconds: {rows: seconds of one step with so many rows}, as measured while warming up.
    """

    rows: int
    max_rows: int
    waiting: int
    requests: int
    accepted: int
    refused: int
    completed: int
    cancelled: int
    expired: int
    prompt_words: int
    known_words: int
    words: int
    steps: int
    busy_seconds: float
    words_per_second: float
    step_seconds: Mapping[int, float]
