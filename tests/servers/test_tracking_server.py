"""A real MLflow server that fails, or that is reached through what stands before servers: TLS, passwords, proxies."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

import fault_proxy
from fault_proxy import Fault, FaultProxy
from lstm_lm.errors import UserError
from lstm_lm.events import Sample
from lstm_lm.tracking import CALL_SECONDS, sender, store
from lstm_lm.tracking.evaluation import check_store, log_evaluation
from lstm_lm.tracking.queued_run import QueuedRun
from lstm_lm.tracking.run import Run
from lstm_lm.tracking.training_run import TrainingRun
from mlflow_helpers import HELD_OUT_METRICS, ROW, SAMPLES, SETTINGS, artifact_text, latest_metrics, logged_steps
from mlflow_server import MlflowServer

pytestmark = pytest.mark.slow
PASSWORD = "s3cret/pass@word"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with MlflowServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def proxy(server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before the server, which an empty project uses as its tracking store."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with FaultProxy(server.port) as running:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", running.address)
        yield running


def record(run: TrainingRun, folder: Path) -> None:
    """Record what a training records."""
    run.log_params({"train.epochs": 4})
    run.record({"kind": "dataset", "name": "d", "digest": "1", "source_type": "x", "source": "{}", "schema": "{}", "profile": "{}"})
    for step in range(1, 31):
        run.row(replace(ROW, step=step))
        if step % 10 == 0:
            run.samples([Sample(step, "to be", 0.0, "to be king")])
            time.sleep(0.3)  # so that the thread sends in several calls
    (folder / "history.csv").write_text("step\n")
    run.log_files([folder / "history.csv"])


def check_recorded(server: MlflowServer, run_id: str, status: str) -> None:
    """Check that the store has everything of `record`, once."""
    import mlflow

    run = Run(mlflow.MlflowClient(server.address), run_id)
    found = run.client.get_run(run_id)
    assert found.info.status == status
    assert found.data.params == {"train.epochs": "4"}
    assert len(found.inputs.dataset_inputs) == 1
    for name in found.data.metrics:
        if name.startswith("train/"):
            assert logged_steps(run, name) == list(range(1, 31)), name
    assert len(json.loads(artifact_text(run, "training_samples.json"))["data"]) == 3
    assert sorted(item.path for item in run.client.list_artifacts(run_id)) == ["history.csv", "training_samples.json"]


def resend(root: Path) -> list[int]:
    """Send what is left, and return how much of each outbox is still pending."""
    return [left.delivery.pending for left in sender.resend(SETTINGS.tracking, root)]


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.ERROR, Fault.CLOSED])
def test_each_record_arrives_once_whatever_happens_to_the_calls(
    fault: Fault, server: MlflowServer, proxy: FaultProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = TrainingRun.start(store.connect(SETTINGS.tracking), SETTINGS)
    proxy.fault = fault
    began = time.monotonic()
    with pytest.raises(UserError, match="diverged"), run.recorded():
        record(run, tmp_path)
        raise UserError("diverged")
    assert time.monotonic() - began < sender.END_SECONDS + CALL_SECONDS
    assert proxy.harmed
    for _ in range(50):
        if fault is not Fault.LOST:
            break
        if not resend(tmp_path):  # even through a connection that loses every other answer
            break
    proxy.fault = None
    resend(tmp_path)
    assert resend(tmp_path) == []
    check_recorded(server, run.id, "FAILED")
    assert "Traceback" not in capsys.readouterr().err


def test_trials_that_start_while_calls_fail_get_one_run_each(server: MlflowServer, proxy: FaultProxy, tmp_path: Path) -> None:
    import mlflow

    client, direct = store.connect(SETTINGS.tracking), mlflow.MlflowClient(server.address)
    search = TrainingRun.start_search(client, SETTINGS, "search")
    search.finish()
    for fault in (Fault.LOST, Fault.LOST, Fault.CLOSED, Fault.ERROR, None):
        proxy.fault = fault
        trial = TrainingRun.start_search(client, SETTINGS, f"trial {fault}", parent=search.id)
        trial.row(ROW)
        trial.finish()
    proxy.fault = None
    resend(tmp_path)
    assert resend(tmp_path) == []
    trials = direct.search_runs([direct.get_run(search.id).info.experiment_id], f"tags.`mlflow.parentRunId` = '{search.id}'")
    names = sorted(run.info.run_name for run in trials)
    assert names == sorted(f"trial {fault}" for fault in (Fault.LOST, Fault.LOST, Fault.CLOSED, Fault.ERROR, None))
    assert {run.info.status for run in trials} == {"FINISHED"}
    assert all(logged_steps(Run(direct, run.info.run_id), "train/loss") == [10] for run in trials)


@contextmanager
def stopped(server: MlflowServer) -> Iterator[None]:
    """Stop the server: it answers no call. Calls are given up after 2 s instead of 10."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
        for module in (sender, store):
            patch.setattr(module, "CALL_SECONDS", 2)
        server.suspend()
        try:
            yield
        finally:
            server.resume()


def test_a_server_that_is_stopped_holds_nothing_up(
    server: MlflowServer, proxy: FaultProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = TrainingRun.start(store.connect(SETTINGS.tracking), SETTINGS)
    with stopped(server):
        began = time.monotonic()
        record(run, tmp_path)
        assert time.monotonic() - began < 5
        run.finish("KILLED")
        assert time.monotonic() - began < sender.END_SECONDS + 5
        assert "sent by the next make repro, or now with: make resend" in capsys.readouterr().err
        began = time.monotonic()
        assert check_store(SETTINGS.tracking, run.id) == (None, None)  # evaluate-sample evaluates all the same
        assert time.monotonic() - began < 2 * CALL_SECONDS
        evaluation = QueuedRun(SETTINGS.tracking, run.id, None)
        log_evaluation(evaluation, HELD_OUT_METRICS, 30, SAMPLES, SETTINGS.evaluate_sample)
        assert evaluation.send(1).pending
    for thread in threading.enumerate():
        if thread.name == sender.THREAD:
            thread.join(60)  # the end of the process would end it
    resend(tmp_path)
    assert resend(tmp_path) == []
    import mlflow

    recorded = Run(mlflow.MlflowClient(server.address), run.id)
    assert recorded.client.get_run(run.id).info.status == "KILLED"
    assert latest_metrics(recorded)["test/perplexity"] == (0, 148.4)
    assert logged_steps(recorded, "train/loss") == list(range(1, 31))


class _Guarded(fault_proxy._Handler):
    """Answers only calls with the right password, as a proxy of a company does."""

    def _check(self) -> None:
        expected = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") == expected:
            self._pass_on()
        else:
            self._answer(401, [("Content-Type", "text/html")], b"<html>who are you?</html>")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _check


def make_certificate(folder: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1, with its key, and return its path."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    path = folder / "server.pem"
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(encoded + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure_proxy(server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultProxy, Path]]:
    """(A proxy that speaks TLS and asks for a password, its self-signed certificate)."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    proxy = FaultProxy(server.port)
    proxy.RequestHandlerClass = _Guarded
    proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
    with proxy:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.address.replace("http:", "https:"))
        yield proxy, certificate


def test_mlflows_variables_for_tls_and_passwords_hold(secure_proxy: tuple[FaultProxy, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _, certificate = secure_proxy
    with pytest.raises(UserError, match=r"certificate is not trusted: .*MLFLOW_TRACKING_SERVER_CERT_PATH"):
        store.connect(SETTINGS.tracking)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
    with pytest.raises(UserError, match="accepts neither the password nor the token: check MLFLOW_TRACKING_USERNAME"):
        store.connect(SETTINGS.tracking)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wr0ng password")
    with pytest.raises(UserError, match="accepts neither") as error:
        store.connect(SETTINGS.tracking)
    assert "wr0ng" not in str(error.value)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    run = TrainingRun.start(store.connect(SETTINGS.tracking), SETTINGS)
    run.finish()
    monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    assert store.connect(SETTINGS.tracking).get_run(run.id).info.status == "FINISHED"


class _Answers(BaseHTTPRequestHandler):
    """Answers /version with one text, and everything else with another status and text."""

    version, status, text = "", 404, ""

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        is_version = self.path == "/version" and self.version
        body = (self.version if is_version else self.text).encode()
        self.send_response(200 if is_version else self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer


@pytest.mark.parametrize(
    ("version", "status", "text", "problem"),
    [
        ("2.22.0", 404, "", r"is version 2\.22\.0: this project needs version 3 or later: upgrade the server"),
        ("", 200, "<html>Sign in</html>", "a web page answers, no MLflow server: check the address, and whether a proxy is in between"),
        ("", 404, "<html>nothing</html>", "a web page answers, no MLflow server"),
        ("3.1.0", 403, "no", "this user has no right to do that"),
        ("", 503, "", "no MLflow server answers at .*: it answers 503"),
    ],
)
def test_what_is_no_usable_server_is_told_in_one_line(
    version: str, status: int, text: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = type("Handler", (_Answers,), {"version": version, "status": status, "text": text})
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:{server.server_port}")
        with pytest.raises(UserError, match=problem) as error:
            store.connect(SETTINGS.tracking)
        server.shutdown()
    assert "\n" not in str(error.value)
    assert "s3cret" not in str(error.value)
