"""What the registry knows: the versions of a model, and which of them has the alias `champion` or `previous`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.tracking import champion, logged_model
from lstm_lm.tracking.champion import Candidate, State
from lstm_lm.tracking.logged_model import DIGEST_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

RUN_TAG = "lstm_lm.run_id"  # of a version: the run that trained the weights
MODEL_SCHEME = "models:/"
MAX_PAGE = 1000  # versions read in one call


@dataclass(frozen=True)
class Board:
    """All versions of a registered model, and where the aliases are.

    Attributes:
        versions: in order.
        alias: the version that has the alias `champion`, None if none has it.
        state: what was decided on purpose.
        previous_alias: the version that has the alias `previous`, None if none has it.
    """

    versions: list[ModelVersion]
    alias: int | None
    state: State
    previous_alias: int | None = None

    @property
    def candidates(self) -> list[Candidate]:
        """The versions as the decision needs them."""
        return [Candidate.from_tags(int(each.version), each.tags) for each in self.versions]

    @property
    def champions(self) -> list[int]:
        """The champions so far, oldest first."""
        return champion.champions(self.state, self.candidates)

    @property
    def champion(self) -> int | None:
        """The version that should have the alias."""
        numbers = self.champions
        return numbers[-1] if numbers else None

    @property
    def previous(self) -> int | None:
        """The version that should have the alias `previous`: a roll-back makes it the champion."""
        before = champion.before_champion(self.champions)
        return before[-1] if before else None

    def version(self, number: int) -> ModelVersion:
        """Return a version by its number."""
        return next(each for each in self.versions if int(each.version) == number)

    def candidate(self, number: int) -> Candidate:
        """Return a version by its number, as the decision needs it."""
        return next(each for each in self.candidates if each.number == number)


def read(client: MlflowClient, name: str) -> Board:
    """Read all that is known about a registered model; an unknown one has no versions."""
    from mlflow.exceptions import MlflowException

    try:
        model = client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return Board([], None, State())
    versions: list[Any] = []
    token = None
    while page := client.search_model_versions(f"name = '{name}'", max_results=MAX_PAGE, page_token=token):
        versions += page
        token = page.token
        if not token:
            break
    alias, previous = (model.aliases.get(each) for each in (champion.ALIAS, champion.PREVIOUS_ALIAS))
    state = State.from_json(model.tags.get(champion.STATE_TAG) or model.tags.get(champion.OLD_STATE_TAG))
    ordered = sorted(versions, key=lambda each: int(each.version))
    return Board(ordered, int(alias) if alias else None, state, int(previous) if previous else None)


def write_state(client: MlflowClient, name: str, state: State) -> None:
    """Record what was decided on purpose, in place of what was."""
    client.set_registered_model_tag(name, champion.STATE_TAG, state.to_json())
    if champion.OLD_STATE_TAG in client.get_registered_model(name).tags:
        client.delete_registered_model_tag(name, champion.OLD_STATE_TAG)


def find_version(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    """Return the newest version with a digest, one that has its files if possible, or None."""
    found = [each for each in read(client, name).versions if each.tags.get(DIGEST_TAG) == digest]
    return max(found, key=lambda each: (champion.FILES_MISSING_TAG not in each.tags, int(each.version)), default=None)


def model_id_of(version: ModelVersion) -> str | None:
    """Return the id of the logged model that was registered as a version, or None if it was registered in another way."""
    source = str(version.source)
    return source.removeprefix(MODEL_SCHEME) if source.startswith(MODEL_SCHEME) else None


def has_files(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether the store has the files of a version, as far as can be seen from here."""
    from mlflow.exceptions import MlflowException

    model_id = model_id_of(version)
    if model_id is None:
        return True
    try:
        model = client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    is_elsewhere = model.artifact_location.startswith(("file:", "/")) and not client.tracking_uri.startswith("sqlite")
    return is_elsewhere or logged_model.is_complete(client, model)  # another machine's folder cannot be seen from here


def model_uri(client: MlflowClient, name: str, digest: str, saved_model: Path) -> str | None:
    """Return the address of a model by its digest: of its version, else of its logged model; None if the store has neither with its files.

    Args:
        client: see `store.connect`.
        name: of the registered model.
        digest: see `mlflow_model.Sources`.
        saved_model: folder of the SavedModel, with which the files in the store are compared.
    """
    logged = {each.model_id: each for each in logged_model.find(client, digest) if logged_model.is_complete(client, each, saved_model)}
    version = find_version(client, name, digest)
    if version is not None and model_id_of(version) in logged:
        return f"{MODEL_SCHEME}{name}/{version.version}"
    return f"{MODEL_SCHEME}{next(iter(logged))}" if logged else None
