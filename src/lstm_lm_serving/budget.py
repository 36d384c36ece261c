"""Whether a request can be done: within the limits, and before its deadline at the speed that was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from lstm_lm_serving.checks import Table, counted, refused
from lstm_lm_serving.errors import Busy
from lstm_lm_serving.limits import Limits
from lstm_lm_serving.requests import Checked
from lstm_lm_serving.speed import Speed

MARGIN = 0.8  # of the time until the deadline is planned for
LOOP_COST = 1.25  # the decode loop, of which so much is steps: the rest is what calls cost, and handing out words
BEAM_COST = 2.0  # steps of the decode loop that a step of a beam search takes, with as many rows
CHARACTERS_PER_WORD = 4  # of prompts, at least


@dataclass(frozen=True)
class Load:
    """What is to be done already.

    Attributes:
        requests: that are not complete.
        texts: of these requests.
        words: that they may still generate.
        beam_seconds: of beam searches that wait.
    """

    requests: int
    texts: int
    words: int
    beam_seconds: float


def check_size(texts: Sequence[Checked], limits: Limits, table: Table) -> None:
    """Check how many texts and words a request asks for.

    Raises:
        Refused: too many.
    """
    rows, most = sum(text.rows for text in texts), min(limits.max_texts_per_request, table["max_texts"])
    if rows > most:
        largest = max(texts, key=lambda text: text.rows)
        name = "beam_width" if largest.is_beam_search else "best_of" if largest.best_of > largest.options["samples"] else "samples"
        asked = f"{name} = {largest.rows} with {counted(len(texts), 'prompt')} makes"
        raise refused(f"{asked} {counted(rows, 'text')} at once: must be at most {most} in a request", name)
    words = sum(text.words for text in texts if not text.is_beam_search)
    if words > limits.max_words_per_request:
        most = limits.max_words_per_request
        each = f", {most // rows} for each of {rows} texts" if rows > 1 else ""
        raise refused(f"max_words x texts = {counted(words, 'word')}: must be at most {most}{each}", "max_words")
    words = sum(text.words for text in texts if text.is_beam_search)
    if words > limits.max_beam_words_per_request:
        allowed = limits.max_beam_words_per_request
        raise refused(
            f"max_words x beam_width x prompts = {counted(words, 'word')} of beam searches: must be at most {allowed}", "max_words"
        )


def check_time(texts: Sequence[Checked], deadline: float, load: Load, speed: Speed, max_rows: int) -> float:
    """Check that a request can be done before its deadline, and return how many seconds it will take about.

    Args:
        texts: of the request.
        deadline: seconds from now.
        load: what is to be done besides.
        speed: of the decode loop.
        max_rows: of the batch.
    Raises:
        Refused: even with nothing else to do it would take too long.
        Busy: it would take too long now.
    """
    time = deadline * MARGIN
    sampled = [text for text in texts if not text.is_beam_search]
    rows, words = sum(text.rows for text in sampled), sum(text.words for text in sampled)
    longest = max((text.options["max_words"] for text in sampled), default=0)
    looks_back = any(text.looks_back for text in sampled)
    aside = sum(len(text.prompt) / CHARACTERS_PER_WORD for text in texts) * speed.read_seconds + beam_seconds(texts, speed)

    def generating(words: int, rows: int) -> float:
        rows = min(max(rows, 1), max_rows)
        step = LOOP_COST * speed.step(rows, looks_back)
        return max(longest * step, words / rows * step)

    asked = sum(text.words for text in texts)
    alone = aside + generating(words, rows)
    if alone > time:
        raise refused(
            f"{counted(asked, 'word')} would take about {alone:.2g} s on this machine: must take at most {time:.2g} s, "
            f"in which about {counted(int(asked * time / alone), 'word')} can be generated",
            "max_words",
        )
    # The batch is shared evenly: a short request does not wait for what long ones still have to do.
    shared = aside + generating(min(words + load.words, words * (load.requests + 1)), rows + load.texts)
    shared += load.beam_seconds if rows < sum(text.rows for text in texts) else 0.0
    if shared > time:
        requests = f"{counted(load.requests, 'request')} with {counted(load.words, 'word')} {'is' if load.requests == 1 else 'are'}"
        raise Busy(
            f"{requests} being answered: {counted(asked, 'more word')} would take about {shared:.2g} s, "
            f"must take at most {time:.2g} s: try again later, or ask for less",
            retry_after=max(shared - time, 1.0),
        )
    return shared


def beam_seconds(texts: Sequence[Checked], speed: Speed) -> float:
    """Return how long beam searches take."""
    return sum(
        int(text.options["max_words"]) * BEAM_COST * speed.step(text.options["beam_width"], text.looks_back)
        for text in texts
        if text.is_beam_search
    )
