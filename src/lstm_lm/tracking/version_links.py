"""The links from logged models to the versions they are registered as: a tag, which MLflow's pages of a model show.

MLflow's server adds to this tag when a version is created. It does so over HTTP only, and nothing removes a version that was deleted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lstm_lm.tracking.versions import Board, model_id_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

TAG = "mlflow.modelVersions"  # of a logged model: JSON, [{"name": ..., "version": ...}, ...]


def update(client: MlflowClient, name: str, board: Board) -> None:
    """Make the tags of all logged models say which versions they are now.

    Args:
        client: see `store.connect`.
        name: of the registered model. Versions of other registered models stay as they are.
        board: all versions of it.
    """
    numbers = defaultdict(list)
    for version in board.versions:
        if model_id := model_id_of(version):
            numbers[model_id].append(int(version.version))
    linked = {model.model_id: model for model in _linked(client, name)}
    unlinked = {model_id: _get(client, model_id) for model_id in numbers if model_id not in linked}
    for model_id, model in {**linked, **unlinked}.items():
        if model is None:
            continue
        before = model.tags.get(TAG)
        others = [each for each in _entries(before) if each.get("name") != name]
        ours = [{"name": name, "version": number} for number in numbers[model_id]]
        after = sorted([*others, *ours], key=lambda each: str(each.get("name")))
        if after == _entries(before):
            continue
        if after:
            client.set_logged_model_tags(model_id, {TAG: json.dumps(after)})
        else:
            client.delete_logged_model_tag(model_id, TAG)


def _linked(client: MlflowClient, name: str) -> Iterator[LoggedModel]:
    """Yield the logged models whose tag names the registered model."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    condition = f"tags.`{TAG}` LIKE '%{json.dumps(name)}%'"
    token = None
    while experiments:
        page: Any = client.search_logged_models(experiments, condition, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _get(client: MlflowClient, model_id: str) -> LoggedModel | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _entries(tag: str | None) -> list[dict[str, Any]]:
    """Read the tag; it is empty if there is none, or none that can be read."""
    try:
        entries = json.loads(tag or "[]")
    except ValueError:
        return []
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
