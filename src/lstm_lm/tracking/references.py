"""The models that an evaluated model is compared with: the champion, and the one from whose weights its training started."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lstm_lm.errors import UserError
from lstm_lm.tracking import logged_model, store, trained_models, versions
from lstm_lm.tracking.champion import TEST_DIGEST_TAG
from lstm_lm.tracking.guard import bounded
from lstm_lm.tracking.logged_model import DIGEST_TAG
from lstm_lm.tracking.mirroring import PROXY_TAG
from lstm_lm.tracking.model_facts import NAME_TAG
from lstm_lm.tracking.run import find_run, is_known
from lstm_lm.tracking.trained_models import INIT_TAG
from lstm_lm.tracking.versions import RUN_TAG
from lstm_lm.ui import tracking_messages

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from lstm_lm.config.schema import Tracking

T = TypeVar("T")

METRICS_FILE = "metrics.json"  # an artifact of each run
IN_STORE = ("runs:/", "models:/")
STARTED_FROM = re.compile(r"(?:models:/(?P<name>[^/]+)/(?P<version>\d+)|\S+) of run (?P<run>\S+?)(?::|$)")  # see TrainedModel.description
METRICS = ("perplexity", "perplexity_low", "perplexity_high", "adjusted_perplexity", "bits_per_character")


@dataclass(frozen=True)
class Reference:
    """Another model and its metrics of its test text, None where they are not known.

    Attributes:
        name: such as "version 1, default".
        run_id: the run that trained it; None for weights from a folder, and if the store has the run no more.
        same_text: whether its test text is that of the evaluated model, in the same tokens; None if that is not known.
        perplexity, perplexity_low, perplexity_high, adjusted_perplexity, bits_per_character: as in reports/metrics.json.
    """

    name: str
    run_id: str | None
    same_text: bool | None
    perplexity: float | None = None
    perplexity_low: float | None = None
    perplexity_high: float | None = None
    adjusted_perplexity: float | None = None
    bits_per_character: float | None = None


@dataclass(frozen=True)
class Evaluated:
    """The model that is evaluated.

    Attributes:
        run_id: the run that trained its weights.
        created: the run that `mlflow run` has created for this process, or None.
        model_digest: see `own_model.digest`.
        init_from: `train.init_from`.
        test_digest: of its test text, see `encoded.digest_of_test_text`.
    """

    run_id: str
    created: str | None
    model_digest: str
    init_from: str | None
    test_digest: str | None


def find(client: MlflowClient | None, settings: Tracking, evaluated: Evaluated) -> dict[str, dict[str, Any] | None]:
    """Return what the store knows about the models to compare with. A store that fails is no reason not to evaluate.

    Args:
        client: see `store.connect`; None, if the store does not answer.
        settings: the section `tracking`.
        evaluated: the model to compare.
    Returns:
        {"champion": as `Reference`, or None, "parent": the same}
    """

    def ask(model: str, work: Callable[[MlflowClient, Tracking, Evaluated], Reference | None]) -> dict[str, Any] | None:
        if client is None:
            return None
        try:
            reference = bounded(lambda: work(client, settings, evaluated), store.place(settings))
        except UserError as error:
            tracking_messages.warn_no_reference(str(error), model)
            return None
        return None if reference is None else asdict(reference)

    return {"champion": ask("the champion", _champion), "parent": ask("the model that the training started from", _parent)}


def _champion(client: MlflowClient, settings: Tracking, evaluated: Evaluated) -> Reference | None:
    """Return the champion. If that is the evaluated model itself, the one before it: evaluated again, it has the same reference."""
    proxy = find_run(client, settings, f"tags.`{PROXY_TAG}` = '{evaluated.run_id}'")
    own_runs = {evaluated.run_id, evaluated.created, proxy} - {None}
    board = versions.read(client, settings.registered_model)

    def is_other(version: ModelVersion) -> bool:
        # A second training with the same result has a run of its own, but no version.
        return not {version.run_id, version.tags.get(RUN_TAG)} & own_runs and version.tags.get(DIGEST_TAG) != evaluated.model_digest

    others = [each for each in map(board.version, board.champions) if is_other(each)]
    return _of_version(client, others[-1], evaluated) if others else None


def _parent(client: MlflowClient, settings: Tracking, evaluated: Evaluated) -> Reference | None:
    if evaluated.init_from is None:
        return None
    if not evaluated.init_from.startswith(IN_STORE):
        return Reference(evaluated.init_from, None, None)
    # The run knows which version an alias was; its tags may still be on their way to the store.
    tags = client.get_run(evaluated.run_id).data.tags if is_known(client, evaluated.run_id, settings) else {}
    found = STARTED_FROM.match(tags.get(INIT_TAG, "")) or STARTED_FROM.match(trained_models.find(client, evaluated.init_from).description)
    assert found is not None
    if found["version"] and (version := _existing(lambda: client.get_model_version(found["name"], found["version"]))):
        return _of_version(client, version, evaluated)
    run = _existing(lambda: client.get_run(found["run"]))
    if run is None:
        return Reference(evaluated.init_from, None, None)
    logged = logged_model.find(client, run_id=found["run"])
    digest = next((each.tags[TEST_DIGEST_TAG] for each in logged if TEST_DIGEST_TAG in each.tags), None)
    return _of_run(client, run, run.info.run_name or found["run"], _is_same(digest, evaluated))


def _existing(get: Callable[[], T]) -> T | None:
    """Return what the store has, or None if it was deleted there: `mlflow gc` removes runs for good."""
    from mlflow.exceptions import MlflowException

    try:
        return get()
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _of_version(client: MlflowClient, version: ModelVersion, evaluated: Evaluated) -> Reference:
    run_id = version.tags.get(RUN_TAG) or version.run_id
    run = _existing(lambda: client.get_run(run_id)) if run_id else None
    is_same = _is_same(version.tags.get(TEST_DIGEST_TAG), evaluated)
    run_name = (run.info.run_name or run_id) if run else version.tags.get(NAME_TAG)
    name = ", ".join([f"version {version.version}", *([run_name] if run_name else [])])
    return _of_run(client, run, name, is_same) if run else Reference(name, None, is_same)


def _is_same(digest: str | None, evaluated: Evaluated) -> bool | None:
    return None if digest is None or evaluated.test_digest is None else digest == evaluated.test_digest


def _of_run(client: MlflowClient, run: Run, name: str, is_same: bool | None) -> Reference:
    """Return a reference with the metrics of its run: those of its reports/metrics.json, or, without intervals, those that it logged."""
    logged = run.data.metrics
    metrics = {metric: logged[f"test/{metric}"] for metric in METRICS if f"test/{metric}" in logged}
    return Reference(name, run.info.run_id, is_same, **metrics | _reported(client, run.info.run_id))


def _reported(client: MlflowClient, run_id: str) -> dict[str, float]:
    """Return the metrics of the test text in a run's metrics.json; none, if it cannot be read."""
    with tempfile.TemporaryDirectory() as folder, suppress(Exception):  # the artifacts may be out of reach while the store answers
        text = Path(client.download_artifacts(run_id, METRICS_FILE, folder)).read_text(encoding="utf-8")
        test = json.loads(text)["test"]
        return {metric: float(test[metric]) for metric in METRICS if metric in test}
    return {}
