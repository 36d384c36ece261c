"""/v1/completions: texts as OpenAI's clients ask for them, at once or as server-sent events."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from lstm_lm.serving.app import bodies, engine_stream, problems, records
from lstm_lm.serving.app.answers import JsonAnswer, encode
from lstm_lm.serving.app.completion_format import Answer
from lstm_lm.serving.app.completion_request import Completions, in_their_names
from lstm_lm.serving.app.models import Models, ServedModel
from lstm_lm.serving.app.option_names import NAMES
from lstm_lm.serving.app.problems import Problem
from lstm_lm_serving.errors import Cancelled, Refused, ServingError
from lstm_lm_serving.stream import Stream

PATH = "/v1/completions"
CHAT = "this model completes text and knows no roles: send a prompt to /v1/completions instead of messages to /v1/chat/completions"
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


class CompletionsEndpoint:
    """Answers POST /v1/completions."""

    def __init__(self, models: Models, request_seconds: float) -> None:
        """Take what is served.

        Args:
            models: of the server.
            request_seconds: until an answer must be complete.
        """
        self.models, self.request_seconds = models, request_seconds

    async def post(self, request: Request) -> Response:
        """Check the request; its texts are generated while the response is sent.

        Raises:
            Problem: it is not allowed.
        """
        bodies.check_media_type(request.headers)
        body = bodies.parse_object(await request.body())
        name = body.get("model")
        model = self.models.find(name if isinstance(name, str) else None)
        return _Generation(self, model.checker.check(body))

    async def chat(self) -> Response:
        """Refuse a conversation."""
        raise Problem(400, CHAT, "messages", "unsupported_endpoint")

    def submit(self, model: ServedModel, wanted: Completions, request_id: str) -> Stream:
        """Start to generate.

        Args:
            model: that generates.
            wanted: a request that was checked.
            request_id: of the request.
        Raises:
            Problem: the engine refuses it.
        """
        try:
            stream = model.engine.submit(wanted.texts, self.request_seconds)
        except ServingError as error:
            problem = problems.from_engine(error)
            if isinstance(error, Refused):
                problem.message = in_their_names(problem.message, len(wanted.texts))
                problem.param = NAMES.get(problem.param or "", problem.param)
            raise problem from None
        self.models.take_prompts(model, [text.prompt for text in wanted.texts], request_id)
        return stream


class _Generation(Response):
    """The response to a request that was checked."""

    def __init__(self, endpoint: CompletionsEndpoint, wanted: Completions) -> None:
        super().__init__()
        self.endpoint, self.wanted = endpoint, wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.endpoint.models.use(self.wanted.model) as model:
            try:
                stream = self.endpoint.submit(model, self.wanted, records.of(scope).id)
            except Problem as problem:
                await problem.answer(PATH)(scope, receive, send)
                return
            answer = Answer(self.wanted, model.id, model.fingerprint)
            async with engine_stream.cancelled_if_client_leaves(receive, stream.cancel):
                if self.wanted.stream:
                    await _send_events(scope, send, stream, answer)
                else:
                    await (await _whole(scope, stream, answer))(scope, receive, send)


async def _whole(scope: Scope, stream: Stream, answer: Answer) -> Response:
    record = records.of(scope)
    try:
        async for pieces in engine_stream.pieces(stream):
            record.count_words(sum(piece.count for piece in pieces))
            answer.add(pieces)
    except ServingError as error:
        return problems.from_engine(error).answer(PATH)
    return JsonAnswer(answer.whole(stream.prompts))


async def _send_events(scope: Scope, send: Send, stream: Stream, answer: Answer) -> None:
    record = records.of(scope)
    await send({"type": "http.response.start", "status": 200, "headers": EVENTS})

    async def send_events(events: list[Any], is_last: bool = False) -> None:
        data = b"".join(b"data: " + (event if isinstance(event, bytes) else encode(event)) + b"\n\n" for event in events)
        await send({"type": "http.response.body", "body": data, "more_body": not is_last})

    try:
        async for pieces in engine_stream.pieces(stream):
            record.count_words(sum(piece.count for piece in pieces))
            await send_events(answer.chunks(pieces))
    except Cancelled:  # nobody reads any more
        return
    except ServingError as error:
        await send_events([problems.from_engine(error).content(PATH)], is_last=True)
        return
    ending: list[Any] = [answer.last_chunk(stream.prompts)] if answer.wanted.include_usage else []
    await send_events([*ending, b"[DONE]"], is_last=True)
