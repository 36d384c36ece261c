"""Tables of what one change at a time does to the figures, from DVC experiments.

The figures of each experiment are kept in a small JSON file, with a digest of all that made them: what is there is not run again, and a
table can be written of a part of the experiments.
"""

import csv
import io
import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from lstm_lm.config import keys, loading, presets
from lstm_lm.errors import UserError
from lstm_lm.io import hashing, scratch
from lstm_lm.model.shape import Shape, count_parameters

REFERENCE = "default"
KEYS = {"seeds": list, "common": dict, "changes": dict, "presets": list}
ENTRY = {"set": dict, "why": str, "source": str}
NAME = r"[a-z0-9][a-z0-9-]*"


@dataclass(frozen=True)
class Entry:
    """One line of a table: a name, what it changes in params.yaml, why, and where the idea is from."""

    name: str
    changes: dict
    why: str = ""
    source: str = ""


@dataclass(frozen=True)
class Plan:
    """What ablation.yaml says. entries: list of Entry, the reference first; presets: list of names. common: changed in all ablations."""

    seeds: list
    common: dict
    entries: list
    presets: list


def load(path, values):
    """Read the file and hold it against params.yaml.

    Args:
        values: of params.yaml, as `params.read` gives them.
    Raises:
        UserError: one line: the key, its value and what is allowed.
    """
    import re

    read = loading.read(path)
    for key in (*read, *KEYS):
        if key not in KEYS:
            raise UserError(f"{path}: {key}: unknown key (known: {', '.join(KEYS)})")
        if not isinstance(read.get(key), KEYS[key]):
            wanted = "a list" if KEYS[key] is list else "keys and values"
            raise UserError(f"{path}: {key}: must be {wanted}, but is {json.dumps(read.get(key), default=str)}")
    seeds = check_seeds(f"{path}: seeds", read["seeds"])
    entries = [Entry(REFERENCE, {})]
    for name, entry in read["changes"].items():
        if not re.fullmatch(NAME, str(name)) or name == REFERENCE:
            raise UserError(f"{path}: changes: {name}: a name has small letters, digits and '-', and is not {REFERENCE}")
        if not isinstance(entry, dict) or set(entry) != set(ENTRY) or not all(isinstance(entry[key], kind) for key, kind in ENTRY.items()):
            raise UserError(f"{path}: changes: {name}: must have set (parameters and their values), why and source (a line each)")
        if not entry["set"] or entry["set"] == {key: read["common"].get(key) for key in entry["set"]}:
            raise UserError(f"{path}: changes: {name}: set: changes nothing")
        entries.append(Entry(name, entry["set"], entry["why"], entry["source"]))
    for entry in entries:
        every = {**read["common"], **entry.changes}
        for name in every:
            if name == "train.seed":
                raise UserError(f"{path}: {entry.name}: train.seed: give seeds instead")
        loading.check(keys.with_changes(values, every), f"params.yaml with {path} ({entry.name})")
    for name in read["presets"]:
        if name != REFERENCE:
            loading.check(keys.with_changes(values, presets.load(name)), f"params.yaml with presets/{name}.yaml")
    return Plan(seeds, read["common"], entries, read["presets"])


def check_seeds(where, seeds):
    if not seeds or not all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds):
        raise UserError(f"{where} = {json.dumps(seeds, default=str)}: must be whole numbers from 0")
    return list(dict.fromkeys(seeds))


def preset_entries(names):
    """The Entries of some presets; `default` is params.yaml as it stands."""
    return [Entry(name, {} if name == REFERENCE else presets.load(name)) for name in names]


def key_of(values):
    """A digest of all that shapes an experiment's figures: parameters, code, and the user's own text.

    Args:
        values: of params.yaml with the experiment's changes.
    """
    sections = {section: of for section, of in values.items() if section != "tracking"}
    stages = loading.read("dvc.yaml")["stages"]
    code = {path: hashing.digest(path) for stage in stages.values() for path in stage["deps"] if path.endswith(".py")}
    own = hashing.digest("data/own") if "path" in values["download"]["source"] else None
    return scratch.key_of(sections, code, own)


class Results:
    """The file of figures: {name: {seed: {"key", "experiment", "figures", "minutes", "words_per_second", "weights"}}}."""

    def __init__(self, path):
        self.path = Path(path)
        self.values = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def get(self, name, seed):
        return self.values.get(name, {}).get(str(seed))

    def put(self, name, seed, facts):
        self.values.setdefault(name, {})[str(seed)] = facts
        self.path.parent.mkdir(exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(self.path)


def facts_of(experiment, key):
    """What the tables need of an `experiments.Experiment`."""
    minutes, speed = training_time(experiment.read("models/history.csv"))
    shape = json.loads(experiment.read("models/weights/config.json"))["shape"]
    return {
        "key": key,
        "experiment": experiment.name,
        "figures": experiment.metrics(),
        "minutes": round(minutes, 3),
        "words_per_second": round(speed),
        "weights": count_parameters(Shape(**shape)),
    }


def training_time(history):
    """(minutes of training alone, median words per second) of the text of a history.csv."""
    rows = list(csv.DictReader(io.StringIO(history)))
    seen, seconds = 0, 0.0
    for row in rows:
        seconds += (int(row["words_seen"]) - seen) / float(row["words_per_second"])
        seen = int(row["words_seen"])
    return seconds / 60, statistics.median(float(row["words_per_second"]) for row in rows)


def interval(figures):
    """(low, high) of the perplexity of one split, as reports/metrics.json has it, or None if it has none."""
    if "perplexity_low" in figures and "perplexity_high" in figures:
        return figures["perplexity_low"], figures["perplexity_high"]
    found = figures.get("perplexity_interval")
    return tuple(found) if found else None


def spread(found, split):
    """A perplexity as text: the mean and least..most over seeds, or with one seed the interval, if there is one."""
    values = [facts["figures"][split]["perplexity"] for facts in found]
    between = (min(values), max(values)) if len(values) > 1 else interval(found[0]["figures"][split])
    return f"{statistics.fmean(values):.1f}" + (f" ({between[0]:.1f}..{between[1]:.1f})" if between else "")


def change(found, reference, split="validation"):
    """Mean over the seeds that both have of the perplexity's change against the reference, as text."""
    both = sorted(set(found) & set(reference))
    if not both:
        return None
    ratios = [found[seed]["figures"][split]["perplexity"] / reference[seed]["figures"][split]["perplexity"] for seed in both]
    return f"{statistics.fmean(ratios) - 1:+.1%}"


def _of(results, entry, seeds):
    return {seed: facts for seed in seeds if (facts := results.get(entry.name, seed))}


def _name(entry, found, keys):
    """The name, marked if the figures are of another state of the code, the text or the parameters than that of now."""
    old = any(facts["key"] != keys[entry.name, seed] for seed, facts in found.items())
    return entry.name + (" *" if old else ""), old


def ablation_table(plan, seeds, results, keys, table):
    """The Markdown of docs/ablation.md.

    Args:
        seeds: list of those that count.
        results: Results.
        keys: {(name, seed): `key_of` now}.
        table: a function of heads and rows that makes Markdown.
    """
    reference = _of(results, plan.entries[0], seeds)
    rows, outdated = [], False
    for entry in plan.entries:
        found = _of(results, entry, seeds)
        if not found:
            continue
        name, old = _name(entry, found, keys)
        outdated |= old
        rows.append(
            [
                name,
                ", ".join(f"`{key}: {_short(value)}`" for key, value in entry.changes.items()) or "params.yaml as it stands",
                spread(list(found.values()), "validation"),
                "" if entry.name == REFERENCE else change(found, reference),
                spread(list(found.values()), "test"),
                f"{statistics.fmean(facts['minutes'] for facts in found.values()):.1f}",
                _weights(found),
                len(found),
                "; ".join(filter(None, (entry.why, entry.source))),
            ]
        )
    heads = ["", "change", "validation perplexity", "to the default", "test perplexity", "minutes", "weights", "seeds", "why, source"]
    common = ", ".join(f"`{key}: {_short(value)}`" for key, value in plan.common.items())
    notes = [f"All of them, the default too, with {common}." if common else "", _LEGEND, _OUTDATED if outdated else ""]
    return table(heads, rows) + "\n\n" + " ".join(filter(None, notes))


def preset_table(entries, seeds, results, keys, table):
    """The Markdown of the presets in docs/results.md; arguments as of `ablation_table`."""
    rows, outdated = [], False
    for entry in entries:
        found = _of(results, Entry(f"preset {entry.name}", {}), seeds)
        if not found:
            continue
        old = any(facts["key"] != keys[f"preset {entry.name}", seed] for seed, facts in found.items())
        outdated |= old
        each = list(found.values())
        rows.append(
            [
                entry.name + (" *" if old else ""),
                spread(each, "test"),
                f"{_mean(each, 'adjusted_perplexity'):.1f}",
                f"{_mean(each, 'bits_per_character'):.3f}",
                spread(each, "validation"),
                f"{statistics.fmean(facts['minutes'] for facts in each):.1f}",
                f"{statistics.fmean(facts['words_per_second'] for facts in each):,.0f}",
                _weights(found),
                len(found),
            ]
        )
    heads = ["preset", "test perplexity", "adjusted", "bits/char", "validation perplexity", "minutes", "words/s", "weights", "seeds"]
    return table(heads, rows) + "\n\n" + " ".join(filter(None, [_LEGEND, _OUTDATED if outdated else ""]))


_LEGEND = (
    "Perplexities: with several seeds the mean and the least and most of them; with one its interval, where there is one. "
    "Minutes are those of the training's steps alone."
)
_OUTDATED = "Lines with a * were run with an earlier state of the code, the text or the parameters."


def _mean(found, figure):
    return statistics.fmean(facts["figures"]["test"][figure] for facts in found)


def _weights(found):
    weights = next(iter(found.values()))["weights"]
    return None if weights is None else f"{weights:,}"


def _short(value):
    return json.dumps(value) if not isinstance(value, str) else value
