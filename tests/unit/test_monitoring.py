"""monitoring/: what can be known of Prometheus's and Grafana's files without them, and promtool's own checks where it is installed."""

import re
import shutil
import subprocess

import pytest
from prometheus_client import CollectorRegistry

from conftest import PROJECT
from lstm_lm.serving.app.metrics import Metrics
from lstm_lm.serving.app.settings import ServerSettings
from monitoring_files import FOLDER, dashboard, metric_names, panels, queries, read_yaml, rules

PROMTOOL = shutil.which("promtool")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def known_names() -> set[str]:
    registry = CollectorRegistry()
    Metrics(registry)
    served = {f"{each.name}{suffix}" for each in registry.collect() for suffix in SUFFIXES[each.type]}
    return served | {rule["record"] for rule in rules() if "record" in rule}


def test_every_query_names_metrics_of_the_server_or_recorded_ones() -> None:
    known = known_names()
    expressions = {**{f"panel {title}": query for title, query in queries()}, **{str(rule): rule["expr"] for rule in rules()}}
    assert len(expressions) > 20
    for where, expression in expressions.items():
        names = metric_names(expression)
        assert names or "up{" in expression, where
        assert names <= known, where


def test_every_metric_of_the_server_is_documented() -> None:
    documented = (PROJECT / "docs/how-to/serve.md").read_text(encoding="utf-8")
    registry = CollectorRegistry()
    Metrics(registry)
    for metric in registry.collect():
        name = metric.name.removeprefix("lstm_lm_") + ("_total" if metric.type == "counter" else "")
        assert f"`{name}`" in documented, name


def test_the_panels_of_the_dashboard_do_not_overlap_and_each_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["description"].endswith("."), panel["title"]
        assert panel["type"] in ("timeseries", "stat", "table")
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b|:ratio1h|:mean1h", target["expr"]), panel["title"]


def test_datasource_dashboard_and_addresses_fit_together() -> None:
    [source] = read_yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}
    services = read_yaml("compose.yml")["services"]
    assert f"--web.listen-address={source['url'].removeprefix('http://')}" in services["prometheus"]["command"]
    [job] = read_yaml("prometheus/prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{ServerSettings().port}"]}]
    assert {rule["alert"] for rule in rules() if "alert" in rule} <= set(re.findall(r"LstmLm\w+", documentation()))


def documentation() -> str:
    return (PROJECT / "docs/how-to/monitor.md").read_text(encoding="utf-8")


def test_the_containers_get_files_that_exist_and_send_nothing_home() -> None:
    services = read_yaml("compose.yml")["services"]
    for service in services.values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (FOLDER / source).is_dir(), volume
    grafana = services["grafana"]
    variables = grafana["environment"]
    assert {variables[name] for name in variables if name.startswith(("GF_ANALYTICS", "GF_NEWS"))} == {"false"}
    [provider] = read_yaml("grafana/provisioning/dashboards/lstm_lm.yml")["providers"]
    assert provider["options"]["path"] == "${LSTM_LM_DASHBOARDS}"
    assert f"./grafana/dashboards:{variables['LSTM_LM_DASHBOARDS']}:ro" in grafana["volumes"]


@pytest.mark.skipif(not PROMTOOL, reason="needs promtool (Debian's package prometheus)")
@pytest.mark.parametrize("arguments", ["check config prometheus.yml", "check rules rules.yml", "test rules rules_test.yml"])
def test_promtool_accepts_the_configuration_and_the_rules_fire_when_they_should(arguments: str) -> None:
    command = [str(PROMTOOL), *arguments.split()]
    done = subprocess.run(command, cwd=FOLDER / "prometheus", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
