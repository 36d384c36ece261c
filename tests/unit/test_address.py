from pathlib import Path

import pytest

from lstm_lm.errors import SettingError, UserError
from lstm_lm.tracking import address
from mlflow_helpers import SETTINGS

TRACKING = SETTINGS.tracking


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder. The current folder is another one, as in an isolated experiment."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("sqlite:///mlflow.db", "sqlite:///{root}/mlflow.db"),
        ("sqlite:///../runs.db", "sqlite:///{root}/../runs.db"),
        ("sqlite:////srv/runs.db?timeout=30", "sqlite:////srv/runs.db?timeout=30"),
        ("mlruns", "file://{root}/mlruns"),
        ("file:mlruns", "file://{root}/mlruns"),
        ("/srv/mlruns", "file:///srv/mlruns"),
        ("http://host:5000", "http://host:5000"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("databricks", "databricks"),
    ],
)
@pytest.mark.parametrize("by_environment", [True, False])
def test_relative_addresses_are_those_of_the_project(
    given: str, expected: str, by_environment: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = TRACKING
    if by_environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    else:
        tracking = TRACKING.model_copy(update={"uri": given})
    assert address.uri(tracking) == expected.format(root=root)
    assert address.environment(tracking)["MLFLOW_TRACKING_URI"] == address.uri(tracking)


@pytest.mark.parametrize("given", ["sqlite://", "sqlite:///:memory:", "sqlite://host/file"])
def test_a_sqlite_address_without_a_file_is_a_one_line_error(given: str) -> None:
    with pytest.raises(UserError, match=r"names no file: write sqlite:///mlflow\.db"):
        address.uri(TRACKING.model_copy(update={"uri": given}))


@pytest.mark.parametrize(
    ("uri", "artifacts", "expected"),
    [
        (None, None, "file://{root}/mlartifacts/lstm_lm"),
        ("sqlite:////srv/team/runs.db", None, "file:///srv/team/mlartifacts/lstm_lm"),
        ("http://host", None, None),
        ("http://host", "s3://bucket/path/", "s3://bucket/path/lstm_lm"),
        ("postgresql://host/db", "shared folder", "file://{root}/shared%20folder/lstm_lm"),
    ],
)
def test_artifacts_are_kept_beside_the_store_or_where_the_parameter_says(
    uri: str | None, artifacts: str | None, expected: str | None, root: Path
) -> None:
    location = address.artifact_location(TRACKING.model_copy(update={"uri": uri, "artifacts": artifacts}))
    assert location == (expected and expected.format(root=root))


def test_a_database_on_a_server_needs_a_place_for_artifacts() -> None:
    with pytest.raises(SettingError, match=r"tracking\.artifacts: .* needs a place for artifacts that all its users reach"):
        address.artifact_location(TRACKING.model_copy(update={"uri": "postgresql://host/db"}))


def test_the_limits_of_our_own_calls_are_not_those_of_the_programs_that_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in address.environment(TRACKING)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "99")
    assert address.environment(TRACKING)["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"
