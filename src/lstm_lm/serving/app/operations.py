"""Endpoints for those who run the server: health, metrics, reload; and what a page needs to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from fastapi import Response

from lstm_lm.serving.app import metrics as metrics_module
from lstm_lm.serving.app.answers import JsonAnswer
from lstm_lm.serving.app.metrics import Metrics
from lstm_lm.serving.app.models import Models
from lstm_lm.serving.app.problems import Problem


class Operations:
    """Answers the operators.

    Attributes:
        is_draining: the server is about to stop.
    """

    def __init__(
        self, models: Models, metrics: Metrics, reload_others: Callable[[], None] | None = None, example_prompts: Sequence[str] = ()
    ) -> None:
        """Take what is served.

        Args:
            models: of the server.
            metrics: of this process.
            reload_others: asks the other workers to reload too; None: there are none.
            example_prompts: what one may type, if the model knows all words of it.
        """
        self.models, self.metrics, self.reload_others = models, metrics, reload_others
        self.example_prompts = example_prompts
        self.is_draining = False

    async def healthz(self) -> Response:
        """Whether the process answers: if not, it should be started again."""
        return JsonAnswer({"status": "ok"})

    async def readyz(self) -> Response:
        """Whether requests should be sent here.

        Raises:
            Problem: 503, not any more.
        """
        if self.is_draining:
            raise Problem(503, "the server is shutting down")
        return JsonAnswer({"status": "ready", "models": [model.id for model in self.models.served]})

    async def prometheus(self) -> Response:
        """The metrics."""
        self.metrics.update(self.models)
        return Response(await asyncio.to_thread(self.metrics.text), media_type=metrics_module.CONTENT_TYPE)

    async def reload(self) -> Response:
        """Take the models that the registry, or the checkout, has now. Answers when this process serves them.

        Raises:
            Problem: they cannot be loaded.
        """
        if self.reload_others is not None:
            self.reload_others()
        return JsonAnswer({"models": await self.models.reload()})

    async def list_models(self) -> Response:
        """The models, as OpenAI's clients list them."""
        return JsonAnswer({"object": "list", "data": [model.describe() for model in self.models.served]})

    async def describe_model(self, name: str) -> Response:
        """One model.

        Raises:
            Problem: there is none with this id.
        """
        return JsonAnswer(self.models.find(name).describe())

    async def options(self) -> Response:
        """The table of generation options, for the controls of a page; of the first model."""
        model = self.models.served[0]
        names = {row["name"]: name for name, row in model.checker.rows.items()}
        most = model.engine.limits.max_score_characters
        logs_prompts = self.models.prompt_log is not None
        example = next(filter(model.knows, self.example_prompts), None)
        about = {"names": names, "max_score_characters": most, "logs_prompts": logs_prompts, "example_prompt": example}
        return JsonAnswer({**model.engine.table, **about})
