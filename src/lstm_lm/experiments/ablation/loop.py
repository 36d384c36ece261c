"""The loop over ablations or presets: run what has no up-to-date result, and write the table."""

import datetime
from dataclasses import dataclass
from typing import Any

from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError
from lstm_lm.experiments import runner
from lstm_lm.experiments.ablation import plan, results, tables
from lstm_lm.experiments.ablation.plan import Entry, Plan
from lstm_lm.experiments.ablation.results import Result, Results
from lstm_lm.ui import markdown, terminal
from lstm_lm.wording import counted, joined

FILE = "ablation.yaml"
RESULTS_FILE = "reports/ablation.json"
# The sections of the pages have the names of the tables.
PAGES = {"ablation": "docs/reference/ablation.md", "presets": "docs/reference/results.md"}


@dataclass(frozen=True)
class Job:
    """A training of an entry with one seed.

    Attributes:
        entry: of the plan.
        seed: of the training.
        changes: of params.yaml, the seed included.
        key: digest of everything that shapes the result.
    """

    entry: Entry
    seed: int
    changes: dict[str, Any]
    key: str

    @property
    def experiment_name(self) -> str:
        name = self.entry.name.replace(" ", "-")
        return f"{name if name.startswith('preset-') else f'ablation-{name}'}-seed{self.seed}"


def run(presets: bool = False, only: list[str] | None = None, seeds: list[int] | None = None, table_only: bool = False) -> None:
    """Run ablations or presets as DVC experiments and write their table.

    Args:
        presets: run the presets that ablation.yaml names, in place of its changes.
        only: names of the entries to run; the table shows the others too, as far as they have results. None: all.
        seeds: in place of those of ablation.yaml.
        table_only: run nothing, write the table.
    Raises:
        UserError: a mistake in a file or an argument, or an experiment failed, or the text of one that `only` names is missing. The
            others have run then.
    """
    values = loading.read("params.yaml")
    loading.check(values)
    planned = plan.load(FILE, values)
    chosen_seeds = plan.distinct(seeds) if seeds else planned.seeds
    entries = planned.presets if presets else planned.entries
    wanted = _wanted(entries, only)
    jobs = _jobs(entries, {} if presets else planned.fixed, chosen_seeds, values)
    known = Results(RESULTS_FILE)
    asked = [job for job in jobs if job.entry in wanted]
    due = [] if table_only else [job for job in asked if not _is_current(job, known)]
    left_out = _texts_missing(due)
    pending = [job for job in due if not job.entry.missing]
    if left_out and only and not pending and due == asked:  # no result to show either
        raise UserError("; ".join(left_out))
    for line in left_out:
        terminal.note(line)
    table_keys = {(job.entry.name, job.seed): job.key for job in jobs}

    name = "presets" if presets else "ablation"
    for number, job in enumerate(pending, 1):
        terminal.heading(f"{number} of {len(pending)}: {job.entry.name}, seed {job.seed}")
        experiment, _ = runner.run(job.changes, job.experiment_name)
        known.put(job.entry.name, job.seed, Result.of_experiment(experiment, job.key))
        _write(name, planned, chosen_seeds, known, table_keys)  # after each, so that an interruption leaves a table
    _write(name, planned, chosen_seeds, known, table_keys)
    shown = [entry for entry in entries if entry in wanted or entry.name == plan.REFERENCE]
    tables.show(tables.COLUMNS[name], tables.make_rows(shown, chosen_seeds, known, table_keys), PAGES[name])
    terminal.print(f"\n{len(pending)} run; the table is in {PAGES[name]}, its data in {RESULTS_FILE}")
    if outdated := sum(row.outdated for row in tables.make_rows(entries, chosen_seeds, known, table_keys)):
        rows = counted(outdated, "row with a * is", "rows with a * are")
        terminal.print(f"its {rows} of an earlier state of the code, the text or the parameters, and cannot be compared with the others")
    if left_out and only:
        raise UserError("; ".join(left_out))  # once more: the notes may be hours above


def _texts_missing(jobs: list[Job]) -> list[str]:
    """Return a sentence for each text that is not in data/own, with the entries that are left out for it."""
    labels: dict[str, list[str]] = {}
    for job in jobs:
        if job.entry.missing and job.entry.label not in labels.setdefault(job.entry.missing, []):
            labels[job.entry.missing].append(job.entry.label)
    return [f"left out {joined(entries)}: {missing}" for missing, entries in labels.items()]


def _wanted(entries: list[Entry], only: list[str] | None) -> list[Entry]:
    labels = [entry.label for entry in entries]
    for name in only or []:
        if name not in labels:
            raise UserError(f"ONLY={name}: {FILE} has no such name; the names are {', '.join(labels)}")
    return [entry for entry in entries if only is None or entry.label in only]


def _jobs(entries: list[Entry], fixed: dict[str, Any], seeds: list[int], values: dict[str, Any]) -> list[Job]:
    """List all trainings: first those of the first seed, so that a partial table has complete columns."""
    jobs = []
    for seed in seeds:
        for entry in entries:
            changes = {**fixed, **entry.changes, "train.seed": seed}
            jobs.append(Job(entry, seed, changes, results.key_of(keys.with_changes(values, changes))))
    return jobs


def _is_current(job: Job, known: Results) -> bool:
    result = known.get(job.entry.name, job.seed)
    return result is not None and result.key == job.key


def _write(name: str, planned: Plan, seeds: list[int], known: Results, table_keys: tables.Keys) -> None:
    if name == "presets":
        text = tables.preset_table(planned.presets, seeds, known, table_keys)
    else:
        text = tables.ablation_table(planned, seeds, known, table_keys)
    try:
        markdown.write(PAGES[name], name, f"{text}\n\nWritten {datetime.date.today()}.")
    except ValueError as error:
        raise UserError(f"docs/reference/{error}") from None
