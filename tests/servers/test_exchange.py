"""What several checkouts share: data, models and experiments through DVC and Git, runs and versions through an MLflow server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import COMMIT, change_params, digests, environment, move_copy, run, run_id
from database_server import PASSWORD, postgresql
from mlflow_server import MlflowServer
from s3_server import S3, s3_server

if TYPE_CHECKING:
    from mlflow import MlflowClient

pytestmark = pytest.mark.slow
DVC = ["python", "-m", "dvc"]
OUTPUTS = ("data/raw", "data/vocab", "data/batches", "models/weights", "models/saved_model")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        for bucket in ("shared", "mlflow"):
            server.client().create_bucket(Bucket=bucket)
        yield server


def share(project: Path, remote: str, **more: str) -> Path:
    """Push a project's outputs to a DVC remote and its commits to a bare Git repository, as the how-to page says. Return the latter."""
    repository = project.parent / "shared.git"
    run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository)], project.parent)
    run([*DVC, "remote", "add", "--default", "shared", remote], project)
    run([*COMMIT, "where the outputs are"], project)
    run([*DVC, "push"], project, **more)
    run(["git", "remote", "add", "origin", str(repository)], project)
    run(["git", "push", "--quiet", "origin", "HEAD:main"], project)
    return repository


def check_second_checkout(project: Path, repository: Path, **more: str) -> Path:
    """Clone the repository and pull. The outputs are those of the project, and nothing is left to run."""
    second = project.parent / "second"
    run(["git", "clone", "--quiet", str(repository), str(second)], project.parent)
    run([*DVC, "pull"], second, **more)
    for folder in OUTPUTS:
        assert digests(second / folder) == digests(project / folder), folder
    output = run([*DVC, "repro"], second).stdout
    assert "Data and pipelines are up to date" in output
    assert "Running stage" not in output
    assert run(["git", "status", "--porcelain"], second).stdout == ""
    return second


def test_a_second_checkout_pulls_from_a_folder_and_serves(project: Path, free_port: int) -> None:
    (project / "data/own/large.txt").write_text("the king and the queen\n" * 9)
    run([*DVC, "add", "--quiet", "data/own/large.txt"], project)  # text that is too large for Git
    run(["git", "add", "data/own"], project)
    run([*DVC, "commit", "--force", "--quiet"], project)  # as if the pipeline had run on it
    run([*COMMIT, "a large text"], project)
    repository = share(project, str(project.parent / "remote"))
    # After the remote was committed: an experiment's outputs go to the remote that its own commit names.
    run([*DVC, "exp", "run", "--temp", "--name", "shorter", "--set-param", "evaluate_sample.max_words=5"], project)
    run([*DVC, "exp", "push", "origin", "shorter"], project)

    second = check_second_checkout(project, repository)
    assert (second / "data/own/large.txt").exists()
    run([*DVC, "exp", "pull", "origin", "shorter"], second)
    run([*DVC, "exp", "apply", "shorter"], second)
    assert "max_words: 5" in (second / "params.yaml").read_text()
    assert "Running stage" not in run([*DVC, "repro"], second).stdout
    check_serves(second, free_port)


def check_serves(folder: Path, port: int) -> None:
    """Serve a checkout's model, and ask it for a text."""
    import requests

    command = ["python", "src/cli.py", "serve", "--port", str(port)]
    log = folder.parent / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        deadline = time.monotonic() + 300
        while True:
            try:
                requests.get(f"http://127.0.0.1:{port}/ping", timeout=5).raise_for_status()
                break
            except requests.RequestException:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.5)
        request = {"dataframe_split": {"columns": ["prompt"], "data": [["to be"]]}, "params": {"max_words": 3}}
        [prediction] = requests.post(f"http://127.0.0.1:{port}/invocations", json=request, timeout=60).json()["predictions"]
        assert prediction["text"].startswith("to be ")
        assert len(prediction["text"].split()) == 5
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def test_a_second_checkout_pulls_from_s3(project: Path, s3: S3) -> None:
    repository = share(project, "s3://shared/lstm_lm", **s3.variables)
    assert all(key.startswith("lstm_lm/files/md5/") for key in s3.keys("shared"))
    check_second_checkout(project, repository, **s3.variables)


@pytest.fixture
def tracking_server(s3: S3, tmp_path: Path) -> Iterator[str]:
    """The address of an MLflow server with a PostgreSQL database, which keeps the artifacts of its experiments in S3."""
    with postgresql() as database, MlflowServer(tmp_path, database, "s3://mlflow/proxied", **s3.variables) as server:
        yield server.address


def test_two_checkouts_train_at_once_on_a_server_with_postgresql_and_s3(
    finished_project: Path, tracking_server: str, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    # One lets the server pass on its artifacts and needs no access to S3. The other one writes them to S3 itself.
    proxied, direct = move_copy(finished_project, tmp_path / "proxied"), move_copy(finished_project, tmp_path / "direct")
    quick = {"train.epochs": 1, "evaluate_sample.bootstrap_samples": None, "evaluate_sample.prime_texts": ["thou"]}
    change_params(proxied, {**quick, "train.seed": 2})
    change_params(direct, {**quick, "train.seed": 3, "tracking.experiment": "direct", "tracking.artifacts": "s3://mlflow/direct"})
    variables = {"MLFLOW_TRACKING_URI": tracking_server}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(run, [*DVC, "repro"], proxied, **variables)
        second = pool.submit(run, [*DVC, "repro"], direct, **variables, **s3.variables)
    for output in (first.result().stdout, second.result().stdout):
        assert "lstm_lm version" in output
        assert PASSWORD not in output
        assert "make resend" not in output, output

    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    client = MlflowClient(tracking_server, tracking_server)
    for folder, root in ((proxied, "mlflow-artifacts:/"), (direct, "s3://mlflow/direct/")):
        check_run(client, folder, root)
    versions = {version.run_id: version for version in client.search_model_versions("name='lstm_lm'")}
    assert set(versions) == {run_id(proxied), run_id(direct)}
    perplexities = {run_id(folder): adjusted_perplexity(folder) for folder in (proxied, direct)}
    champion = client.get_model_version_by_alias("lstm_lm", "champion")
    assert champion.run_id == min(perplexities, key=perplexities.__getitem__)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_server)
    for folder in (proxied, direct):
        check_model(versions[run_id(folder)].version, folder, tmp_path / f"{folder.name}-model")
    assert {key.split("/")[0] for key in s3.keys("mlflow")} == {"proxied", "direct"}


def adjusted_perplexity(folder: Path) -> float:
    """The adjusted perplexity of a checkout's model on the test text."""
    return float(json.loads((folder / "reports/metrics.json").read_text())["test"]["adjusted_perplexity"])


def check_run(client: MlflowClient, folder: Path, root: str) -> None:
    """The run of a checkout's training is complete, with its artifacts below `root`."""
    tracked = client.get_run(run_id(folder))
    assert tracked.info.status == "FINISHED"
    assert tracked.info.artifact_uri.startswith(root)
    assert tracked.data.metrics["test/adjusted_perplexity"] == adjusted_perplexity(folder)
    steps = [point.step for point in client.get_metric_history(run_id(folder), "train/loss")]
    assert steps == sorted(set(steps)) and len(steps) > 1
    assert {"metrics.json", "samples.md"} <= {item.path for item in client.list_artifacts(run_id(folder))}


def check_model(version: str, folder: Path, target: Path) -> None:
    """A registered version holds the SavedModel of a checkout."""
    from mlflow import artifacts

    target.mkdir()
    artifacts.download_artifacts(f"models:/lstm_lm/{version}", dst_path=str(target))
    [model] = target.rglob("saved_model.pb")
    assert digests(model.parent) == digests(folder / "models/saved_model")
