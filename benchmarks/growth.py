"""The section `growth`: training throughput against vocabulary, hidden size and batch size."""

from collections.abc import Mapping, Sequence

import driver
import systems
from driver import Settings
from lstm_lm.ui.markdown import table
from page import not_measured, number, ratio
from session import Session
from timing import ratios
from training import LARGE_VOCABULARY, seconds_per_step, with_rounds, words_per_second

SIZES: dict[str, list[int]] = {
    "vocabulary": [1_000, 3_000, 10_000, 30_000, LARGE_VOCABULARY],
    "hidden_size": [128, 256, 512, 1_024],
    "batch_size": [1, 10, 32, 100, 200],
}
ROUND_FLOP = 7e10  # arithmetic of a round: about a second at 100 GFLOP/s with overhead
HEADINGS = [
    "",
    "ours, words/s",
    "ours, GFLOP/s",
    "Keras 3, words/s",
    "time relative to ours",
    f"ours, sampled softmax ({systems.SAMPLED_WORDS:,} words), words/s",
    "ours, adaptive softmax, words/s",
]


def growth(session: Session, settings: Settings | None = None, sizes: Mapping[str, Sequence[int]] | None = None) -> str:
    """Vary one size at a time, for this project and stock Keras."""
    base = settings or systems.settings_of("cookbook")
    rows = []
    for name, values in (sizes or SIZES).items():
        # A short trial takes the smallest and the largest size only.
        for value in values[:: len(values) - 1 or 1] if session.quick else values:
            driver.log(f"  {name} {value:,}")
            rows.append(measure(session, base, name, value))
    note = (
        f"All other sizes: vocabulary {base['vocabulary']:,}, hidden size {base['hidden_size']}, batches of {base['batch_size']} x "
        f"{base['sequence_length']} words."
    )
    return f"{table(HEADINGS, rows)}\n\n{note}"


def measure(session: Session, base: Settings, name: str, value: int) -> list[str | None]:
    """Measure with one size changed and return the table row."""
    rounds = min(session.rounds, 3)
    settings = {**base, name: value}
    operations = systems.operations(settings)
    steps = session.pick(max(2, min(50, round(ROUND_FLOP / (operations * systems.words_per_step(settings))))), 1)
    settings = with_rounds(settings, rounds, steps)
    peers = [systems.ours(settings)[0], systems.keras(settings)]
    if name == "vocabulary":
        peers += [systems.sampled(settings), systems.adaptive(settings)]
    if value == LARGE_VOCABULARY:
        driver.run_separately(peers, 1, steps)
    else:
        driver.run_interleaved(peers, rounds, steps)
    ours, keras, *approximations = map(words_per_second, peers)
    return [
        f"{name.replace('_', ' ')} {value:,}",
        number(ours) or not_measured(peers[0].problem),
        number(operations * ours / 1e9) if ours else None,
        number(keras) or not_measured(peers[1].problem),
        ratio(ratios(*map(seconds_per_step, peers[:2]))),
        *(number(rate) for rate in approximations or (None, None)),
    ]
