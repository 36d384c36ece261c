"""A search for better parameters: the file that says what is tried, the study that remembers the trials, and the pruning of bad ones.

Trials are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011) and pruned by the median rule (Golovin et al. 2017), both
Optuna's (Akiba et al. 2019). Only validation text is looked at.
"""

import json
import math
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from lstm_lm.config import keys, loading
from lstm_lm.config.schema import Params
from lstm_lm.data import windows
from lstm_lm.errors import UserError
from lstm_lm.events import Observer
from lstm_lm.io import arrays, hashing
from lstm_lm.io.arrays import Blocks
from lstm_lm.text import encoded, splits

SECTIONS = ("batching", "model", "train")  # whose parameters can be searched
FOLDER = ".search"
KEYS = {"seed": int, "trials": int, "reports": int, "startup_trials": int, "common": dict, "space": dict}
LEAST = {"seed": 0, "trials": 1, "reports": 1, "startup_trials": 0}
RANGE = {"low", "high", "log", "step"}
DIGITS = 4  # of a proposed number: it is written to a file that people read


@dataclass(frozen=True)
class Parameter:
    """One searched parameter: choices, or a range from low to high, of whole numbers or not."""

    name: str
    choices: tuple = ()
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    whole: bool = False

    def suggest(self, trial):
        """A value of an `optuna.Trial`."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.whole:
            return trial.suggest_int(self.name, self.low, self.high, log=self.log, step=self.step or 1)
        value = trial.suggest_float(self.name, self.low, self.high, log=self.log, step=self.step)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def holds(self, value):
        """Whether the value is one of those that are tried."""
        if self.choices:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step if self.step else 0
        return math.isclose(steps, round(steps), abs_tol=1e-9)


@dataclass(frozen=True)
class Space:
    """What a search file says.

    Attributes:
        seed: of the proposals. trials: how many. reports: validations in one trial. startup_trials: drawn at random, and never pruned.
        common: {name: value} of params.yaml that is changed in all trials.
        parameters: list of Parameter. same_as: {name: name of the searched parameter whose value it takes}.
    """

    seed: int
    trials: int
    reports: int
    startup_trials: int
    common: dict
    parameters: list
    same_as: dict

    def values(self, trial):
        """{name: value} that an `optuna.Trial` proposes, of what is searched alone."""
        found = {parameter.name: parameter.suggest(trial) for parameter in self.parameters}
        return self.linked(found)

    def linked(self, found):
        return {**found, **{name: found[other] for name, other in self.same_as.items()}}

    def as_they_stand(self, values):
        """{name: value} of the searched parameters in params.yaml, as `params.read` gives it; None, if one is outside the space."""
        flat = _flat(values)
        here = {parameter.name: flat[parameter.name] for parameter in self.parameters}
        inside = all(parameter.holds(here[parameter.name]) for parameter in self.parameters)
        return here if inside and all(flat[name] == here[other] for name, other in self.same_as.items()) else None


def load(path, values):
    """Read a search file and hold it against params.yaml.

    Args:
        path: the file.
        values: of params.yaml, as `params.read` gives them.
    Returns:
        Space
    Raises:
        UserError: one line: the key, its value and what is allowed.
    """
    read = loading.read(path)
    for key in read:
        if key not in KEYS:
            raise UserError(f"{path}: {key}: unknown key (known: {', '.join(KEYS)})")
    for key, kind in KEYS.items():
        value = read.get(key)
        if not isinstance(value, kind) or isinstance(value, bool) or (kind is int and value < LEAST[key]):
            wanted = f"a whole number from {LEAST[key]}" if kind is int else "parameters and their values"
            raise UserError(f"{path}: {key}: must be {wanted}, but is {json.dumps(value, default=str)}")
    common, space = read["common"], read["space"]
    for name in (*common, *space):
        _searchable(path, name, "common" if name in common else "space")
    if both := [name for name in space if name in common]:
        raise UserError(f"{path}: {both[0]}: stands in both common and space: take it out of one")
    same_as = {name: entry["same_as"] for name, entry in space.items() if isinstance(entry, dict) and set(entry) == {"same_as"}}
    parameters = [_parameter(path, name, entry) for name, entry in space.items() if name not in same_as]
    if not parameters:
        raise UserError(f"{path}: space: names no parameter to search")
    for name, other in same_as.items():
        if other not in {parameter.name for parameter in parameters}:
            raise UserError(f"{path}: space: {name}: same_as: {other}: must be another parameter of the space, with a range or choices")
    found = Space(read["seed"], read["trials"], read["reports"], read["startup_trials"], common, parameters, same_as)
    _check_values(path, found, values)
    return found


def _searchable(path, name, where):
    section, _, key = str(name).partition(".")
    known = Params.model_fields
    if section in known and section not in SECTIONS:
        why = (
            "another text or vocabulary makes another perplexity, which does not compare"
            if section in ("download", "vocab")
            else "it does not change what is trained"
        )
        raise UserError(f"{path}: {where}: {name}: cannot be searched: {why} (searchable: parameters of {', '.join(SECTIONS)})")
    if section not in known or key not in known[section].annotation.model_fields:
        import difflib

        every = [f"{each}.{field}" for each in SECTIONS for field in known[each].annotation.model_fields]
        near = difflib.get_close_matches(str(name), every, n=1, cutoff=0)
        raise UserError(f"{path}: {where}: {name}: unknown parameter; did you mean {near[0]}?")
    if where == "space" and name in ("train.seed", "train.validate_every"):
        why = "a lucky seed is no better recipe" if key == "seed" else "the search sets it: see reports"
        raise UserError(f"{path}: space: {name}: cannot be searched: {why}")


def _parameter(path, name, entry):
    where = f"{path}: space: {name}"
    if not isinstance(entry, dict) or not (set(entry) == {"choices"} or {"low", "high"} <= set(entry) <= RANGE):
        raise UserError(
            f"{where} = {json.dumps(entry, default=str)}: must be {{choices: [...]}}, {{low: ..., high: ...}} with log: true or a step, "
            f"or {{same_as: another parameter}}"
        )
    if "choices" in entry:
        choices = entry["choices"]
        if not isinstance(choices, list) or not choices or not all(c is None or isinstance(c, bool | int | float | str) for c in choices):
            raise UserError(f"{where}: choices = {json.dumps(choices, default=str)}: must be a list of numbers, words, true, false or null")
        return Parameter(name, choices=tuple(choices))
    section, _, key = name.partition(".")
    kinds = _kinds(Params.model_fields[section].annotation.model_fields[key].annotation)
    whole = float not in kinds
    if not kinds & {int, float}:
        raise UserError(f"{where}: is no number: give it choices")
    low, high, log, step = entry["low"], entry["high"], entry.get("log", False), entry.get("step")
    numbers = [low, high, *([step] if "step" in entry else [])]
    kind = int if whole else (int, float)
    if not all(isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value) for value in numbers):
        raise UserError(f"{where}: low, high and step must be {'whole numbers' if whole else 'numbers'}: {json.dumps(entry, default=str)}")
    if not isinstance(log, bool):
        raise UserError(f"{where}: log = {json.dumps(log, default=str)}: must be true or false")
    if low >= high:
        raise UserError(f"{where}: low = {low:g}: must be below high = {high:g}")
    if log and (low <= 0 or step is not None):
        raise UserError(f"{where}: log: true needs a low above 0 and no step (low = {low:g}, step = {step})")
    if step is not None and not 0 < step <= high - low:
        raise UserError(f"{where}: step = {step:g}: must be above 0 and at most high - low = {high - low:g}")
    if not whole:
        low, high = float(low), float(high)
    return Parameter(name, low=low, high=high, log=log, step=step, whole=whole)


def _kinds(annotation):
    """The plain types that an annotation names, at any depth."""
    parts = get_args(annotation)
    if not parts:
        return {annotation} if isinstance(annotation, type) else set()
    return set().union(*map(_kinds, parts))


def _check_values(path, space, values):
    """Each parameter's ends or choices, one parameter at a time, must be ones that params.yaml could have."""
    ends = {parameter.name: parameter.choices or (parameter.low, parameter.high) for parameter in space.parameters}
    flat = _flat(values)
    # What params.yaml says where it is inside, so that only the value at hand can be wrong.
    usual = {each.name: flat[each.name] if each.holds(flat[each.name]) else ends[each.name][0] for each in space.parameters}
    for name, tried in ends.items():
        for value in tried:
            changes = {**space.common, **space.linked({**usual, name: value})}
            loading.check(keys.with_changes(values, changes), f"params.yaml with {path} ({name} = {json.dumps(value)})")


def _flat(values):
    return {f"{section}.{key}": value for section, of_section in values.items() for key, value in of_section.items()}


def key_of(space, values, digests):
    """Names the study: {everything that shapes a trial}. Trials of another text, code, recipe or space do not compare.

    Args:
        values: of params.yaml, as `params.read` gives them.
        digests: {path: digest} of data and code.
    """
    searched = {parameter.name for parameter in space.parameters} | set(space.same_as) | set(space.common)
    fixed = {name: value for name, value in _flat(values).items() if name.startswith(SECTIONS) and name not in searched}
    described = [repr(parameter) for parameter in space.parameters]
    return hashing.digest_json(fixed, space.common, described, space.same_as, space.seed, space.reports, space.startup_trials, digests)


def open_study(folder, key, space):
    """The study of a key in `folder`, a new one or one with trials: `optuna.Study`.

    Trials that another process was killed in are closed, and tried again first.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    Path(folder).mkdir(exist_ok=True)
    # Trials have one and the same schedule, which falls to 0 at their ends: a rule that gives most of them a fraction of the steps only
    # (successive halving, Hyperband) would favour what is fast early. The median at the same share of the training is the milder one.
    pruner = optuna.pruners.MedianPruner(n_startup_trials=space.startup_trials, n_warmup_steps=0)
    storage = f"sqlite:///{(Path(folder) / 'studies.db').resolve()}"
    study = optuna.create_study(study_name=key, storage=storage, direction="minimize", pruner=pruner, load_if_exists=True)
    for left in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        give_up(study, left.number)
    return study


def give_up(study, number):
    """Close a trial that was cut short, and put its parameters first in line."""
    import optuna

    study.tell(number, state=optuna.trial.TrialState.FAIL)
    trial = study.trials[number]
    study.set_user_attr(f"cut short {number}", True)
    if trial.params:
        study.enqueue_trial(trial.params)


def ended(study):
    """The trials that came to an end of their own: complete, pruned or failed."""
    cut = {int(name.rpartition(" ")[2]) for name in study.user_attrs if name.startswith("cut short ")}
    return [trial for trial in study.trials if trial.state.is_finished() and trial.number not in cut]


def complete(study):
    """The complete trials, the best first."""
    import optuna

    return sorted(study.get_trials(states=[optuna.trial.TrialState.COMPLETE]), key=lambda trial: trial.value)


def ask(study, space):
    """The next `optuna.Trial`. Its proposal depends on the seed and the trials before it, not on which process ran them."""
    import optuna

    seed = int(np.random.SeedSequence([space.seed, len(study.trials)]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=space.startup_trials)
    return study.ask()


class Pruned(Exception):
    """A trial is worse than the median of those before it, at the same share of the training."""


class Pruning(Observer):
    """Reports each validation to a trial, and ends the training when the study's pruner says so.

    Args:
        trial: `optuna.Trial`.
        reports: how many in a whole training; a report's number is its share of the training times that, so that trials of other
            batch sizes compare.
    """

    def __init__(self, trial, reports):
        self.trial, self.reports, self.last = trial, reports, 0

    def started(self, total_steps, epochs):
        self.total = total_steps

    def row(self, row):
        if row.validation_loss is None:
            return
        number = round(row.step / self.total * self.reports)
        print(f"  {row.step / self.total:4.0%} of the training: validation perplexity {row.validation_perplexity:.1f}", flush=True)
        if number <= self.last:
            return
        self.last = number
        # The loss orders trials as the perplexity does, and does not overflow.
        self.trial.report(row.validation_loss, number)
        if row.step < self.total and self.trial.should_prune():
            raise Pruned


def validate_every(settings, batches, reports):
    """Steps between two validations, for so many of them in a training; None, if the epochs' ends are enough."""
    cut = batches.train, batches.recipe, batches.sequence_length, settings.seed
    steps = sum(windows.steps_per_epoch(*cut, 1 + epoch, settings.short_windows) for epoch in range(settings.epochs))
    return None if reports <= settings.epochs else max(1, steps // reports)


def _check_length(words, settings):
    try:
        windows.check_length(words, settings.batch_size, settings.sequence_length)
    except windows.TextTooShort as error:
        raise UserError(str(error)) from None


def cut(batches, settings, folder, vocab="data/vocab"):
    """The training text cut as `batching.*` says: `batches` itself if it is, else another cut in `folder`, as the stage makes it.

    Args:
        batches: dataset.Batches.
        settings: schema.Batching.
        folder: where other cuts are kept.
        vocab: the folder of the stage vocab.
    Raises:
        UserError: the text is too short.
    """
    same = (batches.recipe, batches.batch_size) == (settings.recipe, settings.batch_size)
    if same and (settings.recipe == "stream" or batches.sequence_length == settings.sequence_length):
        if batches.recipe == "stream":
            _check_length(batches.train.size, settings)
        return replace(batches, sequence_length=settings.sequence_length)
    path = Path(folder) / f"{settings.recipe}-{settings.batch_size}x{settings.sequence_length}-{batches.raw[:16]}.npy"
    whole, _, vocabulary_size = encoded.load(vocab)
    part = whole.part(splits.load(Path(vocab) / "splits.json")["train"])
    words = len(part)
    _check_length(words, settings)
    blocks = part.blocks_without_unknown(vocabulary_size)
    if settings.recipe == "stream":
        shape = windows.stream_blocks(blocks, words, settings.batch_size)
    else:
        shape = windows.cookbook_blocks(blocks, words, settings.batch_size, settings.sequence_length)
    Path(folder).mkdir(parents=True, exist_ok=True)
    arrays.save(path, Blocks(*shape))
    return replace(
        batches,
        recipe=settings.recipe,
        batch_size=settings.batch_size,
        sequence_length=settings.sequence_length,
        train=arrays.load(path),
    )


def typical_seconds(study):
    """Median time of a complete trial, or None."""
    taken = [trial.duration.total_seconds() for trial in complete(study)]
    return statistics.median(taken) if taken else None


def write_preset(path, changes, values, comment):
    """Write a preset: of `changes` what differs from params.yaml.

    Args:
        changes: {"train.learning_rate": 0.004, ...}
        values: of params.yaml, as `params.read` gives them.
        comment: lines for its head.
    Returns:
        {name: value} of what was written; nothing is written if nothing differs.
    """
    from ruamel.yaml import YAML

    flat = _flat(values)
    differing = {name: value for name, value in changes.items() if flat[name] != value}
    if differing:
        sections = {}
        for name, value in differing.items():
            section, _, key = name.partition(".")
            sections.setdefault(section, {})[key] = value
        yaml = YAML()
        yaml.default_flow_style = False
        yaml.representer.add_representer(type(None), lambda of, _: of.represent_scalar("tag:yaml.org,2002:null", "null"))
        with Path(path).open("w", encoding="utf-8") as file:
            file.writelines(f"# {line}\n" for line in comment)
            yaml.dump(sections, file)
    return differing
