"""The models that a server serves, and how a newer one takes the place of an older one without dropping a request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lstm_lm.errors import UserError
from lstm_lm.serving.app import log, sources
from lstm_lm.serving.app.completion_request import RequestChecker
from lstm_lm.serving.app.drift import Drift
from lstm_lm.serving.app.problems import Problem

if TYPE_CHECKING:
    from lstm_lm.serving.app.prompt_log import PromptLog
    from lstm_lm.serving.app.sources import Loaded, Resolved
    from lstm_lm_serving.engine import Engine
    from lstm_lm_serving.texts import Score


@dataclass
class ServedModel:
    """A model in memory. Its numbers of users change in the event loop only.

    Attributes:
        id: under which clients ask for it.
        resolved: what it is.
        loaded: as MLflow loaded it.
        users: requests that use it now.
        is_retired: a newer model has taken its place: the engine is closed when the last user is done.
    """

    id: str
    resolved: Resolved
    loaded: Loaded
    created: int = field(default_factory=lambda: int(time.time()))
    users: int = 0
    is_retired: bool = False

    def __post_init__(self) -> None:
        self.checker = RequestChecker(self.engine.table)
        self.drift = Drift(self.score)

    def score(self, text: str, should_stop: Callable[[], bool] = lambda: False) -> Score:
        """Score a text, as `Engine.score`."""
        return self.engine.score(text, self.loaded.tokenizer.tokenize, should_stop)

    @cached_property
    def known(self) -> frozenset[str]:
        """The words that it knows."""
        return frozenset(self.engine.vocabulary[1:])

    def knows(self, text: str) -> bool:
        """Whether it knows all words of a text."""
        return self.known.issuperset(self.loaded.tokenizer.tokenize(text))

    @property
    def engine(self) -> Engine:
        """Its engine."""
        return self.loaded.engine

    @property
    def run_id(self) -> str | None:
        """The MLflow run that trained it, if it is known."""
        run_id: str | None = self.loaded.pyfunc.metadata.run_id
        return run_id

    @property
    def fingerprint(self) -> str:
        """Identifies the weights, for clients that compare answers."""
        return f"fp_{self.loaded.digest[:12]}"

    def describe(self) -> dict[str, Any]:
        """Return the model as OpenAI's protocol describes models, with a few facts more."""
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": "lstm_lm",
            "version": self.resolved.version,
            "run_id": self.run_id,
            "system_fingerprint": self.fingerprint,
            "vocabulary_size": len(self.engine.vocabulary),
            "sentence_ends": self.engine.sentence_ends,
        }

    def close(self) -> None:
        """Close the engine; waits until its thread has ended."""
        self.drift.close()
        self.loaded.close()
        log.event("closed", model=self.id, address=self.resolved.address)


def load(source: str | None) -> ServedModel:
    """Find and load a model; its id is the name of its source, see `sources.ids`.

    Args:
        source: see `sources.resolve`.
    Raises:
        UserError: it cannot be found or loaded.
    """
    resolved = sources.resolve(source)
    return ServedModel(resolved.name, resolved, sources.load(resolved))


class Models:
    """The models of a server. The first one is meant where a client names none."""

    def __init__(self, named: Sequence[str | None], served: Sequence[ServedModel], prompt_log: PromptLog | None = None) -> None:
        """Take models that were loaded.

        Args:
            named: what the user named, one for each model, to look it up again.
            served: the models.
            prompt_log: where prompts are logged; None: nowhere.
        """
        self.named = list(named)
        self.served = list(served)
        self.prompt_log = prompt_log
        self._reloading = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    def find(self, name: str | None) -> ServedModel:
        """Return a model by its id.

        Raises:
            Problem: there is none with this id.
        """
        if name is None:
            return self.served[0]
        for model in self.served:
            if model.id == name:
                return model
        ids = " and ".join(model.id for model in self.served)
        raise Problem(404, f"the model {name[:100]!r} does not exist: there is {ids}", "model", "model_not_found")

    @contextmanager
    def use(self, name: str | None = None) -> Iterator[ServedModel]:
        """Keep a model open while a request uses it. Only in the event loop."""
        model = self.find(name)
        model.users += 1
        try:
            yield model
        finally:
            model.users -= 1
            self._close_if_unused(model)

    def take_prompts(self, model: ServedModel, prompts: Sequence[str], request_id: str) -> None:
        """Score one of the prompts of an accepted request in the background, and log all if they are to be logged. Never waits."""
        model.drift.offer(prompts)
        if self.prompt_log is not None:
            self.prompt_log.offer(model, prompts, request_id)

    def _close_if_unused(self, model: ServedModel) -> None:
        if model.is_retired and model.users == 0:
            task = asyncio.create_task(asyncio.to_thread(model.close))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def reload(self) -> list[dict[str, Any]]:
        """Look every model up again, and replace those that have changed. Requests that run keep their model to their end.

        Returns:
            For each model its id, the versions or addresses before and after, and whether it was replaced.
        Raises:
            Problem: another reload is running, or a model cannot be loaded: the old one stays.
        """
        if self._reloading.locked():
            raise Problem(409, "a reload is running already")
        async with self._reloading:
            try:
                return [await self._reload(number) for number in range(len(self.served))]
            except UserError as error:
                log.event("reload failed", logging.ERROR, message=str(error))
                raise Problem(409, f"reload failed, the old model stays: {error}") from None

    async def _reload(self, number: int) -> dict[str, Any]:
        started, old = time.perf_counter(), self.served[number]
        resolved = await asyncio.to_thread(sources.resolve, self.named[number])
        outcome: dict[str, Any] = {"model": old.id, "before": old.resolved.address, "now": resolved.address}
        if (resolved.address, resolved.digest) == (old.resolved.address, old.resolved.digest):
            log.event("reload", **outcome, replaced=False)
            return {**outcome, "replaced": False}
        new = await asyncio.to_thread(lambda: ServedModel(old.id, resolved, sources.load(resolved)))
        self.served[number] = new
        old.is_retired = True
        self._close_if_unused(old)
        log.event("reload", **outcome, replaced=True, seconds=round(time.perf_counter() - started, 1))
        return {**outcome, "replaced": True}

    def close(self) -> None:
        """Close all engines, and the log of prompts."""
        if self.prompt_log is not None:
            self.prompt_log.close()
        for model in self.served:
            model.close()
