"""The tables of ablations and presets, in Markdown and on the terminal."""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lstm_lm.experiments.ablation.plan import REFERENCE, Entry, Plan
from lstm_lm.experiments.ablation.results import Result, Results
from lstm_lm.ui import markdown, terminal
from lstm_lm.wording import unit_name

LEGEND = (
    "Perplexity: with several seeds the mean (minimum..maximum), with one seed its 95% interval. "
    "Minutes are those of the training steps alone."
)
UNITS = "Perplexity is per token, which the column `per` names: between models of different tokens, only bits/char can be compared."
TEXTS = "Results compare only on the same text, which the column `text` names."
OUTDATED = (
    "Rows with a * were run with an earlier state of the code, the text or the parameters: they do not compare with the others, "
    "and have no change from default."
)

Keys = dict[tuple[str, int], str]  # (entry name, seed): what `results.key_of` returns now
Cell = str | int | None


@dataclass(frozen=True)
class Row:
    """What a row of a table is made from.

    Attributes:
        entry: of the plan.
        results: of the entry, by seed; at least one.
        reference: results of the reference, by seed, without those of another state than the present one.
        outdated: some of the results are of another state of the code, the text or the parameters.
    """

    entry: Entry
    results: dict[int, Result]
    reference: dict[int, Result]
    outdated: bool

    @property
    def all_results(self) -> list[Result]:
        return list(self.results.values())

    def mean_metric(self, name: str, split: str = "test") -> float:
        return statistics.fmean(result.metrics[split][name] for result in self.all_results)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: of the column.
        cell: makes a cell from a row.
        drop_order: on the terminal, as of `terminal.Column`; None: the terminal does not show it.
    """

    heading: str
    cell: Callable[[Row], Cell]
    drop_order: int | None = None


def ablation_table(plan: Plan, seeds: list[int], results: Results, keys: Keys) -> str:
    """Make the table of docs/reference/ablation.md.

    Args:
        plan: of ablation.yaml.
        seeds: those that count.
        results: of all experiments so far.
        keys: what shapes each experiment now.
    """
    fixed = f"All of them, the default too, with {_settings(plan.fixed)}." if plan.fixed else ""
    return _table(ABLATION_COLUMNS, make_rows(plan.entries, seeds, results, keys), fixed)


def preset_table(entries: list[Entry], seeds: list[int], results: Results, keys: Keys) -> str:
    """Make the table of presets of docs/reference/results.md; the arguments are those of `ablation_table`."""
    rows = make_rows(entries, seeds, results, keys)
    notes = [TEXTS if len({row.entry.text for row in rows}) > 1 else "", UNITS if len({row.entry.unit for row in rows}) > 1 else ""]
    return _table(PRESET_COLUMNS, rows, " ".join(filter(None, notes)))


def make_rows(entries: list[Entry], seeds: list[int], results: Results, keys: Keys) -> list[Row]:
    """Collect the rows: the entries that have results for some of the seeds."""
    all_references = results.of_entry(REFERENCE, seeds)
    reference = {seed: result for seed, result in all_references.items() if result.key == keys.get((REFERENCE, seed))}
    rows = []
    for entry in entries:
        if entry_results := results.of_entry(entry.name, seeds):
            outdated = any(result.key != keys[entry.name, seed] for seed, result in entry_results.items())
            rows.append(Row(entry, entry_results, reference, outdated))
    return rows


def show(columns: list[Column], rows: list[Row], page: str) -> None:
    """Print the rows that are of the present state of the code, the text and the parameters.

    Args:
        columns: ABLATION_COLUMNS or PRESET_COLUMNS.
        rows: of `make_rows`.
        page: that has all columns.
    """
    current = [row for row in rows if not row.outdated]
    shown = [column for column in columns if column.drop_order is not None]
    if not current:
        return
    terminal.print()
    terminal.table(
        [terminal.Column(column.heading, "right" if i else "left", column.drop_order or 0) for i, column in enumerate(shown)],
        [[str(column.cell(row) or "") for column in shown] for row in current],
        where=page,
    )


def _table(columns: list[Column], rows: list[Row], note: str = "") -> str:
    cells = [[column.cell(row) for column in columns] for row in rows]
    notes = [note, LEGEND, OUTDATED if any(row.outdated for row in rows) else ""]
    return markdown.table([column.heading for column in columns], cells) + "\n\n" + " ".join(filter(None, notes))


def _name(row: Row) -> str:
    return f"{row.entry.label} *" if row.outdated else row.entry.label


def _changes(row: Row) -> str:
    return _settings(row.entry.changes) or "params.yaml unchanged"


def _settings(values: dict[str, Any]) -> str:
    return ", ".join(f"`{key}: {value if isinstance(value, str) else json.dumps(value)}`" for key, value in values.items())


def _perplexity(split: str) -> Callable[[Row], str]:
    """The mean perplexity, and in parentheses the range over the seeds, or for one seed the bootstrap interval if there is one."""

    def cell(row: Row) -> str:
        splits = [result.metrics[split] for result in row.all_results]
        values = [metrics["perplexity"] for metrics in splits]
        low, high = min(values), max(values)
        if len(values) == 1:
            low, high = splits[0].get("perplexity_low"), splits[0].get("perplexity_high")
        return f"{statistics.fmean(values):.1f}" + ("" if low is None else f" ({low:.1f}..{high:.1f})")

    return cell


def _change_from_reference(row: Row) -> str | None:
    """The relative change of the validation perplexity, a mean over the seeds that both have. Another text or code has none."""
    both = sorted(set(row.results) & set(row.reference))
    if row.entry.name == REFERENCE or row.outdated or not both:
        return None
    perplexities = [[results[seed].metrics["validation"]["perplexity"] for seed in both] for results in (row.results, row.reference)]
    return f"{statistics.fmean(own / other for own, other in zip(*perplexities, strict=True)) - 1:+.1%}"


def _minutes(row: Row) -> str:
    return f"{statistics.fmean(result.minutes for result in row.all_results):.1f}"


def _speed(row: Row) -> str:
    return f"{statistics.fmean(result.words_per_second for result in row.all_results):,.0f}"


def _weights(row: Row) -> str:
    return f"{row.all_results[0].weights:,}"


def _seeds(row: Row) -> int:
    return len(row.results)


ABLATION_COLUMNS = [
    Column("", _name, 0),
    Column("change", _changes),
    Column("validation perplexity", _perplexity("validation"), 0),
    Column("change from default", _change_from_reference, 0),
    Column("test perplexity", _perplexity("test"), 3),
    Column("minutes", _minutes, 1),
    Column("weights", _weights, 4),
    Column("seeds", _seeds, 2),
    Column("why, source", lambda row: "; ".join(filter(None, (row.entry.why, row.entry.source)))),
]
PRESET_COLUMNS = [
    Column("preset", _name, 0),
    Column("text", lambda row: row.entry.text, 4),
    Column("bits/char", lambda row: f"{row.mean_metric('bits_per_character'):.3f}", 0),
    Column("per", lambda row: unit_name(row.entry.unit, 1), 0),
    Column("test perplexity", _perplexity("test"), 0),
    Column("adjusted", lambda row: f"{row.mean_metric('adjusted_perplexity'):.1f}", 2),
    Column("validation perplexity", _perplexity("validation"), 3),
    Column("minutes", _minutes, 1),
    Column("tokens/s", _speed),
    Column("weights", _weights),
    Column("seeds", _seeds),
    Column("machine", lambda row: "; ".join(dict.fromkeys(result.machine for result in row.all_results if result.machine))),
]
COLUMNS = {"ablation": ABLATION_COLUMNS, "presets": PRESET_COLUMNS}
