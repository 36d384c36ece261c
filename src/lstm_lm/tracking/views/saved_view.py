"""A saved view: a page of an experiment whose columns, order and charts are set up. MLflow keeps it as a tag of the experiment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

VERSION = 3  # of the views' states: a change of any of them needs the next number, see `SavedView.replaces`
TAG_PREFIX = "mlflow.sharedViewState."
MODE_PARAMETER = {"table": {}, "charts": {"compareRunsMode": "CHART"}, "artifacts": {"compareRunsMode": "ARTIFACT"}}


@dataclass(frozen=True)
class SavedView:
    """A page of the experiment.

    Attributes:
        key: names the view in addresses and in its tag.
        title: as MLflow's menu of views shows it.
        mode: what the page shows beside or instead of the list of runs. MLflow does not save it: it is part of the address.
        state: what MLflow's pages save of a view: columns, order of runs, and charts.
    """

    key: str
    title: str
    mode: Literal["table", "charts", "artifacts"]
    state: Mapping[str, object]

    @property
    def tag(self) -> str:
        """The name of the experiment's tag."""
        return TAG_PREFIX + self.key

    def address(self, experiment_id: str) -> str:
        """Return the view's address, relative to that of MLflow's pages.

        MLflow shows its pages for training models, instead of those for language model applications, if the address says so.
        """
        parameters = {"viewStateShareKey": self.key, **MODE_PARAMETER[self.mode], "workflowType": "machine_learning"}
        return f"#/experiments/{experiment_id}/runs?{urlencode(parameters)}"

    def value(self, created: int) -> str:
        """Return the value of the tag: JSON inside JSON, as MLflow's pages write it, and the number of the version.

        Args:
            created: milliseconds since 1970. MLflow's menu lists the view that was created last first.
        """
        state = json.dumps(self.state, separators=(",", ":"))
        return json.dumps({"name": self.title, "createdAt": created, "updatedAt": created, "lstm_lm_version": VERSION, "state": state})

    def replaces(self, value: str | None) -> bool:
        """Whether this view is to be written in the place of a tag.

        Args:
            value: of the tag, or None if there is none. An older version of the view is replaced, unless its user has changed it:
                MLflow's pages then note when, and drop the number of the version.
        """
        if value is None:
            return True
        try:
            saved = json.loads(value)
            is_unchanged = saved["createdAt"] == saved["updatedAt"]
        except (ValueError, TypeError, KeyError):
            return False
        version = saved.get("lstm_lm_version", 1)
        return bool(is_unchanged and isinstance(version, int) and version < VERSION)
