"""The files in monitoring/, as tests read them."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

from conftest import PROJECT

FOLDER = PROJECT / "monitoring"
DASHBOARD = FOLDER / "grafana/dashboards/lstm_lm.json"
NAME = re.compile(r"\blstm_lm[\w:]*")


def read_yaml(name: str) -> Any:
    return YAML(typ="safe").load((FOLDER / name).read_text(encoding="utf-8"))


def dashboard() -> dict[str, Any]:
    contents: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return contents


def panels() -> list[dict[str, Any]]:
    """The panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Yield (panel and letter, PromQL) of all panels, with Grafana's variables replaced."""
    for panel in panels():
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")


def rules() -> list[dict[str, Any]]:
    """The rules of all groups."""
    return [rule for group in read_yaml("prometheus/rules.yml")["groups"] for rule in group["rules"]]


def metric_names(expression: str) -> set[str]:
    """The names of metrics in PromQL: words that begin as ours do, outside quotes."""
    return set(NAME.findall(re.sub(r'"[^"]*"', "", expression)))
