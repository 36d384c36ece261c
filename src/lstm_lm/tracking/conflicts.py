"""Two processes that write the same row of a store at the same moment, as two pipelines do that finish together.

MLflow looks whether there is a tag, an alias or a dataset, and then inserts it or updates it. If another process inserts it in between,
the database refuses the second insertion, and MLflow raises that as an error. Nothing of the refused call was written, and the row of the
other process is there, so that the same call, made again, updates it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from mlflow import MlflowClient

P = ParamSpec("P")
T = TypeVar("T")

MAX_TRIES = 5  # the second one succeeds, unless a third process has removed the row again
# In the words of SQLite, PostgreSQL, MySQL and SQL Server, also where a server passes them on.
CONFLICT = re.compile("UNIQUE constraint|duplicate key|Duplicate entry", re.IGNORECASE)
# Those that insert or update. `log_batch` and the calls that create something handle conflicts themselves. `set_registered_model_alias` is
# not among them: what the other process has written may change which version the alias belongs on, see `promotion.settle`.
CALLS = (
    "log_inputs",
    "set_experiment_tag",
    "set_model_version_tag",
    "set_registered_model_tag",
    "set_tag",
)


def repeat_on_conflict(client: MlflowClient) -> None:
    """Let a client repeat the calls that meet another process's."""
    for name in CALLS:
        setattr(client, name, _repeated(getattr(client, name)))


def is_conflict(error: Exception) -> bool:
    """Whether a call failed, and wrote nothing, because another process has just inserted the same row."""
    return CONFLICT.search(str(error)) is not None


def _repeated(call: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(call)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(MAX_TRIES - 1):
            try:
                return call(*args, **kwargs)
            except Exception as error:
                if not is_conflict(error):
                    raise
        return call(*args, **kwargs)

    return repeated
