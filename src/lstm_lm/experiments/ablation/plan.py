"""ablation.yaml: which changes and presets are run, with which seeds."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from lstm_lm.config import keys, loading, messages, presets, standard_corpora
from lstm_lm.config.schema import Section
from lstm_lm.errors import UserError
from lstm_lm.tracking import text_source

REFERENCE = "default"  # params.yaml as it stands
ENTRY_NAME = r"[a-z0-9][a-z0-9-]*"

Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Change(Section):
    """One change of ablation.yaml: the parameters it sets, what it means, and where the idea comes from."""

    set: dict[str, Any]
    why: str
    source: str


class AblationFile(Section):
    """The schema of ablation.yaml."""

    seeds: Annotated[list[Seed], Field(min_length=1)]
    fixed: dict[str, Any]
    presets: list[str]
    changes: dict[str, Change]

    @model_validator(mode="after")
    def _names_are_plain(self) -> Self:
        for name in self.changes:
            if not re.fullmatch(ENTRY_NAME, name) or name == REFERENCE:
                raise ValueError(f"changes: {name}: a name consists of lower case letters, digits and '-', and is not {REFERENCE}")
        return self

    @model_validator(mode="after")
    def _changes_change_something(self) -> Self:
        for name, change in self.changes.items():
            if all(key in self.fixed and self.fixed[key] == value for key, value in change.set.items()):
                raise ValueError(f"changes: {name}: set: changes nothing")
        return self

    @model_validator(mode="after")
    def _seeds_are_in_seeds(self) -> Self:
        for where, values in (("fixed", self.fixed), *((f"changes: {name}: set", change.set) for name, change in self.changes.items())):
            if "train.seed" in values:
                raise ValueError(f"{where}: train.seed: use seeds instead")
        return self


@dataclass(frozen=True)
class Entry:
    """One row of a table.

    Attributes:
        name: of the row, and of its results.
        label: what the table shows as its name.
        changes: of params.yaml, `{"train.epochs": 10, ...}`.
        why, source: what the change means, and where the idea comes from.
        unit: `vocab.unit` of the model.
        text: name of the text.
        missing: what of the text is not in data/own, as a sentence; None: nothing.
    """

    name: str
    label: str
    changes: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    source: str = ""
    unit: str = "word"
    text: str = ""
    missing: str | None = None


@dataclass(frozen=True)
class Plan:
    """What ablation.yaml says.

    Attributes:
        seeds: one training for each.
        fixed: changes of params.yaml in all ablations; presets run without them.
        entries: the ablations, the reference first.
        presets: the presets to run.
    """

    seeds: list[int]
    fixed: dict[str, Any]
    entries: list[Entry]
    presets: list[Entry]


def load(path: str | Path, values: dict[str, Any]) -> Plan:
    """Read ablation.yaml and check each of its entries against params.yaml.

    Args:
        path: the file.
        values: of params.yaml, as `loading.read` returns them.
    Raises:
        UserError: one line with the key, its value and what is allowed.
    """
    file = messages.validate(AblationFile, loading.read(path, AblationFile), path)
    entries = [Entry(REFERENCE, REFERENCE)]
    entries += [Entry(name, name, change.set, change.why, change.source) for name, change in file.changes.items()]
    for entry in entries:
        changed = keys.with_changes(values, {**file.fixed, **entry.changes})
        loading.check(changed, f"params.yaml with {path} ({entry.name})")
    return Plan(distinct(file.seeds), file.fixed, entries, [_preset_entry(name, values) for name in file.presets])


def _preset_entry(name: str, values: dict[str, Any]) -> Entry:
    changes = {} if name == REFERENCE else presets.load(name)
    changed = keys.with_changes(values, changes)
    settings = loading.check(changed, f"params.yaml with presets/{name}.yaml")
    return Entry(
        f"preset {name}",
        name,
        changes,
        unit=settings.vocab.unit,
        text=text_source.name(changed["download"]["source"]),
        missing=standard_corpora.missing_text_line(settings.download.source),
    )


def distinct(seeds: list[int]) -> list[int]:
    """Return the seeds without repetitions, in their order.

    Raises:
        UserError: a seed is negative.
    """
    for seed in seeds:
        if seed < 0:
            raise UserError(f"SEEDS={seed}: must be an integer from 0")
    return list(dict.fromkeys(seeds))
