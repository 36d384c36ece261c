"""The picture of the section `records`: validation perplexity against minutes of training, a panel for each text."""

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator
from PIL import Image

from lstm_lm.ui import png

COLORS = ("#1f77b4", "#888888", "#ff7f0e", "#2ca02c", "#d62728")  # ours first
WIDTH, HEIGHT, DPI = 6.4, 3.0, 100  # inches of a panel, dots per inch
PALETTE = 64  # colors of the PNG
SHOWN = 2.0  # perplexities up to so many times the worst last one
LINE = 0.1  # height of a label, as a fraction of the panel's


def save(results: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw the curves of each text.

    Args:
        results: {text: {"systems": [{"short": name, "curve": [(minutes, perplexity), ...]}, ...]}}
        path: the PNG.
    """
    with plt.rc_context({"font.size": 14, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(len(results), 1, figsize=(WIDTH, HEIGHT * len(results)), layout="constrained", squeeze=False)
        for axis, (name, facts) in zip(axes[:, 0], results.items(), strict=True):
            _draw(axis, [system for system in facts["systems"] if system["curve"]])
            axis.set_title(name.replace("`", ""), loc="left", fontsize=14)
        axes[-1, 0].set_xlabel("minutes of training")
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=DPI)
        plt.close(figure)
    path.write_bytes(png.encode(Image.open(buffer), PALETTE))


def _draw(axis: Axes, systems: Sequence[Mapping[str, Any]]) -> None:
    """Draw the curves, each with its name at its end."""
    axis.set_ylabel("validation perplexity")
    if not systems:
        return
    lasts = [system["curve"][-1][1] for system in systems]
    axis.set_yscale("log")
    axis.set_ylim(min(min(y for _, y in system["curve"]) for system in systems) * 0.95, max(lasts) * SHOWN)
    axis.set_xlim(0, max(system["curve"][-1][0] for system in systems))
    for system, color in zip(systems, COLORS, strict=False):
        axis.plot(*zip(*system["curve"], strict=True), color=color, linewidth=3 if system is systems[0] else 1.8, clip_on=True)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.yaxis.set_minor_locator(NullLocator())
    to_fraction = axis.transData + axis.transAxes.inverted()
    ends = [float(to_fraction.transform((0, last))[1]) for last in lasts]
    for system, color, last, y in zip(systems, COLORS, lasts, spread(ends, LINE), strict=False):
        weight = "bold" if system is systems[0] else "normal"
        value = f"{last:.0f}" if last >= 100 else f"{last:.3g}"  # perplexities of characters are below 10
        axis.text(1.02, y, f"{system['short']} {value}", transform=axis.transAxes, color=color, va="center", fontweight=weight)


def spread(places: Sequence[float], distance: float) -> list[float]:
    """Move places apart, keeping their order, so that neighbors have at least a distance: from the lowest one up."""
    moved = list(places)
    order = sorted(range(len(places)), key=lambda place: places[place])
    for lower, upper in itertools.pairwise(order):
        moved[upper] = max(moved[upper], moved[lower] + distance)
    return moved
