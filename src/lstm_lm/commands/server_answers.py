"""What a server of `cli.py serve` answers, as far as the commands use it. An answer of another form raises a ValidationError."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

MAX_SHOWN_CHARACTERS = 300  # of what a server says


def one_line(text: str) -> str:
    """Return what a server says as one line that a terminal shows as it is."""
    return "".join(character if character.isprintable() else " " for character in text[:MAX_SHOWN_CHARACTERS]).strip()


Count = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # rounding makes some greater than 1
Metric = Annotated[float, Field(allow_inf_nan=False)] | None  # None where it exceeds what JSON can hold


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Entries(_Answer):
    """An answer with a list, of which the first entry is meant."""

    data: Annotated[list[Any], Field(min_length=1)]


class Token(_Answer):
    """A word of a scored text, with its surprisal in bits unless it is the first one."""

    token: str
    surprisal: Metric
    unknown: bool


class Score(_Answer):
    """How well the model predicts a text: an entry of /v1/score."""

    tokens: list[Token]
    words: Count
    scored_words: Count
    unknown_rate: Annotated[float, Field(ge=0, le=1)] | None
    surprisal: Metric
    perplexity: Metric
    adjusted_perplexity: Metric
    bits_per_character: Metric

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        scored = sum(token.surprisal is not None for token in self.tokens)
        if (self.words, self.scored_words) != (len(self.tokens), scored) or (scored and self.unknown_rate is None):
            raise ValueError("the numbers of words do not fit the words")
        return self


class NextWord(_Answer):
    """A word that may come next."""

    word: str
    probability: Probability


class NextWords(_Answer):
    """The most probable next words after a prompt, and the probability of any word that the model does not know: an entry of /v1/next."""

    words: list[NextWord]
    unknown: Probability


class ModelFacts(_Answer):
    """A model: an entry of /v1/models."""

    sentence_ends: list[str]


class Choice(_Answer):
    """The next part of a text; the last one has a reason."""

    index: Count
    text: str
    finish_reason: str | None


class Chunk(_Answer):
    """An event of a stream of /v1/completions."""

    choices: list[Choice]


class Problem(_Answer):
    """What is wrong with a request."""

    message: Annotated[str, AfterValidator(one_line)]
    code: Any = None
    param: Any = None


class Failure(_Answer):
    """The answer to a request that is refused, or the last event of a stream that fails."""

    error: Problem


EVENT: TypeAdapter[Chunk | Failure] = TypeAdapter(Chunk | Failure)
