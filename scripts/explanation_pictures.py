"""Draw the pictures of docs/explanation.

usage: explanation_pictures.py [NAME ...]

All but `perplexity` are drawn from rules alone. `perplexity` shows the model of this checkout, by reports/details.json.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

PROJECT = Path(__file__).parent.parent
FOLDER = PROJECT / "docs/explanation"
BLUE, ORANGE, GREEN, RED, GRAY = "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#888888"
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})


def _box(axis: Axes, x: float, y: float, width: float, height: float, color: object, text: str = "", **options: object) -> None:
    axis.add_patch(Rectangle((x, y), width, height, facecolor=color, edgecolor="white", linewidth=1.5, **options))
    axis.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=10)


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float], color: str = "black", bend: float = 0.0) -> None:
    style = f"arc3,rad={bend}"
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=color, connectionstyle=style, linewidth=1.4))


def _bare(axis: Axes, title: str, width: float, height: float) -> None:
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.set_title(title, loc="left", fontsize=11)
    axis.axis("off")


def batching() -> Figure:
    """Two rows of three windows of a text of 24 words: contiguous, and shuffled. A window's color is its place in the text."""
    figure, (text, streams, chunks) = plt.subplots(3, 1, figsize=(7.2, 6.4), layout="constrained", height_ratios=[1, 2.2, 3])
    colors = plt.get_cmap("viridis")(np.linspace(0.5, 1.0, 6))
    _bare(text, "the text, in the order in which it was written", 24, 1.2)
    for part in range(6):
        _box(text, 4 * part, 0.1, 4, 0.9, colors[part], f"part {part + 1}")
    _bare(streams, "stream: rows are contiguous text, and so is the state that is carried (green)", 24, 2.6)
    for row in range(2):
        for window in range(3):
            part = 3 * row + window
            _box(streams, 8 * window + 0.6, 1.4 - 1.2 * row, 6.4, 0.9, colors[part], f"part {part + 1}")
            if window:
                _arrow(streams, (8 * window - 0.95, 1.85 - 1.2 * row), (8 * window + 0.55, 1.85 - 1.2 * row), GREEN)
    flaws = "the carried state comes from other text,\nand the last target of a row is the row's own first word"
    _bare(chunks, f"cookbook: chunks in a random order. Red: {flaws}", 24, 3.6)
    for row, order in enumerate([(4, 0, 2), (5, 1, 3)]):
        for window, part in enumerate(order):
            x, y = 8 * window + 0.6, 2.2 - 1.7 * row
            _box(chunks, x, y, 6.4, 0.9, colors[part], f"part {part + 1}")
            _arrow(chunks, (x + 6.2, y), (x + 0.3, y), RED, bend=-0.25)
            if window:
                _arrow(chunks, (x - 1.55, y + 0.45), (x - 0.05, y + 0.45), RED)
    return figure


def softmax() -> Figure:
    """What a plain softmax and the chunked one hold in memory, for a batch of the default: areas are to scale."""
    rows, columns, chunk = 32 * 35, 7_388, 2**22 // 7_388
    size = {n: n * columns * 4 / 2**20 for n in (rows, chunk)}
    figure, (plain, ours) = plt.subplots(1, 2, figsize=(7.6, 4.6), layout="constrained")
    _bare(plain, "plain: pass after pass over all logits", 10, 12)
    names = ("hidden x W, + bias", "maximum", "exp, sum", "normalize", "minus one hot")
    for place, name in enumerate(names):
        _box(plain, 0.4 + 0.75 * place, 1.6 + 1.05 * (len(names) - 1 - place), 6.0, 4.8, "#c6dbef")
        plain.text(0.6 + 0.75 * place, 6.0 + 1.05 * (len(names) - 1 - place), name, fontsize=10, va="center")
    plain.text(0.4, 0.4, f"{rows:,} words x {columns:,}\n{size[rows]:.0f} MiB, in and out of memory", fontsize=10, va="center")
    _bare(ours, "in chunks: one pass, by exp, in the cache", 10, 12)
    height = 4.8 * chunk / rows
    for place in range(2):
        y = 6.4 - 3.9 * place
        _box(ours, 0.6, y, 6.8, height, "#a1d99b", f"exp(hidden x W): {min(chunk, rows - place * chunk):,} words")
        _arrow(ours, (7.6, y + height / 2 + 0.5), (9.0, y + height / 2 + 1.1))
        _arrow(ours, (7.6, y + height / 2 - 0.3), (9.0, y + height / 2 - 0.9))
        ours.text(9.1, y + height / 2 + 1.2, "loss", fontsize=10, va="center")
        ours.text(9.1, y + height / 2 - 1.0, "gra-\ndients", fontsize=10, va="center")
    ours.text(
        0.4, 0.4, f"{chunk:,} words x {columns:,} at a time\n{size[chunk]:.0f} MiB, which stay in the cache", fontsize=10, va="center"
    )
    return figure


def perplexity() -> Figure:
    """Held-out loss by the frequency of a word, and calibration, from reports/details.json."""
    details = json.loads((PROJECT / "reports/details.json").read_text(encoding="utf-8"))
    bands = details["frequency_bands"]["test"]
    figure, (loss, calibration) = plt.subplots(2, 1, figsize=(7.2, 7.4), layout="constrained", height_ratios=[1.1, 1])
    places = np.arange(len(bands))
    for shift, (key, label, color) in enumerate(
        [("loss", "LSTM", BLUE), ("kneser_ney_loss", "Kneser-Ney", ORANGE), ("unigram_loss", "unigrams", GRAY)]
    ):
        loss.bar(places + 0.27 * (shift - 1), [band[key] for band in bands], 0.25, label=label, color=color)
    words = sum(band["words"] for band in bands)
    loss.set_xticks(places, [band["label"].replace(" to ", " to\n").replace(" and ", "\nand ") for band in bands])
    for place, band in zip(places, bands, strict=True):
        loss.text(place, band["unigram_loss"] + 0.25, f"{band['words'] / words:.0%}", ha="center", fontsize=10, color=GRAY)
    loss.set(ylabel="loss, nats per word", xlabel="occurrences in the training text; above: share of the test words", ylim=(0, 14))
    loss.set_title("the mean hides where the cost is", loc="left", fontsize=11)
    loss.legend(frameon=False, ncols=3)
    bins = details["calibration"]["test"]["bins"]
    calibration.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1, label="what it should be")
    predicted, came = ([each[key] for each in bins] for key in ("mean_probability", "fraction_correct"))
    calibration.plot(predicted, came, "o-", color=BLUE, label="LSTM")
    calibration.set(xlabel="probability of the most probable word", ylabel="how often it came", xlim=(0, 1), ylim=(0, 1))
    calibration.set_title("it hides how far the probabilities can be trusted", loc="left", fontsize=11)
    calibration.legend(frameon=False)
    return figure


def serve_together(lengths: list[int], arrivals: list[int], slots: int, is_continuous: bool) -> list[tuple[int, int, int]]:
    """Simulate a batch: return the slot, the first step and the step after the last one of each text.

    Args:
        lengths, arrivals: of each text, in steps, by arrival.
        slots: rows of the batch.
        is_continuous: a free slot is filled at once; otherwise when all are free.
    """
    free_at = [0] * slots
    placed = []
    waiting = list(range(len(lengths)))
    while waiting:
        if is_continuous:
            text = waiting.pop(0)
            slot = int(np.argmin(free_at))
            start = max(free_at[slot], arrivals[text])
            free_at[slot] = start + lengths[text]
            placed.append((slot, start, free_at[slot]))
            continue
        begin = max(*free_at, arrivals[waiting[0]])
        group = [text for text in waiting if arrivals[text] <= begin][:slots]
        waiting = [text for text in waiting if text not in group]
        for slot, text in enumerate(group):
            placed.append((slot, begin, begin + lengths[text]))
        free_at = [begin + max(lengths[text] for text in group)] * slots
    return placed


LENGTHS, ARRIVALS = [20, 6, 9, 4, 7, 5, 10, 6, 4], [0, 0, 0, 1, 3, 5, 8, 9, 12]


def continuous() -> Figure:
    """The same nine texts in a batch of three rows, filled as a whole and row by row."""
    figure, axes = plt.subplots(2, 1, figsize=(7.2, 5.0), layout="constrained", sharex=True)
    for axis, is_continuous, title in zip(
        axes, (False, True), ("one batch after the other", "continuous: a row that ends makes room"), strict=True
    ):
        placed = serve_together(LENGTHS, ARRIVALS, 3, is_continuous)
        end = max(stop for _, _, stop in placed)
        for slot in range(3):
            axis.barh(slot, end, color="#eeeeee", height=0.8)
        for text, (slot, start, stop) in enumerate(placed):
            axis.barh(slot, stop - start, left=start, height=0.8, color=plt.get_cmap("tab10")(text % 10), edgecolor="white")
            axis.text((start + stop) / 2, slot, "ABCDEFGHI"[text], ha="center", va="center", color="white", fontweight="bold")
        used = sum(LENGTHS) / (3 * end)
        axis.set_title(f"{title}: {end} steps, {used:.0%} of the rows used", loc="left", fontsize=11)
        axis.set_yticks(range(3), ["row 1", "row 2", "row 3"])
        axis.invert_yaxis()
    axes[-1].set_xlabel("step")
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {"batching": batching, "softmax": softmax, "perplexity": perplexity, "continuous": continuous}


def main() -> int:
    """Draw the pictures that are named, or all."""
    names = sys.argv[1:] or list(PICTURES)
    if unknown := set(names) - set(PICTURES):
        print(f"error: no such picture: {', '.join(sorted(unknown))}: choose from {', '.join(PICTURES)}", file=sys.stderr)
        return 1
    for name in names:
        figure = PICTURES[name]()
        figure.savefig(FOLDER / f"{name}.png", dpi=110, metadata={"Software": None})
        plt.close(figure)
        print(f"docs/explanation/{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
