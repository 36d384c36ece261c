"""The body of a request to /v1/completions, checked by a model made from the table of generation options."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError, create_model

from lstm_lm.serving.app.bodies import shown
from lstm_lm.serving.app.option_names import NAMES
from lstm_lm.serving.app.problems import Problem
from lstm_lm_serving.checks import allowed_values
from lstm_lm_serving.texts import Text

MAX_LOGPROBS = 5
MAX_SEED = 2**31 - 1
PROMPT_OF_ROW = re.compile("^prompt of row ([0-9]+)")  # in a message of the engine, which knows tables
# What OpenAI's protocol has and this model lacks, with what to do instead. A value without effect is accepted.
UNSUPPORTED = {
    "suffix": "this model only continues text",
    "presence_penalty": "use repetition_penalty or no_repeat_ngram",
    "frequency_penalty": "use repetition_penalty or no_repeat_ngram",
    "messages": "this model completes text and knows no roles: send 'prompt'",
    "tools": "this model calls no tools",
    "tool_choice": "this model calls no tools",
    "functions": "this model calls no functions",
    "function_call": "this model calls no functions",
    "response_format": "this model only generates plain text",
    "max_completion_tokens": "use max_tokens",
    "max_words": "use max_tokens",
    "samples": "use n",
}
WITHOUT_EFFECT: tuple[Any, ...] = (None, 0, "", [], {})
# The other parameters, with what is allowed.
Strings = StrictStr | list[StrictStr]
PARAMETERS: dict[str, tuple[Any, str]] = {
    "model": (StrictStr, "a string"),
    "prompt": (Strings, "a string or a list of strings, not token ids"),
    "best_of": (Annotated[StrictInt, Field(ge=1)], "a whole number, at least n"),
    "logprobs": (Annotated[StrictInt, Field(ge=0, le=MAX_LOGPROBS)], f"a whole number from 0 to {MAX_LOGPROBS}"),
    "echo": (StrictBool, "true or false"),
    "stream": (StrictBool, "true or false"),
    "stream_options": (dict[StrictStr, StrictBool], 'an object such as {"include_usage": true}'),
    "stop": (Strings, "a string or a list of strings"),
    "logit_bias": (
        dict[StrictStr, Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False, strict=True)]],
        "an object of words with numbers from -100 to 100",
    ),
    "user": (StrictStr, "a string; it is ignored"),
}

ENTRIES = {"logit_bias": "a number from -100 to 100", "stream_options": "true or false"}  # what their values must be


@dataclass(frozen=True)
class Completions:
    """What a request asks for.

    Attributes:
        model: as the client names it, None if it does not.
        texts: one for each prompt.
        samples: texts returned for each prompt.
        stream: whether the texts are sent as they are generated.
        include_usage: whether a stream ends with the numbers of words.
        seed: of the texts; drawn here unless the client sent one.
    """

    model: str | None
    texts: list[Text]
    samples: int
    stream: bool
    include_usage: bool
    seed: int

    @property
    def logprobs(self) -> bool:
        """Whether the words are reported with their probabilities."""
        return self.texts[0].logprobs is not None


class RequestChecker:
    """Checks requests for a model.

    Attributes:
        schema: of a request, as in JSON Schema.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        """Make the pydantic model.

        Args:
            table: of generation options, as in assets/generation_options.json of a SavedModel.
        """
        self.rows = {NAMES.get(row["name"], row["name"]): row for row in table["options"]}
        self.allowed = {name: allowed_values(row) for name, row in self.rows.items()}
        self.allowed |= {name: text for name, (_, text) in PARAMETERS.items()}
        fields: dict[str, Any] = {name: (kind | None, Field(None, description=text)) for name, (kind, text) in PARAMETERS.items()}
        fields |= {name: (_type(row) | None, Field(None, description=row.get("help"))) for name, row in self.rows.items()}
        fields["prompt"] = (Strings, Field(description=PARAMETERS["prompt"][1]))
        self.model: type[BaseModel] = create_model("CompletionRequest", __config__=ConfigDict(extra="ignore"), **fields)
        self.schema: dict[str, Any] = self.model.model_json_schema()

    def check(self, body: Mapping[str, Any]) -> Completions:
        """Check a request.

        Raises:
            Problem: names the parameter that is wrong.
        """
        self._check_names(body)
        try:
            values = self.model.model_validate(dict(body)).model_dump(exclude_none=True)
        except ValidationError as error:
            name, *inside = error.errors(include_url=False)[0]["loc"]
            raise self._wrong_value(str(name), body, inside) from None
        options = {row["name"]: values[name] for name, row in self.rows.items() if name in values}
        options.setdefault("seed", secrets.randbelow(MAX_SEED))
        samples = options.get("samples", self.rows["n"]["default"])
        best_of = values.get("best_of", 0)
        if 0 < best_of < samples:
            raise Problem(400, f"best_of = {best_of}: must be at least n, which is {samples}", "best_of")
        stop = values.get("stop", [])
        texts = [
            Text(
                prompt,
                options,
                (stop,) if isinstance(stop, str) else tuple(stop),
                best_of,
                values.get("logprobs"),
                values.get("logit_bias", {}),
                values.get("echo", False),
            )
            for prompt in ([values["prompt"]] if isinstance(values["prompt"], str) else values["prompt"])
        ]
        if not texts:
            raise Problem(400, f"prompt = []: must be {self.allowed['prompt']}, at least one", "prompt")
        stream = values.get("stream", False)
        include_usage = _include_usage(values.get("stream_options"), stream)
        return Completions(values.get("model"), texts, samples, stream, include_usage, options["seed"])

    def _wrong_value(self, name: str, body: Mapping[str, Any], inside: Sequence[int | str]) -> Problem:
        """Return the problem with a parameter; `inside` leads to the part of it that is wrong."""
        if name not in body:
            return Problem(400, f"{name} is missing: must be {self.allowed[name]}", name)
        value, allowed = body[name], self.allowed[name]
        if name in ENTRIES and isinstance(value, dict) and inside and inside[0] in value:
            return Problem(400, f"{name} of {shown(inside[0])} = {shown(value[inside[0]])}: must be {ENTRIES[name]}", name)
        return Problem(400, f"{name} = {shown(value)}: must be {allowed}", name)

    def _check_names(self, body: Mapping[str, Any]) -> None:
        for name, value in body.items():
            if name in UNSUPPORTED:
                if name in NAMES or value not in WITHOUT_EFFECT:
                    raise Problem(400, f"{name} is not supported: {UNSUPPORTED[name]}", name, "unsupported_parameter")
            elif name not in self.allowed:
                names = ", ".join(sorted(self.allowed))
                raise Problem(400, f"{shown(name)}: there is no such parameter; there are {names}", name[:100], "unknown_parameter")


def _include_usage(options: Mapping[str, bool] | None, stream: bool) -> bool:
    if options is None:
        return False
    if not stream:
        raise Problem(400, "stream_options: only allowed with stream = true", "stream_options")
    if unknown := sorted(set(options) - {"include_usage", "include_obfuscation"}):
        raise Problem(400, f"stream_options: there is no {shown(unknown[0])}, only include_usage", "stream_options")
    return options.get("include_usage", False)


def in_their_names(message: str, prompts: int = 1) -> str:
    """Return a message of the engine about so many prompts, with the options called as in OpenAI's protocol."""
    message = PROMPT_OF_ROW.sub("prompt" if prompts == 1 else r"prompt[\1]", message, count=1)
    return re.sub(rf"\b({'|'.join(NAMES)})\b", lambda match: NAMES[match[1]], message)


def _type(row: Mapping[str, Any]) -> Any:
    if row["type"] == "bool":
        return StrictBool
    lower = {"gt" if row["exclusive_minimum"] else "ge": row["minimum"]}
    kind = int if row["type"] == "int" else float
    # A whole number is written 0 or 0.0 in JSON; true is none.
    return Annotated[kind, Field(strict=True, le=row["maximum"], allow_inf_nan=None if kind is int else False, **lower)]
