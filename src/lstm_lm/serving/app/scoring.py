"""/v1/score: how well the model predicts a text. /v1/next: the most probable next words."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from lstm_lm.data.description import describe_held_out
from lstm_lm.evaluation.metrics import metrics_from_sums
from lstm_lm.serving.app import answers, bodies, engine_stream, problems, records
from lstm_lm.serving.app.bodies import shown
from lstm_lm.serving.app.models import Models, ServedModel
from lstm_lm.serving.app.problems import Problem
from lstm_lm.text import units
from lstm_lm.text.encoded import Part, Range
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm_serving.errors import Cancelled, Refused, ServingError
from lstm_lm_serving.texts import NextWords, Score

STRINGS = "a string or a list of strings"
MAX_K = 100
MAX_PROMPTS = 32
PROMPT = re.compile("prompt of row [0-9]+")  # in a message of the engine
ALLOWED = {"model": "a string", "text": STRINGS, "prompt": STRINGS, "k": f"a whole number from 1 to {MAX_K}"}
T = TypeVar("T")
Body = TypeVar("Body", bound=BaseModel)


class ScoreRequest(BaseModel):
    """The body of a request to /v1/score."""

    model_config = ConfigDict(extra="forbid")
    model: StrictStr | None = None
    text: StrictStr | list[StrictStr]


class NextRequest(BaseModel):
    """The body of a request to /v1/next."""

    model_config = ConfigDict(extra="forbid")
    model: StrictStr | None = None
    prompt: StrictStr | list[StrictStr]
    k: Annotated[StrictInt, Field(ge=1, le=MAX_K)] = 10


def check(kind: type[Body], body: Mapping[str, Any]) -> Body:
    """Return the checked body of a request.

    Raises:
        Problem: names the parameter that is wrong.
    """
    try:
        return kind.model_validate(dict(body))
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        name = str(details["loc"][0])
        if name not in kind.model_fields:
            names = ", ".join(kind.model_fields)
            raise Problem(400, f"{shown(name)}: there is no such parameter; there are {names}", name[:100], "unknown_parameter") from None
        value = f"{name} = {shown(body[name])}" if name in body else f"{name} is missing"
        raise Problem(400, f"{value}: must be {ALLOWED[name]}", name) from None


class ScoringEndpoints:
    """Answers POST /v1/score and POST /v1/next."""

    def __init__(self, models: Models, executor: Executor) -> None:
        """Take what is served.

        Args:
            models: of the server.
            executor: threads in which requests wait for the engine.
        """
        self.models, self.executor = models, executor

    async def score(self, request: Request) -> Response:
        """Score texts.

        Raises:
            Problem: the request is not allowed.
        """
        wanted = await self._read(request, ScoreRequest)
        texts = [wanted.text] if isinstance(wanted.text, str) else wanted.text
        characters = sum(map(len, texts))
        with self.models.use(wanted.model) as model:
            if not texts:
                raise Problem(400, "text = []: must be at least one text", "text")
            if characters > (most := model.engine.limits.max_score_characters):
                allowed = f"must be at most {most} in a request: send it in parts, or score its file with make score FILE=..."
                raise Problem(400, f"text has {characters} characters: {allowed}", "text")

            def score(text: str, should_stop: Callable[[], bool]) -> tuple[int, bytes]:
                scored = model.score(text, should_stop)
                return len(scored.tokens), encode_score(describe_score(scored, model.loaded.tokenizer))

            scores = await self._for_each("text", texts, score, request)
            records.of(request.scope).words = sum(words for words, _ in scores)
            return _list(model, b",".join(encoded for _, encoded in scores))

    async def next(self, request: Request) -> Response:
        """Return the most probable next words.

        Raises:
            Problem: the request is not allowed.
        """
        wanted = await self._read(request, NextRequest)
        prompts = [wanted.prompt] if isinstance(wanted.prompt, str) else wanted.prompt
        with self.models.use(wanted.model) as model:
            if not prompts or len(prompts) > MAX_PROMPTS:
                raise Problem(400, f"prompt: {len(prompts)} prompts: must be 1 to {MAX_PROMPTS}", "prompt")
            k = min(wanted.k, len(model.engine.vocabulary) - 1)

            def next_words(prompt: str, _: Callable[[], bool]) -> bytes:
                return answers.encode(describe_next_words(model.engine.next_words([prompt], k)[0]))

            return _list(model, b",".join(await self._for_each("prompt", prompts, next_words, request)))

    async def _read(self, request: Request, kind: type[Body]) -> Body:
        bodies.check_media_type(request.headers)
        return check(kind, bodies.parse_object(await request.body()))

    async def _for_each(self, name: str, texts: Sequence[str], work: Callable[[str, Callable[[], bool]], T], request: Request) -> list[T]:
        """Do something with one text after the other in a thread, so that requests take turns. It ends early when the client leaves.

        Args:
            name: of the parameter with the texts, for messages.
            texts: from the request.
            work: calls the engine with a text, and may ask whether the client has left.
            request: whose client may leave.
        Raises:
            Problem: the engine refuses a text.
        """
        has_left = threading.Event()

        def work_on_all() -> list[T]:
            done = []
            for text in texts:
                if has_left.is_set():
                    raise Cancelled("the client has left")
                try:
                    done.append(work(text, has_left.is_set))
                except Refused as error:
                    raise Problem(400, PROMPT.sub(name, str(error), count=1), name) from None
            return done

        async with engine_stream.cancelled_if_client_leaves(request.receive, has_left.set):
            try:
                return await engine_stream.in_thread(self.executor, work_on_all)
            except ServingError as error:
                raise problems.from_engine(error) from None


def _list(model: ServedModel, data: bytes) -> Response:
    """Return a response with data that was encoded in a thread."""
    about = answers.encode({"object": "list", "model": model.id, "system_fingerprint": model.fingerprint})
    return Response(b'%b,"data":[%b]}' % (about[:-1], data), media_type=bodies.JSON)


def describe_score(score: Score, tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the score of a text, ready for JSON.

    The metrics are those of held-out text (docs/explanation/scoring.md): the first word is not scored, and each `<unk>` also costs its
    choice among the different unknown words of the text. They are None if nothing is scored.
    """
    tokens = [
        {"token": token, "surprisal": None if nats is None else nats / math.log(2), "unknown": number == 0}
        for token, number, nats in zip(score.tokens, score.ids, score.nats, strict=True)
    ]
    unknown = [token for token, number in zip(score.tokens, score.ids, strict=True) if number == 0]
    scored = sum(nats is not None for nats in score.nats)
    return {
        "tokens": tokens,
        "words": len(tokens),
        "scored_words": scored,
        "unknown_words": list(dict.fromkeys(unknown)),
        **_metrics(score, tokenizer),
    }


def encode_score(description: Mapping[str, Any]) -> bytes:
    """Return what `describe_score` returns as JSON."""
    others = answers.encode({name: value for name, value in description.items() if name != "tokens"})
    return b'{"tokens":%b,%b' % (answers.encode_list(description["tokens"]), others[1:])


def _metrics(score: Score, tokenizer: Tokenizer) -> dict[str, float | None]:
    known = dict.fromkeys(token for token, number in zip(score.tokens, score.ids, strict=True) if number)
    unknown = dict.fromkeys(token for token, number in zip(score.tokens, score.ids, strict=True) if not number)
    names = ("surprisal", "perplexity", "adjusted_perplexity", "bits_per_character", "unknown_rate")
    nats = [each for each in score.nats if each is not None]
    if not nats:
        return dict.fromkeys(names)
    # A vocabulary of the text's own, so that the work does not depend on the size of the model's.
    number_of = {("known", token): number for number, token in enumerate(known)}
    number_of |= {("unknown", token): len(known) + number for number, token in enumerate(unknown)}
    keys = [("known" if number else "unknown", token) for token, number in zip(score.tokens, score.ids, strict=True)]
    ids = np.array([number_of[key] for key in keys], np.int32)
    characters = units.characters(tokenizer, [*known, *unknown])
    about = describe_held_out(Part(ids, [Range("", 0, len(ids))]), characters, len(known))
    ratios = metrics_from_sums(sum(nats), about.scored_words, about.unknown_words, about.characters, about.unknown_types)
    values = {"surprisal": ratios["loss"] / math.log(2), **ratios, "unknown_rate": about.unknown_words / about.scored_words}
    return {name: float(values[name]) if math.isfinite(values[name]) else None for name in names}


def describe_next_words(found: NextWords) -> dict[str, Any]:
    """Return the next words after a prompt, ready for JSON. `unknown` is the probability of any word outside the vocabulary."""
    words = [
        {"word": word, "probability": math.exp(value), "log_probability": value}
        for word, value in zip(found.words, found.log_probabilities, strict=True)
    ]
    return {"words": words, "unknown": math.exp(found.unknown)}
