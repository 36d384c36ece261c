"""The model registry: logging the MLflow model of a run and registering it as a version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_lm.errors import UserError
from lstm_lm.tracking import champion, descriptions, logged_model, model_facts, promotion, store
from lstm_lm.tracking.champion import State
from lstm_lm.tracking.logged_model import DIGEST_TAG
from lstm_lm.tracking.mlflow_model import Sources
from lstm_lm.tracking.versions import MODEL_SCHEME, RUN_TAG, find_version, has_files, model_id_of, read, write_state

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import Tracking

TAGS = (DIGEST_TAG, champion.METRIC_TAG, champion.TEST_DIGEST_TAG)  # of a logged model that its version has too
METRIC = "test/adjusted_perplexity"  # of a run
MAX_RUNS = 20  # of one experiment, to look for a logged model
LOCK_SECONDS = 120  # how long to wait for another process at the same local store


@dataclass(frozen=True)
class ModelToLog:
    """A model and what is known about it. All of it can be kept as JSON, to log it later.

    Attributes:
        saved_model: folder of the SavedModel.
        serving_code: path of serving/pyfunc.py.
        registered_name: the model's name in the registry.
        register: whether it becomes a version, and the champion if it is better. Only the checkout's own pipeline registers its model.
        adjusted_perplexity: of the test text, if it was measured.
        test_digest: identifies the test text, see `encoded.test_digest`.
        serving_package: folder of lstm_lm_serving; None for a model that was kept before there was one.
        model_card: the model card, which describes the version; None if there is none.
    """

    saved_model: str
    serving_code: str
    registered_name: str
    register: bool
    adjusted_perplexity: float | None = None
    test_digest: str | None = None
    serving_package: str | None = None
    model_card: str | None = None

    @property
    def sources(self) -> Sources:
        """What the MLflow model is made of."""
        package = None if self.serving_package is None else Path(self.serving_package)
        return Sources(Path(self.saved_model), Path(self.serving_code), package)

    def tags(self, run_id: str) -> dict[str, str]:
        """Tags of its logged model and of its version."""
        tags = {RUN_TAG: run_id}
        if self.adjusted_perplexity is not None:
            tags[champion.METRIC_TAG] = f"{self.adjusted_perplexity:.6f}"
        if self.test_digest is not None:
            tags[champion.TEST_DIGEST_TAG] = self.test_digest
        return tags


@dataclass(frozen=True)
class Outcome:
    """What became of a model.

    Attributes:
        model_id: of the logged model: `models:/<model_id>` can be served.
        version: of the registered model, None if it is none.
        is_new: whether this call made the version.
        is_champion: whether the alias is on it.
        why_not: why it is not the champion, None if it is, or if it is no version.
    """

    model_id: str
    version: int | None
    is_new: bool = False
    is_champion: bool = False
    why_not: str | None = None


def log_model(client: MlflowClient, run_id: str, model: ModelToLog) -> Outcome:
    """Log the MLflow model to a run and, if it is to be registered, register it and decide whether it is the champion.

    It can be repeated, also after a call that failed halfway: there is one logged model of one run, and one version of one model.

    Args:
        client: see `store.connect`.
        run_id: the run that trained the weights.
        model: what to log.
    """
    sources = model.sources
    with _local_lock(client):
        tags = model.tags(run_id)
        model_id = logged_model.log(client, run_id, sources, tags)
        descriptions.describe_logged_model(client, model_id, run_id, model.model_card)
        if not model.register:
            return Outcome(model_id, None)
        tags = {**model_facts.version_tags(client.get_run(run_id)), **tags, DIGEST_TAG: sources.digest}
        description = descriptions.of_version(client, run_id, model.model_card) if model.model_card else None
        version, is_new = register(client, model.registered_name, model_id, tags, description)
        board = promotion.settle(client, model.registered_name, checked=version)
    return Outcome(model_id, version, is_new, version == board.champion, board.version(version).tags.get(champion.NOT_CHAMPION_TAG))


def register(client: MlflowClient, name: str, model_id: str, tags: dict[str, str], description: str | None = None) -> tuple[int, bool]:
    """Make a logged model a version, unless one with its digest exists.

    Args:
        client: see `store.connect`.
        name: of the registered model.
        model_id: of the logged model.
        tags: of the version.
        description: of the version; a user's own stays.
    Returns:
        (version, whether it is new).
    """
    _create_registered_model(client, name)
    promotion.keep_alias_moved_by_hand(client, name)
    existing = find_version(client, name, tags[DIGEST_TAG])
    if existing is not None and model_id_of(existing) == model_id:  # whose files are there, or have just been logged again
        if champion.FILES_MISSING_TAG in existing.tags:
            client.delete_model_version_tag(name, existing.version, champion.FILES_MISSING_TAG)
    elif existing is None or not has_files(client, existing):
        with logged_model.current_store(client.tracking_uri):
            source = f"{MODEL_SCHEME}{model_id}"
            facts = {"run_id": tags[RUN_TAG], "tags": tags, "description": description, "model_id": model_id}
            client.create_model_version(name, source, **facts, await_creation_for=0)
        number = _remove_duplicates(client, name, model_id)
        if existing is not None:
            _replace(client, name, int(existing.version), number)
        return number, True
    for key, value in tags.items():
        if key not in existing.tags:  # it was registered when less was known
            client.set_model_version_tag(name, existing.version, key, value)
    if existing.run_id == tags[RUN_TAG] or not existing.description:
        descriptions.describe_version(client, name, existing, description)
    return int(existing.version), False


def register_run(client: MlflowClient, name: str, run_id: str) -> int:
    """Make the newest logged model of a run a version, unless it is one.

    Raises:
        UserError: there is no such run, or it has no logged model with its files.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(f"the tracking store has no run {run_id}: see the runs with: make ui") from None
    logged = [each for each in logged_model.find(client, run_id=run_id) if logged_model.is_complete(client, each)]
    if not logged:
        raise UserError(f"run {run_id} has no logged model: it gets one from the stage evaluate-sample")
    known = {key: value for key, value in logged[-1].tags.items() if key in TAGS}
    tags = {**model_facts.version_tags(run), **known, RUN_TAG: run_id}
    if METRIC in run.data.metrics:
        tags.setdefault(champion.METRIC_TAG, f"{run.data.metrics[METRIC]:.6f}")
    model_card = descriptions.card_of_run(client, run_id)
    description = descriptions.of_version(client, run_id, model_card) if model_card else None
    with _local_lock(client):
        model_facts.log_metrics(client, logged[-1].model_id, run)
        descriptions.describe_logged_model(client, logged[-1].model_id, run_id, model_card)
        return register(client, name, logged[-1].model_id, tags, description)[0]


def find_experiment_run(client: MlflowClient, settings: Tracking, experiment: str) -> str | None:
    """Return the id of the newest run of a DVC experiment that has a logged model, or None."""
    quoted = experiment.replace("'", "")
    runs = client.search_runs([store.experiment_id(client, settings)], f"tags.`dvc.experiment` = '{quoted}'", max_results=MAX_RUNS)
    ids = (run.info.run_id for run in runs)
    return next((run_id for run_id in ids if any(map(logged_model.is_ready, logged_model.find(client, run_id=run_id)))), None)


def _replace(client: MlflowClient, name: str, old: int, new: int) -> None:
    """Put a version in the place of one with the same weights whose files are gone."""
    client.set_model_version_tag(name, str(old), champion.FILES_MISSING_TAG, promotion.now())
    state = read(client, name).state
    if old in state.history:
        history = tuple(new if number == old else number for number in state.history)
        write_state(client, name, State(history, state.through))


def _create_registered_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        descriptions.describe_model(client, name, client.get_registered_model(name).description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        try:
            client.create_registered_model(name, description=descriptions.of_model(name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process has just created it
                raise


def _remove_duplicates(client: MlflowClient, name: str, model_id: str) -> int:
    """Keep the first of several versions of one logged model: MLflow's client repeats a call whose answer was lost.

    Returns:
        Its number.
    """
    first, *others = [each for each in read(client, name).versions if model_id_of(each) == model_id]
    for duplicate in others:
        client.delete_model_version(name, duplicate.version)
    return int(first.version)


@contextmanager
def _local_lock(client: MlflowClient) -> Iterator[None]:
    """Let one process at a time log models to a local store. Without the lock the result is the same, after more work."""
    from filelock import FileLock, Timeout
    from sqlalchemy.engine import make_url

    address = str(client.tracking_uri)
    with ExitStack() as held:
        if address.startswith("sqlite"):
            with suppress(Timeout, OSError):
                held.enter_context(FileLock(f"{make_url(address).database}-models.lock", timeout=LOCK_SECONDS))
        yield
