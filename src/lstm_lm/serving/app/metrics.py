"""Metrics for Prometheus. With several workers, they are added up over files in the folder PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

if TYPE_CHECKING:
    from lstm_lm.serving.app.models import Models, ServedModel
    from lstm_lm.serving.app.prompt_log import PromptLog
    from lstm_lm.serving.app.records import Record
    from lstm_lm_serving.texts import Statistics

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
# Counters of the engine's statistics: field, name, help.
COUNTERS = (
    ("accepted", "requests_accepted", "requests for texts that the engine accepted"),
    (
        "refused",
        "requests_refused",
        "requests for texts that the engine refused: wrong, too much, or too busy; http_requests has those refused before",
    ),
    ("completed", "requests_completed", "requests whose texts are complete"),
    ("cancelled", "requests_cancelled", "requests whose client left"),
    ("expired", "requests_expired", "requests that were not complete at their deadline"),
    ("words", "words", "words generated"),
    ("prompt_words", "prompt_words", "words of prompts to continue"),
    ("known_words", "prompt_words_known", "words of prompts to continue that are in the vocabulary"),
    ("steps", "steps", "steps of the decode loop; words / steps is the mean number of rows"),
    ("busy_seconds", "busy_seconds", "seconds in which the decode loop ran"),
)
GAUGES = (
    ("rows", "rows", "texts in the batch"),
    ("waiting", "queue", "texts that wait for a place in the batch"),
    ("requests", "requests_running", "requests that are not complete"),
    ("words_per_second", "words_per_second", "words generated in a second, lately"),
)


class Metrics:
    """The metrics of a process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        """Create them.

        Args:
            registry: where; the default one has metrics of the process as well.
        """
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when a counter was first used is of no use
        self.registry = registry
        path = ["method", "path"]
        self.requests = Counter("lstm_lm_http_requests", "requests answered", [*path, "status"], registry=registry)
        self.seconds = Histogram(
            "lstm_lm_http_request_duration_seconds", "until the response ends", path, buckets=SECONDS, registry=registry
        )
        self.first_word = Histogram(
            "lstm_lm_first_word_seconds", "from a request's start to its first generated word", buckets=SECONDS, registry=registry
        )
        self.counters = {field: Counter(f"lstm_lm_{name}", text, ["model"], registry=registry) for field, name, text in COUNTERS}
        self.gauges = {
            field: Gauge(f"lstm_lm_{name}", text, ["model"], registry=registry, multiprocess_mode="livesum") for field, name, text in GAUGES
        }
        self.scored = Counter("lstm_lm_prompt_words_scored", "words of prompts that were scored, a sample", ["model"], registry=registry)
        self.bits = Counter("lstm_lm_prompt_bits", "sum of their surprisals, in bits", ["model"], registry=registry)
        self.drift = {
            name: Gauge(f"lstm_lm_{name}", text, ["model"], registry=registry, multiprocess_mode="mostrecent")
            for name, text in (
                ("prompt_surprisal_bits", "mean surprisal of a word of recent prompts"),
                ("prompt_unknown_ratio", "fraction of the words of all prompts that are not in the vocabulary"),
                ("validation_surprisal_bits", "mean surprisal of a word of the validation text"),
                ("validation_unknown_ratio", "fraction of the words of the validation text that are not in the vocabulary"),
            )
        }
        self.info = Gauge(
            "lstm_lm_model_info",
            "1 for each model that is served, 0 for those before",
            ["model", "version", "fingerprint", "run_id"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.prompts_logged = Counter("lstm_lm_prompts_logged", "prompts written to the folder of --log-prompts", registry=registry)
        self.prompts_not_logged = Counter("lstm_lm_prompts_not_logged", "prompts that could not be written there", registry=registry)
        self._last: dict[int, dict[str, float]] = {}  # by the id of the model in memory
        self._last_of_log = (0, 0)
        self._served: set[tuple[str, str, str, str]] = set()

    def record(self, method: str, path: str, record: Record) -> None:
        """Count a request that was answered."""
        self.requests.labels(method, path, str(record.status)).inc()
        self.seconds.labels(method, path).observe(record.seconds())
        if record.first_word_seconds is not None:
            self.first_word.observe(record.first_word_seconds)

    def update(self, held: Models) -> None:
        """Take the statistics of the engines, and of the log of prompts."""
        models = list(held.served)
        self._update_info(models)
        if held.prompt_log is not None:
            self._count_logged(held.prompt_log)
        for model in models:
            statistics = model.engine.statistics()
            self._count(model, statistics)
            for field, gauge in self.gauges.items():
                gauge.labels(model.id).set(getattr(statistics, field))
            self._update_drift(model, statistics)
        self._last = {key: values for key, values in self._last.items() if key in {id(model) for model in models}}

    def _count(self, model: ServedModel, statistics: Statistics) -> None:
        last = self._last.setdefault(id(model), {})
        values = {field: float(getattr(statistics, field)) for field in self.counters}
        values |= {"scored": float(model.drift.words), "bits": model.drift.bits}
        for field, counter in {**self.counters, "scored": self.scored, "bits": self.bits}.items():
            counter.labels(model.id).inc(max(0.0, values[field] - last.get(field, 0.0)))
        last.update(values)

    def _update_info(self, models: Iterable[ServedModel]) -> None:
        served = {(each.id, each.resolved.version or "", each.fingerprint, each.run_id or "") for each in models}
        for labels in self._served | served:
            self.info.labels(*labels).set(labels in served)
        self._served |= served

    def _count_logged(self, prompt_log: PromptLog) -> None:
        now = (prompt_log.logged, prompt_log.dropped)
        for counter, value, last in zip((self.prompts_logged, self.prompts_not_logged), now, self._last_of_log, strict=True):
            counter.inc(value - last)
        self._last_of_log = now

    def _update_drift(self, model: ServedModel, statistics: Statistics) -> None:
        values = {"prompt_surprisal_bits": model.drift.recent_bits()}
        if statistics.prompt_words:
            values["prompt_unknown_ratio"] = 1 - statistics.known_words / statistics.prompt_words
        if validation := model.loaded.validation:
            values |= {"validation_surprisal_bits": validation.bits, "validation_unknown_ratio": validation.unknown_rate}
        for name, value in values.items():
            if value is not None:
                self.drift[name].labels(model.id).set(value)

    def text(self) -> bytes:
        """Return all metrics, of all workers, as Prometheus reads them."""
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
