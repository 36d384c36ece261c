"""search.yaml: which parameters are searched, within which limits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args

from pydantic import Discriminator, Field, PlainValidator, Tag, model_validator
from pydantic_core import PydanticCustomError

from lstm_lm.config import keys, loading, messages
from lstm_lm.config.schema import Count, Params, Section
from lstm_lm.errors import UserError

if TYPE_CHECKING:
    from optuna.trial import Trial

SECTIONS = ("batching", "model", "train")  # whose parameters can be searched
FILE = "search.yaml"
VALUES = "values"  # the attribute of a trial that has its values, by dotted name
SIGNIFICANT_DIGITS = 4  # of a proposed number, which people will read in a preset


def _check_number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PydanticCustomError("number", "must be a number")
    return value


def _check_choice(value: Any) -> Any:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise PydanticCustomError("choice", "must be a number, a word, true, false or null")
    return value


Number = Annotated[int | float, PlainValidator(_check_number)]
Choice = Annotated[Any, PlainValidator(_check_choice)]


class Choices(Section):
    """One of a few values."""

    choices: Annotated[list[Choice], Field(min_length=1)]


class Range(Section):
    """A number between two others: any, or with a step only some, or with equal probability for equal ratios (log)."""

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low:g}: must be below high = {self.high:g}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError(f"log: true needs a low above 0 and no step (low = {self.low:g}, step = {messages.as_json(self.step)})")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError(f"step = {self.step:g}: must be above 0 and at most high - low = {self.high - self.low:g}")
        return self


class Tied(Section):
    """Always the value of another parameter."""

    tied_to: str


def _entry_type(value: Any) -> str | None:
    for key, model in (("choices", Choices), ("low", Range), ("high", Range), ("tied_to", Tied)):
        if isinstance(value, model) or (isinstance(value, dict) and key in value):
            return model.__name__
    return None


Entry = Annotated[
    Annotated[Choices, Tag("Choices")] | Annotated[Range, Tag("Range")] | Annotated[Tied, Tag("Tied")],
    Discriminator(
        _entry_type,
        custom_error_type="entry",
        custom_error_message="must be {choices: [...]}, {low: ..., high: ...} with log: true or a step, or {tied_to: another parameter}",
    ),
]


class SearchFile(Section):
    """The schema of search.yaml."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    trials: Count
    validations_per_trial: Count
    startup_trials: Annotated[int, Field(ge=0, lt=2**31)]
    fixed: dict[str, Any]
    space: dict[str, Entry]

    @model_validator(mode="after")
    def _each_parameter_once(self) -> Self:
        for name in self.space:
            if name in self.fixed:
                raise ValueError(f"{name}: is in both fixed and space: remove it from one of them")
        return self

    @model_validator(mode="after")
    def _tied_to_a_searched_parameter(self) -> Self:
        searched = [name for name, entry in self.space.items() if not isinstance(entry, Tied)]
        if not searched:
            raise ValueError("space: has no parameter to search")
        for name, entry in self.space.items():
            if isinstance(entry, Tied) and entry.tied_to not in searched:
                raise ValueError(f"space.{name}.tied_to = {entry.tied_to}: must be another parameter of the space, with a range or choices")
        return self


@dataclass(frozen=True)
class Parameter:
    """One searched parameter: choices, or a range.

    Attributes:
        name: dotted.
        choices: the values, or () for a range.
        low, high: the ends of a range, both inclusive.
        log: values are drawn on a logarithmic scale.
        step: between the values of a range; None: any value, or for integers 1.
        is_integer: params.yaml takes whole numbers only.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None
    is_integer: bool = False

    @property
    def ends(self) -> tuple[Any, ...]:
        """The choices, or the two ends of the range."""
        return self.choices or (self.low, self.high)

    @property
    def limits(self) -> str:
        """What it can be, in words: `16, 32, 64`, `0.002 to 0.02`."""
        if self.choices:
            return ", ".join(map(messages.as_json, self.choices))
        return f"{self.low:g} to {self.high:g}" + (f" in steps of {self.step:g}" if self.step else "")

    def suggest(self, trial: "Trial") -> Any:
        """Return the value that a trial proposes."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.is_integer:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        value = trial.suggest_float(self.name, self.low, self.high, log=self.log, step=self.step)
        return min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), self.low), self.high)

    def contains(self, value: Any) -> bool:
        """Whether the value is one that a trial can propose."""
        if self.choices:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return math.isclose(steps, round(steps), abs_tol=1e-9)


@dataclass(frozen=True)
class Space:
    """What search.yaml says.

    Attributes:
        seed: of the proposals.
        trials: how many to run.
        validations_per_trial: how often a trial is judged, and can be pruned.
        startup_trials: the first trials, drawn at random and never pruned.
        fixed: changes of params.yaml in all trials, by dotted name.
        parameters: those that are searched.
        tied_to: {name: the searched parameter whose value it takes}.
    """

    seed: int
    trials: int
    validations_per_trial: int
    startup_trials: int
    fixed: dict[str, Any]
    parameters: list[Parameter]
    tied_to: dict[str, str]

    @property
    def names(self) -> list[str]:
        """All parameters that differ between trials."""
        return [*(parameter.name for parameter in self.parameters), *self.tied_to]

    def propose(self, trial: "Trial") -> dict[str, Any]:
        """Return the values that a trial proposes, by dotted name; those that it was enqueued with, if there are any."""
        if (enqueued := trial.user_attrs.get(VALUES)) is None:
            return self.with_tied({parameter.name: parameter.suggest(trial) for parameter in self.parameters})
        values: dict[str, Any] = dict(enqueued)
        inside = self.inside(values)
        for parameter in self.parameters:
            if parameter.name in inside:  # the study learns from these
                parameter.suggest(trial)
        return values

    def with_tied(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Add the tied parameters to values of the searched ones."""
        return {**values, **{name: values[other] for name, other in self.tied_to.items()}}

    def current(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values in params.yaml of all parameters that differ between trials, by dotted name.

        Args:
            values: of params.yaml, as `loading.read` returns them.
        """
        flat = keys.flatten_sections(values)
        return {name: flat[name] for name in self.names}

    def inside(self, values: Mapping[str, Any]) -> set[str]:
        """Return the names of the searched parameters whose values a trial can propose.

        Args:
            values: by dotted name.
        """
        return {parameter.name for parameter in self.parameters if parameter.contains(values[parameter.name])}

    @property
    def limits(self) -> dict[str, str]:
        """What each parameter that differs between trials can be, in words, by dotted name."""
        searched = {parameter.name: parameter.limits for parameter in self.parameters}
        return searched | {name: f"as {other}" for name, other in self.tied_to.items()}

    def outside(self, values: Mapping[str, Any]) -> list[str]:
        """Return what no trial can propose, and what it can: `batching.batch_size = 8 (search.yaml: 16, 32, 64)`.

        Args:
            values: by dotted name.
        """
        possible = self.inside(values) | {name for name, other in self.tied_to.items() if values[name] == values[other]}
        return [
            f"{name} = {messages.as_json(values[name])} ({FILE}: {limits})" for name, limits in self.limits.items() if name not in possible
        ]


def load(path: str | Path, values: dict[str, Any]) -> Space:
    """Read search.yaml and check it against params.yaml.

    Args:
        path: the file.
        values: of params.yaml, as `loading.read` returns them.
    Raises:
        UserError: one line with the key, its value and what is allowed.
    """
    file = messages.validate(SearchFile, loading.read(path, SearchFile), path)
    for where, names in (("fixed", file.fixed), ("space", file.space)):
        for name in names:
            _check_searchable(f"{path}: {where}.{name}", name, where)
    parameters = [_parameter(f"{path}: space.{name}", name, entry) for name, entry in file.space.items() if not isinstance(entry, Tied)]
    tied_to = {name: entry.tied_to for name, entry in file.space.items() if isinstance(entry, Tied)}
    space = Space(file.seed, file.trials, file.validations_per_trial, file.startup_trials, file.fixed, parameters, tied_to)
    _check_epochs(path, file.fixed.get("train.epochs", values["train"]["epochs"]))
    _check_ends(path, space, values)
    return space


def _check_epochs(path: str | Path, epochs: Any) -> None:
    if epochs is None:
        raise UserError(
            f"params.yaml with {path}: train.epochs = null: a trial is some epochs long: set it in {path} under fixed, such as to 2"
        )


def _check_searchable(prefix: str, name: str, where: str) -> None:
    section, key = keys.split(name)
    known = {f"{each}.{field}" for each in SECTIONS for field in _fields(each)}
    if section in Params.model_fields and section not in SECTIONS:
        changes_text = section in ("download", "vocab")
        why = "perplexities of different texts or vocabularies do not compare" if changes_text else "it does not change the training"
        raise UserError(f"{prefix}: cannot be searched: {why} (searchable: parameters of {', '.join(SECTIONS)})")
    if name not in known:
        raise UserError(f"{prefix}: unknown parameter; did you mean {messages.nearest(name, sorted(known))}?")
    if name == "model.ngrams":  # mixed in after the training; trials are judged before
        raise UserError(f"{prefix}: cannot be searched: it does not change the training")
    if name == "train.minutes":
        raise UserError(f"{prefix}: cannot be searched: trials of some minutes do not compare (train.epochs says how long a trial is)")
    if where == "space" and name in ("train.seed", "train.validate_every"):
        why = "a lucky seed is not a better recipe" if key == "seed" else "validations_per_trial decides"
        raise UserError(f"{prefix}: cannot be searched: {why}")


def _fields(section: str) -> dict[str, Any]:
    """The annotations of a section of params.yaml, by key."""
    model: Any = Params.model_fields[section].annotation
    return {key: field.annotation for key, field in model.model_fields.items()}


def _parameter(prefix: str, name: str, entry: Choices | Range) -> Parameter:
    if isinstance(entry, Choices):
        return Parameter(name, choices=tuple(entry.choices))
    section, key = keys.split(name)
    types = _plain_types(_fields(section)[key])
    if not types & {int, float}:
        raise UserError(f"{prefix}: is not a number: give it choices")
    is_integer = float not in types
    numbers = [number for number in (entry.low, entry.high, entry.step) if number is not None]
    if is_integer and not all(isinstance(number, int) for number in numbers):
        raise UserError(f"{prefix} = {messages.as_json(entry.model_dump())}: low, high and step must be whole numbers")
    kind = int if is_integer else float
    return Parameter(name, (), kind(entry.low), kind(entry.high), entry.log, entry.step, is_integer)


def _plain_types(annotation: Any) -> set[type]:
    """The types that an annotation names, at any depth."""
    arguments = get_args(annotation)
    if not arguments:
        return {annotation} if isinstance(annotation, type) else set()
    return set().union(*map(_plain_types, arguments))


def _check_ends(path: str | Path, space: Space, values: dict[str, Any]) -> None:
    """Check that params.yaml could have the ends or choices of each parameter, one parameter at a time."""
    flat = keys.flatten_sections(values)
    # All other parameters keep their current value if that is inside the space, so that only the value at hand can be wrong.
    usual = {each.name: flat[each.name] if each.contains(flat[each.name]) else each.ends[0] for each in space.parameters}
    for parameter in space.parameters:
        for value in parameter.ends:
            changes = {**space.fixed, **space.with_tied({**usual, parameter.name: value})}
            where = f"params.yaml with {path} ({parameter.name} = {messages.as_json(value)})"
            _check_epochs(path, loading.check(keys.with_changes(values, changes), where).train.epochs)
