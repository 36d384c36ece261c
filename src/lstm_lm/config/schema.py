"""The schema of params.yaml: frozen, validated sections. Every value is in params.yaml, so there are no defaults here."""

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, create_model, model_validator

from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions, Option

SHA256 = r"^[0-9a-f]{64}$"
PINNED = r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+$"
ADDRESS = r"^(https?|s3|gs|gcs|az|abfs)://[^/]"
STORED_MODEL = r"runs:/[0-9a-f]{32}|models:/[^/@]+(?:/[1-9][0-9]*|@[^/@]+)"
PUNCTUATION = r"^(?:[^\s\w]|_)*$"
NAME = r"^[A-Za-z0-9_][A-Za-z0-9_. -]*$"
MAX_ENSEMBLE_SIZE = 32
MAX_NGRAM_ORDER = 10
ALLOWED_BY_PATTERN = {
    SHA256: "a sha256 digest, 64 hexadecimal digits in lower case",
    PINNED: "a package and its version, as name==1.2.3",
    ADDRESS: "an address that starts with http://, https://, s3://, gs:// or az://",
    PUNCTUATION: "punctuation marks only, no letters, digits or spaces",
    NAME: "letters, digits, spaces, '.', '-' and '_', and start with a letter or digit",
}

Fraction = Annotated[float, Field(gt=0, lt=1)]
Texts = Annotated[list[str], Field(min_length=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Keys with their types and bounds. params.yaml says what each of them means."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Count = Annotated[int, Field(ge=1, lt=2**31)]
WordCount = Annotated[int, Field(ge=1, le=10_000)]


class PypiSource(Section):
    """Text files in the wheel of a Python package."""

    pypi: Annotated[str, Field(pattern=PINNED)]
    members: str
    sha256: Annotated[str, Field(pattern=SHA256)]


class PathSource(Section):
    """A file or folder in data/own."""

    path: Annotated[str, Field(min_length=1)]


class UrlSource(Section):
    """One text file over http(s), or a file, a folder or a pattern in an object store."""

    url: Annotated[str, Field(pattern=ADDRESS)]
    sha256: Annotated[str, Field(pattern=SHA256)] | None = None  # optional: not every page has a known digest


def _source_type(value: Any) -> str | None:
    """Return the tag of a source: of the file's mapping, or of an object that was made from it."""
    for key, model in (("pypi", PypiSource), ("path", PathSource), ("url", UrlSource)):
        if isinstance(value, model) or (isinstance(value, dict) and key in value):
            return model.__name__
    return None


class Download(Section):
    """Where the text comes from."""

    source: Annotated[
        Annotated[PypiSource, Tag("PypiSource")] | Annotated[PathSource, Tag("PathSource")] | Annotated[UrlSource, Tag("UrlSource")],
        Discriminator(_source_type, custom_error_type="source", custom_error_message="must have one of the keys pypi, path, url"),
    ]
    encoding: Annotated[str, Field(min_length=1)]
    clean: bool


class Vocab(Section):
    """What a token is, which words are known, and which text is held out."""

    unit: Literal["word", "char", "subword"]
    lowercase: bool
    punctuation: Literal["drop", "separate", "as_is"]
    keep_punctuation: Annotated[str, Field(pattern=PUNCTUATION)]
    newlines: bool
    min_count: Count
    max_size: Count | None
    split_by: Literal["auto", "documents", "spans"]
    validation: Fraction | Texts
    test: Fraction | Texts
    split_seed: Annotated[int, Field(ge=0, lt=2**31)]

    @model_validator(mode="after")
    def _splits_fit_together(self) -> Self:
        fractions = [held_out for held_out in (self.validation, self.test) if isinstance(held_out, float)]
        if len(fractions) == 1:
            raise ValueError("validation and test must both be fractions, or both be lists of file names")
        if not fractions and self.split_by == "spans":
            raise ValueError("split_by = spans takes fractions: set validation and test to numbers, or split_by to auto")
        if sum(fractions) >= 1:
            raise ValueError(f"validation + test = {sum(fractions):g} leaves nothing to train on: must be < 1")
        return self

    @model_validator(mode="after")
    def _subwords_have_a_number(self) -> Self:
        if self.unit == "subword" and self.max_size is None:
            raise ValueError("unit = subword needs max_size, the number of subwords to learn, such as 4000")
        return self


class Batching(Section):
    """How the training text is batched."""

    recipe: Literal["stream", "cookbook"]
    batch_size: Count
    sequence_length: Count


class Ngrams(Section):
    """Kneser-Ney n-grams in the exported model."""

    order: Annotated[int, Field(ge=2, le=MAX_NGRAM_ORDER)]
    weight: Fraction | Literal["auto"]


class Model(Section):
    """The model and its dropout."""

    embedding_size: Count
    hidden_size: Count
    layers: Count
    projection_size: Count | None
    mogrifier_rounds: Annotated[int, Field(ge=0, le=8)]
    mogrifier_rank: Count
    tie_weights: bool
    adaptive_cutoffs: Annotated[list[Count], Field(min_length=1)] | None
    ensemble_size: Annotated[int, Field(ge=1, le=MAX_ENSEMBLE_SIZE)]
    ngrams: Ngrams | None
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
    def output_size(self) -> int:
        """Width of what the softmax weights multiply."""
        return self.projection_size or self.hidden_size

    @model_validator(mode="after")
    def _tying_fits(self) -> Self:
        if self.tie_weights and self.output_size != self.embedding_size:
            raise ValueError(
                f"tie_weights needs an output as wide as the embedding, but it is {self.output_size} and embedding_size is "
                f"{self.embedding_size}: set projection_size to {self.embedding_size}, or tie_weights to false"
            )
        return self

    @model_validator(mode="after")
    def _cutoffs_fit(self) -> Self:
        if self.adaptive_cutoffs is None:
            return self
        if sorted(set(self.adaptive_cutoffs)) != self.adaptive_cutoffs:
            raise ValueError(f"adaptive_cutoffs = {self.adaptive_cutoffs}: must rise")
        if self.tie_weights:
            raise ValueError("adaptive_cutoffs give rare words narrower vectors, which cannot be the embedding's: set tie_weights to false")
        return self


def _check_init_from(address: str) -> str:
    """Check the form of an address: of a run, of a registered version, or of a folder that exists while the training runs."""
    if address.rstrip("/") in ("models/weights", "models/saved_model"):
        raise ValueError(f"DVC removes {address} before the training starts: name its run as runs:/RUN_ID, or a copy in another folder")
    if address.startswith(("runs:", "models:")) and not re.fullmatch(STORED_MODEL, address):
        raise ValueError(f"{address}: must be runs:/RUN_ID, models:/NAME/VERSION, models:/NAME@ALIAS, or a folder with weights")
    if not address.strip():
        raise ValueError("must be null, runs:/RUN_ID, models:/NAME/VERSION, models:/NAME@ALIAS, or a folder with weights")
    return address


class Train(Section):
    """The training, as far as it shapes the weights."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    init_from: Annotated[str, AfterValidator(_check_init_from)] | None
    epochs: Count | None
    minutes: Annotated[float, Field(gt=0, le=1_000_000)] | None
    optimizer: Literal["adam", "adamw"]
    learning_rate: Annotated[float, Field(gt=0, le=1000)]
    weight_decay: Annotated[float, Field(ge=0, le=1000)]
    beta2: Annotated[float, Field(gt=0, lt=1)]
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
    precision: Literal["auto", "float32", "bfloat16"]
    sampled_words: Count | None

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.epochs is None and self.minutes is None:
            raise ValueError("epochs = null and minutes = null: set one of the two, or both")
        return self

    @model_validator(mode="after")
    def _decay_has_an_optimizer(self) -> Self:
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError(f"weight_decay = {self.weight_decay:g} needs optimizer: adamw; with adam it must be 0")
        return self


class DynamicEvaluation(Section):
    """Scoring with weights that adapt to the text."""

    learning_rate: Annotated[float, Field(gt=0, le=1000)]
    decay: Annotated[float, Field(ge=0, lt=1)]
    segment: Count


class NeuralCache(Section):
    """Scoring with a cache of the latest words."""

    size: Count
    theta: Annotated[float, Field(ge=0, le=1000)]
    weight: Fraction


def _option_field(option: Option, minimum: float | None = None) -> Any:
    """Return the annotation of a generation option: its type and bounds, from the table.

    Args:
        minimum: in place of the table's.
    """
    if option.type is bool:
        return bool
    lowest = option.minimum if minimum is None else minimum
    bounds = Field(gt=lowest, le=option.maximum) if option.exclusive_minimum else Field(ge=lowest, le=option.maximum)
    return Annotated[option.type, bounds]


OPTIONS = options.by_name()
Temperature = Annotated[float, Field(ge=OPTIONS["temperature"].minimum, le=OPTIONS["temperature"].maximum)]

if TYPE_CHECKING:

    class GenerationSection(Section):
        """Type checkers cannot see fields made at run time: use `EvaluateSample.generation_options`."""

else:
    # The statistics of samples need at least one word. The section has a list of temperatures in place of the one.
    GenerationSection = create_model(
        "GenerationSection",
        __base__=Section,
        **{
            name: (_option_field(option, minimum=1 if name == "max_words" else None), ...)
            for name, option in OPTIONS.items()
            if name != "temperature"
        },
    )


class EvaluateSample(GenerationSection):
    """All generation options but the temperature, and what else the stage needs."""

    prime_texts: Texts
    temperatures: Annotated[list[Temperature], Field(min_length=1)]
    bootstrap_samples: Annotated[int, Field(ge=100, le=10_000)] | None
    kneser_ney_order: Annotated[int, Field(ge=1, le=MAX_NGRAM_ORDER)] | None
    ngram_mixture: Fraction | Literal["auto"] | None
    dynamic_evaluation: DynamicEvaluation | None
    neural_cache: NeuralCache | None

    @model_validator(mode="after")
    def _a_mixture_has_ngrams(self) -> Self:
        if self.ngram_mixture is not None and self.kneser_ney_order is None:
            raise ValueError(f"ngram_mixture = {self.ngram_mixture} needs kneser_ney_order: set it to 5, or ngram_mixture to null")
        return self

    def generation_options(self, temperature: float) -> GenerationOptions:
        """Return the options for generating text at one of the temperatures."""
        values = {name: getattr(self, name) for name in OPTIONS if name != "temperature"}
        return GenerationOptions(temperature=temperature, **values)


class Reporting(Section):
    """What a training reports, and how often. No stage depends on it."""

    status_every: Count
    sample_every: Count
    sample_words: WordCount
    sample_temperature: Annotated[float, Field(gt=0)]
    prime_texts: Texts
    checkpoint_seconds: Annotated[float, Field(gt=0)]
    tensorboard: bool = False


class Tracking(Section):
    """MLflow."""

    uri: Annotated[str, Field(min_length=1)] | None
    experiment: Annotated[str, Field(pattern=NAME)]
    registered_model: Annotated[str, Field(pattern=NAME)]
    artifacts: Annotated[str, Field(min_length=1)] | None = None
    system_metrics: bool = True


class Params(Section):
    """The whole of params.yaml, one field for each section."""

    download: Download
    vocab: Vocab
    batching: Batching
    model: Model
    train: Train
    evaluate_sample: EvaluateSample
    reporting: Reporting
    tracking: Tracking

    @model_validator(mode="after")
    def _one_softmax(self) -> Self:
        if self.train.sampled_words and self.model.adaptive_cutoffs:
            raise ValueError("train.sampled_words and model.adaptive_cutoffs are two ways to the same end: set one of them to null")
        return self

    @model_validator(mode="after")
    def _ngrams_are_mixed_once(self) -> Self:
        if self.model.ngrams is not None and self.evaluate_sample.ngram_mixture is not None:
            raise ValueError("model.ngrams and evaluate_sample.ngram_mixture would mix n-grams twice: set one of them to null")
        return self

    @model_validator(mode="after")
    def _windows_can_be_short(self) -> Self:
        if self.train.short_windows and self.batching.recipe != "stream":
            raise ValueError(f"train.short_windows = {self.train.short_windows:g} needs batching.recipe: stream; with cookbook it is 0")
        return self
