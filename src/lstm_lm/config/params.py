"""params.yaml as frozen, validated objects. Every value stands in params.yaml: there are no defaults in code."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Literal, Union, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from lstm_lm.errors import UserError

SHA256 = r"^[0-9a-f]{64}$"
PINNED = r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+$"
HTTP = r"^https?://"
MARKS = r"^(?:[^\s\w]|_)*$"
NAME = r"^[A-Za-z0-9_][A-Za-z0-9_. -]*$"
IN_WORDS = {
    SHA256: "a sha256 digest, 64 hexadecimal digits in lower case",
    PINNED: "a package and its version, as name==1.2.3",
    HTTP: "an address that starts with http:// or https://",
    MARKS: "punctuation marks only, no letters, digits or spaces",
    NAME: "letters, digits, spaces, '.', '-' and '_', and start with a letter or digit",
}

Share = Annotated[float, Field(gt=0, lt=1)]
Words = Annotated[list[str], Field(min_length=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Count = Annotated[int, Field(ge=1, lt=2**31)]
WordsToWrite = Annotated[int, Field(ge=1, le=10_000)]


class PypiSource(Section):
    pypi: Annotated[str, Field(pattern=PINNED)]
    members: str
    sha256: Annotated[str, Field(pattern=SHA256)]


class PathSource(Section):
    path: Annotated[str, Field(min_length=1)]


class UrlSource(Section):
    url: Annotated[str, Field(pattern=HTTP)]
    sha256: Annotated[str, Field(pattern=SHA256)] | None = None  # optional: not every page has a known digest


SOURCES = {"pypi": PypiSource, "path": PathSource, "url": UrlSource}


def _kind_of_source(value):
    """The tag of a source: of the file's mapping, or of an object already made from it."""
    return next((kind for kind, model in SOURCES.items() if isinstance(value, model) or (isinstance(value, dict) and kind in value)), None)


class Download(Section):
    source: Annotated[
        Union[tuple(Annotated[model, Tag(kind)] for kind, model in SOURCES.items())],  # noqa: UP007
        Discriminator(
            _kind_of_source,
            custom_error_type="source",
            custom_error_message=f"must have one of the keys {', '.join(SOURCES)}",
        ),
    ]
    encoding: Annotated[str, Field(min_length=1)]
    clean: bool


class Vocab(Section):
    unit: Literal["word", "char", "subword"]
    lowercase: bool
    punctuation: Literal["drop", "separate", "as_is"]
    keep_punctuation: Annotated[str, Field(pattern=MARKS)]
    newlines: bool
    min_count: Count
    max_size: Count | None
    split_by: Literal["auto", "documents", "spans"]
    validation: Share | Words
    test: Share | Words
    split_seed: Annotated[int, Field(ge=0, lt=2**31)]

    @model_validator(mode="after")
    def _splits_fit_together(self):
        named = [isinstance(held_out, list) for held_out in (self.validation, self.test)]
        if any(named) != all(named):
            raise ValueError("validation and test must both be shares, or both be lists of file names")
        if any(named) and self.split_by == "spans":
            raise ValueError("split_by = spans takes shares: give validation and test as numbers, or set split_by to auto")
        if not any(named) and self.validation + self.test >= 1:
            raise ValueError(f"validation + test = {self.validation + self.test:g} leaves nothing to train on: must be < 1")
        return self

    @model_validator(mode="after")
    def _subwords_have_a_number(self):
        if self.unit == "subword" and self.max_size is None:
            raise ValueError("unit = subword needs max_size, the number of subwords to learn, such as 4000")
        return self


class Batching(Section):
    recipe: Literal["stream", "cookbook"]
    batch_size: Count
    sequence_length: Count


class Model(Section):
    embedding_size: Count
    hidden_size: Count
    layers: Count
    projection_size: Count | None
    tie_weights: bool
    adaptive_cutoffs: Annotated[list[Count], Field(min_length=1)] | None
    initializer: Literal["uniform", "normal"]
    initializer_scale: Annotated[float, Field(gt=0, le=1000)]
    unigram_bias: bool
    dropout_words: Rate
    dropout_input: Rate
    dropout_hidden: Rate
    dropout_output: Rate
    dropout_recurrent: Rate
    locked_dropout: bool

    @property
    def output_size(self):
        """Width of what the softmax weights multiply."""
        return self.projection_size or self.hidden_size

    @model_validator(mode="after")
    def _tying_fits(self):
        if self.tie_weights and self.output_size != self.embedding_size:
            raise ValueError(
                f"tie_weights needs an output as wide as the embedding, but it is {self.output_size} and embedding_size is "
                f"{self.embedding_size}: set projection_size to {self.embedding_size}, or tie_weights to false"
            )
        return self

    @model_validator(mode="after")
    def _cutoffs_fit(self):
        if self.adaptive_cutoffs is None:
            return self
        if sorted(set(self.adaptive_cutoffs)) != self.adaptive_cutoffs:
            raise ValueError(f"adaptive_cutoffs = {self.adaptive_cutoffs}: must rise")
        if self.tie_weights:
            raise ValueError("adaptive_cutoffs give rare words narrower vectors, which cannot be the embedding's: set tie_weights to false")
        return self


class Train(Section):
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    epochs: Count
    optimizer: Literal["adam", "adamw"]
    learning_rate: Annotated[float, Field(gt=0, le=1000)]
    weight_decay: Annotated[float, Field(ge=0, le=1000)]
    schedule: Literal["constant", "cosine"]
    warmup_steps: Annotated[int, Field(ge=0, lt=2**31)]
    clip_norm: Annotated[float, Field(gt=0, le=1e6)]
    state_reset: Rate
    short_windows: Rate
    activation_regularization: Annotated[float, Field(ge=0, le=1000)]
    temporal_regularization: Annotated[float, Field(ge=0, le=1000)]
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None
    validate_every: Count | None
    patience: Count | None
    max_loss: Annotated[float, Field(gt=0, le=1e6)]
    checkpoint_seconds: Annotated[float, Field(gt=0)]
    precision: Literal["auto", "float32", "bfloat16"]
    sampled_words: Count | None
    status_every: Count
    sample_every: Count
    sample_words: WordsToWrite
    sample_temperature: Annotated[float, Field(gt=0)]
    prime_texts: Words

    @model_validator(mode="after")
    def _decay_has_an_optimizer(self):
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError(f"weight_decay = {self.weight_decay:g} needs optimizer: adamw; with adam it must be 0")
        return self


class DynamicEvaluation(Section):
    learning_rate: Annotated[float, Field(gt=0, le=1000)]
    decay: Annotated[float, Field(ge=0, lt=1)]
    segment: Count


class NeuralCache(Section):
    size: Count
    theta: Annotated[float, Field(ge=0, le=1000)]
    weight: Share


class EvaluateSample(Section):
    prime_texts: Words
    temperatures: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]
    max_words: WordsToWrite
    top_k: Annotated[int, Field(ge=0, lt=2**31)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    min_p: Annotated[float, Field(ge=0, le=1)]
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)]
    no_repeat_ngram: Annotated[int, Field(ge=0, le=100)]
    samples: Annotated[int, Field(ge=1, le=100)]
    beam_width: Annotated[int, Field(ge=1, le=100)]
    stop_at_sentence_end: bool
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    bootstrap_samples: Annotated[int, Field(ge=100, le=10_000)] | None
    kneser_ney_order: Annotated[int, Field(ge=1, le=10)] | None
    dynamic_evaluation: DynamicEvaluation | None
    neural_cache: NeuralCache | None


class Tracking(Section):
    uri: Annotated[str, Field(min_length=1)] | None
    experiment: Annotated[str, Field(pattern=NAME)]
    registered_model: Annotated[str, Field(pattern=NAME)]


class Params(Section):
    download: Download
    vocab: Vocab
    batching: Batching
    model: Model
    train: Train
    evaluate_sample: EvaluateSample
    tracking: Tracking

    @model_validator(mode="after")
    def _one_softmax(self):
        if self.train.sampled_words and self.model.adaptive_cutoffs:
            raise ValueError("train.sampled_words and model.adaptive_cutoffs are two ways to the same end: set one of them to null")
        return self

    @model_validator(mode="after")
    def _windows_can_be_short(self):
        if self.train.short_windows and self.batching.recipe != "stream":
            raise ValueError(f"train.short_windows = {self.train.short_windows:g} needs batching.recipe: stream; with cookbook it is 0")
        return self


def load(path="params.yaml"):
    """Read and check a parameter file.

    Args:
        path: a YAML 1.2 file (so `3e-3` is a number).
    Returns:
        Params, frozen.
    Raises:
        UserError: one line naming the key, its value and what is allowed.
    """
    return check(read(path), path)


def read(path):
    """What a YAML file says, unchecked: {section: {key: value}}.

    Raises:
        UserError: it cannot be read, or holds no sections.
    """
    try:
        # A text stream, not a path: the name then never shows up in an error as an absolute path.
        return parse(Path(path).read_text(encoding="utf-8"), path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None


def parse(text, path):
    """As `read`, of the text of such a file."""
    try:
        values = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{path}: line {line}: not valid YAML: {error.problem}") from None
    except (YAMLError, ValueError, RecursionError) as error:  # a date that is none, an integer of thousands of digits
        raise UserError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold the sections {', '.join(Params.model_fields)}")
    return values


def check(values, path="params.yaml"):
    """Values as `read` gives them -> Params.

    Raises:
        UserError: one line naming the file, the key, its value and what is allowed.
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        # A misspelt key is both unknown and missing: the unknown one says more.
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        lines = {}
        for problem in problems:
            name, line = _explain(problem, values)
            lines.setdefault(name, line)  # the members of a union each tell their problem with one value
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise UserError(f"{path}: {next(iter(lines.values()))}{more}") from None


def presets(folder="presets"):
    """The names of the presets, in order."""
    return sorted(path.stem for path in Path(folder).glob("*.yaml"))


def preset(name, folder="presets"):
    """What a preset changes: {"train.epochs": 10, ...}.

    Raises:
        UserError: there is no such preset, or it is not a file of sections and keys.
    """
    if name not in presets(folder):
        raise UserError(f"PRESET={name}: there is no {folder}/{name}.yaml; there are: {', '.join(presets(folder)) or 'none'}")
    path = Path(folder) / f"{name}.yaml"
    changes = {}
    for section, values in read(path).items():
        if not isinstance(values, dict):
            raise UserError(f"{path}: {section}: must hold keys and values, as in params.yaml")
        changes |= {f"{section}.{key}": value for key, value in values.items()}
    return changes


def changed(values, changes):
    """Values as `read` gives them with some replaced: {"train.epochs": 10}. The original is left as it is."""
    values = {section: dict(of_section) if isinstance(of_section, dict) else of_section for section, of_section in values.items()}
    for name, value in changes.items():
        section, _, key = name.partition(".")
        if key and isinstance(values.setdefault(section, {}), dict):
            values[section][key] = value
        else:
            values[section] = value
    return values


def value_of(text):
    """A value as it is typed on a command line, read as YAML: `0.002`, `null`, `[a, b]`, `{path: data/own}`."""
    try:
        return YAML(typ="safe").load(text)
    except (YAMLError, ValueError, RecursionError):
        return text


def _explain(problem, values):
    """One pydantic problem: (section.key, `section.key = value: what is allowed`)."""
    # The location names the chosen member of a union too, which is not a key of the file.
    location = list(problem["loc"])
    if location[:2] == ["download", "source"] and len(location) > 3:
        del location[2]
    keys, value = [], values
    for part in location:
        if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            value = value[part]
        elif not (problem["type"] == "missing" and part == location[-1]):
            continue
        keys.append(str(part))
    name = ".".join(keys)
    if problem["type"] == "missing":
        return name, f"{name}: missing; every key of the file as it came must be there"
    if problem["type"] == "extra_forbidden":
        section = Params
        for key in keys[:-1]:
            section = _model_of(section.model_fields[key].annotation) if key in getattr(section, "model_fields", {}) else None
        if keys[:-1] == ["download", "source"]:
            section = SOURCES[_kind_of_source(values["download"]["source"])]
        known = list(section.model_fields) if section else []
        near = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0)
        hint = f"; did you mean {near[0]}?" if near else ""
        return name, f"{name}: unknown key{hint} (known: {', '.join(known)})"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if problem["type"] == "value_error":  # a check across keys, which names them and their values itself
        return name, f"{name}: {message}"
    if problem["type"] == "string_pattern_mismatch":
        message = f"must be {IN_WORDS[problem['ctx']['pattern']]}"
    return name, f"{name} = {json.dumps(value, ensure_ascii=False, default=str)}: {message}"


def _model_of(annotation):
    """The model of a field, which may be `null` instead; None if it has none."""
    models = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return models[0] if models else None


def flatten(params):
    """`Params` -> {"train.learning_rate": 0.003, ...}; lists and sources as JSON."""
    flat = {}
    for section, values in params.model_dump(exclude_none=False).items():
        for key, value in values.items():
            compound = isinstance(value, (list, dict))
            flat[f"{section}.{key}"] = json.dumps(value, ensure_ascii=False) if compound else value
    return flat
