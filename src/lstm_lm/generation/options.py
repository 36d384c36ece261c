"""The table of generation options: name, type, default, bounds, help and source of each one.

Everything else is made from this table: the schema of the parameters, the flags of the command line, the signatures of the SavedModel, and
the signature, defaults and checks of the served model. Only the standard library is imported here, so that every package can import it.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_INT32 = 2**31 - 1
MAX_PROMPTS = 256  # in a request to the served model
MAX_TEXTS = 256  # generated at once: samples, or hypotheses of beam searches, of all prompts
MAX_PROMPT_CHARACTERS = 10_000
SENTENCE_ENDS = (".", "!", "?", "<eos>")


@dataclass(frozen=True)
class Option:
    """One row of the table.

    Attributes:
        name: of the option, wherever it appears.
        type: int, float or bool.
        default: used wherever the caller gives no value.
        help: one line in plain English.
        minimum, maximum: bounds, both inclusive unless `exclusive_minimum`; None for a bool.
        exclusive_minimum: the minimum itself is not allowed.
        served_maximum: the upper bound in a request to the served model, where it is lower than `maximum`; else None.
        off: the value that switches the option off; None if there is none.
        looks_back: applying the option, unless it is off, needs the whole text generated so far, not only the model's state.
        sets_rows: it decides how many rows a prompt takes in a batch; all other options apply to each word.
        source: the paper that proposed it, or "".
    """

    name: str
    type: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    served_maximum: float | None = None
    off: Any = None
    looks_back: bool = False
    sets_rows: bool = False
    source: str = ""

    @property
    def allowed(self) -> str:
        """The values allowed, as the end of a sentence that starts with "must be"."""
        if self.type is bool:
            return "true or false"
        if self.exclusive_minimum:
            return f"above {self.minimum} and at most {self.maximum}"
        return f"from {self.minimum} to {self.maximum}"

    def check(self, value: object) -> Any:
        """Check one value.

        Args:
            value: a bool for a bool, a whole number for an int, any real number for a float (NumPy's numbers too).
        Returns:
            The value as the option's type.
        Raises:
            ValueError: one line, `top_p = 2: must be above 0 and at most 1`.
        """
        if self.type is bool:
            if not isinstance(value, bool):
                raise ValueError(f"{self.name} = {value!r}: must be {self.allowed}")
            return value
        assert self.minimum is not None
        assert self.maximum is not None
        if isinstance(value, bool) or not hasattr(value, "__index__" if self.type is int else "__float__"):
            raise ValueError(f"{self.name} = {value!r}: must be a {'whole ' if self.type is int else ''}number {self.allowed}")
        number = self.type(value)
        above_minimum = number > self.minimum if self.exclusive_minimum else number >= self.minimum
        if not (math.isfinite(number) and above_minimum and number <= self.maximum):
            raise ValueError(f"{self.name} = {value}: must be {self.allowed}")
        return number


def option(default: Any, help: str, **columns: Any) -> Any:
    """A field of `GenerationOptions`; `columns` are further attributes of its `Option`."""
    return dataclasses.field(default=default, metadata={"help": help, **columns})


@dataclass(frozen=True)
class GenerationOptions:
    """How to continue a text. Values are not checked here but by `check`."""

    max_words: int = option(40, "at most this many words", minimum=0, maximum=100_000, served_maximum=1_000)
    temperature: float = option(
        0.8, "below 1: safer; above 1: more surprising; 0: greedy, always the most probable word", minimum=0, maximum=100
    )
    top_k: int = option(0, "sample among the k most probable words only; 0: off", minimum=0, maximum=MAX_INT32, off=0)
    top_p: float = option(
        1.0,
        "sample among the most probable words whose probabilities add up to this (nucleus sampling); 1: off",
        minimum=0,
        maximum=1,
        exclusive_minimum=True,
        off=1.0,
        source="Holtzman et al. 2020",
    )
    seed: int = option(1, "the same seed and prompt give the same text", minimum=0, maximum=MAX_INT32)
    min_p: float = option(
        0.0,
        "keep words with at least this fraction of the most probable word's probability; 0: off",
        minimum=0,
        maximum=1,
        off=0.0,
        source="Nguyen et al. 2024",
    )
    typical_p: float = option(
        1.0,
        "keep the words whose surprisal is closest to the mean surprisal, until their probabilities add up to this; 1: off",
        minimum=0,
        maximum=1,
        exclusive_minimum=True,
        off=1.0,
        source="Meister et al. 2023, who use 0.2 to 0.95",
    )
    repetition_penalty: float = option(
        1.0,
        "above 1: words that are already in the text become less probable; 1: off",
        minimum=0.01,
        maximum=100,
        off=1.0,
        looks_back=True,
        source="Keskar et al. 2019 (CTRL), who use 1.2",
    )
    no_repeat_ngram: int = option(
        0,
        "never generate a sequence of this many words that is already in the text; 0: off",
        minimum=0,
        maximum=100,
        off=0,
        looks_back=True,
        source="Paulus et al. 2018, who use 3",
    )
    stop_at_sentence_end: bool = option(
        False,
        f"stop after the first generated {' '.join(SENTENCE_ENDS[:-1])} or {SENTENCE_ENDS[-1]}, if the vocabulary has one of them",
        off=False,
    )
    samples: int = option(1, "number of texts for each prompt", minimum=1, maximum=MAX_TEXTS, sets_rows=True)
    beam_width: int = option(
        1,
        "above 1: generate the most probable texts with a beam search of this width, without sampling; 1: off",
        minimum=1,
        maximum=MAX_TEXTS,
        off=1,
        sets_rows=True,
        source="Sutskever et al. 2014",
    )


def options() -> tuple[Option, ...]:
    """All rows of the table, in its order."""
    return tuple(
        Option(name=field.name, type=_type(field), default=field.default, **field.metadata)
        for field in dataclasses.fields(GenerationOptions)
    )


def by_name() -> dict[str, Option]:
    """The rows of the table by their names."""
    return {row.name: row for row in options()}


def check(values: Mapping[str, object]) -> GenerationOptions:
    """Check values given by a user.

    Args:
        values: by the names of the options; missing ones take their default.
    Returns:
        The options.
    Raises:
        ValueError: one line with the first problem.
    """
    rows = by_name()
    for name in values:
        if name not in rows:
            raise ValueError(f"{name}: there is no such option; the options are {', '.join(rows)}")
    checked = GenerationOptions(**{name: rows[name].check(value) for name, value in values.items()})
    check_together(checked)
    return checked


def check_together(values: GenerationOptions) -> None:
    """Check what no option can be checked for alone.

    Raises:
        ValueError: one line.
    """
    if 1 < values.beam_width < values.samples:
        raise ValueError(f"samples = {values.samples}: must be at most beam_width, which is {values.beam_width}")


def sentence_end_ids(tokens: Sequence[str]) -> list[int]:
    """The ids of the tokens that end a sentence, if the vocabulary, in the order of its ids, has any."""
    return [number for number, token in enumerate(tokens) if token in SENTENCE_ENDS]


def served_table() -> dict[str, Any]:
    """All of the above for users of the SavedModel, who cannot import this module; ready for JSON, with the server's upper bounds."""
    rows = [
        {
            "name": row.name,
            "type": row.type.__name__,
            "default": row.default,
            "minimum": row.minimum,
            "maximum": row.maximum if row.served_maximum is None else row.served_maximum,
            "exclusive_minimum": row.exclusive_minimum,
            "off": row.off,
            "looks_back": row.looks_back,
            "sets_rows": row.sets_rows,
            "help": row.help,
        }
        for row in options()
    ]
    return {
        "options": rows,
        "sentence_ends": SENTENCE_ENDS,
        "max_prompts": MAX_PROMPTS,
        "max_texts": MAX_TEXTS,
        "max_prompt_characters": MAX_PROMPT_CHARACTERS,
    }


def _type(field: "dataclasses.Field[Any]") -> type:
    assert isinstance(field.type, type)  # true as long as annotations are not postponed in this module
    return field.type
