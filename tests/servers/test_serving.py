"""The MLflow model: logged, registered, loaded and queried over HTTP."""

import json
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from conftest import PROJECT, environment
from lstm_lm.config import loading
from lstm_lm.export.generator import Generator
from lstm_lm.export.text_model import load_text_model
from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.serving import pyfunc
from lstm_lm.tracking import registry, store, versions
from lstm_lm.tracking.logged_model import current_store, find
from lstm_lm.tracking.mlflow_model import Sources
from lstm_lm.tracking.registry import ModelToLog
from lstm_lm.tracking.run import Run, create_run

SERVING = PROJECT / "src/lstm_lm/serving/pyfunc.py"
PACKAGE = PROJECT / "src/lstm_lm_serving"
SETTINGS = loading.load(PROJECT / "params.yaml")
REQUEST_SECONDS = 600  # in which every request here can be answered, on a busy machine too
HUGE_REQUESTS = 6
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def registered(tmp_path_factory, empty_store, tiny_saved_models):
    """A small registered model: (folder of the store, folder of the SavedModel, version)."""
    folder, saved_model = tmp_path_factory.mktemp("project"), tiny_saved_models / "1/saved_model"
    shutil.copy(empty_store, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        client = store.connect(SETTINGS.tracking)
        run = Run(client, create_run(client, SETTINGS))
        outcome = registry.log_model(client, run.id, model_to_log(saved_model))
        assert outcome.is_new and outcome.is_champion
        client.set_terminated(run.id)
    return folder, saved_model, outcome.version


def model_to_log(saved_model, serving=SERVING):
    return ModelToLog(str(saved_model), str(serving), "lstm_lm", True, 150.0, "digest of a test text", str(PACKAGE))


@pytest.fixture(scope="module")
def server(registered, locales):
    """The address of an `mlflow models serve` process that serves the registered model, in the Turkish locale."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"sqlite:///{registered[0] / 'mlflow.db'}"
    command = [
        "mlflow",
        "models",
        "serve",
        "-m",
        "models:/lstm_lm@champion",
        "--env-manager",
        "local",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (registered[0] / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment(MLFLOW_TRACKING_URI=address, MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT=str(REQUEST_SECONDS), **locales("tr_TR")),
            stdout=log,
            stderr=log,
            cwd=registered[0],
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while True:
            try:
                requests.get(f"{address}/ping", timeout=2).raise_for_status()
                break
            except requests.RequestException:
                assert process.poll() is None and time.monotonic() < deadline, (registered[0] / "server.log").read_text()
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="module")
def generate(registered):
    """What the SavedModel itself generates."""
    return Generator(load_text_model(registered[1]))


def post_prompts(server, prompts, **params):
    body = {"dataframe_split": {"columns": ["prompt"], "data": [[prompt] for prompt in prompts]}, "params": params}
    # json.dumps, unlike requests, serializes NaN. Python clients do so too.
    return requests.post(
        f"{server}/invocations", data=json.dumps(body), headers={"Content-Type": "application/json"}, timeout=REQUEST_SECONDS
    )


def texts(response):
    assert response.status_code == 200, response.text
    return [row["text"] for row in response.json()["predictions"]]


def test_the_server_returns_the_texts_of_the_saved_model(server, generate):
    prompts = ["Thou art", "to be or not"]
    for values in ({"temperature": 0.0}, {"temperature": 0.9, "top_k": 5, "top_p": 0.9, "seed": 3}, {}):
        assert texts(post_prompts(server, prompts, max_words=9, **values)) == generate(prompts, GenerationOptions(max_words=9, **values))


def test_every_option_reaches_the_model(server, generate):
    prompts = ["Thou art", "to be or not"]
    for values in (
        {"max_words": 12, "temperature": 1.0, "min_p": 0.05, "repetition_penalty": 1.3, "no_repeat_ngram": 2},
        {"max_words": 5, "beam_width": 4},
        {"max_words": 9, "temperature": 1.0, "samples": 3},
        {"max_words": 5, "beam_width": 4, "samples": 2},
    ):
        assert texts(post_prompts(server, prompts, **values)) == generate(prompts, GenerationOptions(**values))
    several = post_prompts(server, prompts, max_words=9, samples=3)
    positions = [(row["row"], row["sample"]) for row in several.json()["predictions"]]
    assert positions == [(row, sample) for row in range(2) for sample in range(3)]
    assert set(post_prompts(server, prompts).json()["predictions"][0]) == {"text"}


def test_a_stop_option_without_effect_is_logged_once(server, registered):
    plain = texts(post_prompts(server, ["thou art"], max_words=7))
    for _ in range(2):
        assert texts(post_prompts(server, ["thou art"], max_words=7, stop_at_sentence_end=True)) == plain
    log = (registered[0] / "server.log").read_text()
    assert log.count("stop_at_sentence_end has no effect: none of . ! ? <eos> is a word of this model") == 1


def test_defaults_generate_a_reproducible_text_of_40_words(server):
    first = texts(post_prompts(server, ["thou art"]))
    assert first == texts(post_prompts(server, ["thou art"])) == texts(post_prompts(server, ["thou art"], seed=1))
    assert first != texts(post_prompts(server, ["thou art"], seed=2))
    assert len(first[0].split()) == 42
    assert "<unk>" not in first[0]


def test_the_server_reads_prompts_as_the_saved_model_does_in_another_locale(server, generate):
    prompts = ["TO BE OR NOT KING I", "\u0130 AND I\u0307", "E\u0301 \u00c9 don\u2019t \u201cto\u201d", "\u03a3 THE\x00 \u212aING \ue000"]
    assert texts(post_prompts(server, prompts, max_words=9)) == generate(prompts, GenerationOptions(max_words=9))


def test_decomposed_accents_and_unknown_words_are_accepted(server):
    assert (
        texts(post_prompts(server, ["e\u0301"], max_words=3))[0].split()[1:]
        == texts(post_prompts(server, ["é"], max_words=3))[0].split()[1:]
    )
    assert texts(post_prompts(server, ["zounds"], max_words=3))[0].startswith("zounds ")


@pytest.mark.parametrize(
    ("prompts", "params", "message"),
    [
        ([5], {}, "prompt of row 0 = 5: must be a string"),
        ([None], {}, "prompt of row 0 = null: must be a string"),
        (["king", None], {}, "prompt of row 1 = null: must be a string"),
        (["king", 5], {}, "prompt of row 1 = 5: must be a string"),
        ([["king"]], {}, 'prompt of row 0 = ["king"]: must be a string'),
        ([""], {}, 'prompt of row 0 = "": must contain at least one word'),
        ([" -- \n"], {}, "must contain at least one word"),
        (["a" * 10_001], {}, "prompt of row 0 has 10001 characters: must be at most 10000"),
        ([], {}, "0 prompts: must be 1 to 256 in a request"),
        (["king"] * 257, {}, "257 prompts: must be 1 to 256 in a request"),
        (["king"], {"temperature": -1}, "temperature = -1: must be a number from 0 to 100"),
        (["king"], {"temperature": float("nan")}, "temperature = nan: must be a number from 0 to 100"),
        (["king"], {"temperature": None}, "temperature = null: must be a number from 0 to 100"),
        (["king"], {"max_words": 10**8}, "max_words = 100000000: must be a whole number from 0 to 1000"),
        (["king"], {"max_words": 10**30}, "must be a whole number from 0 to 1000"),
        (["king"], {"max_words": -1}, "max_words = -1: must be a whole number from 0 to 1000"),
        (["king"], {"max_words": 2.5}, "max_words"),
        (["king"], {"max_words": "many"}, "max_words"),
        (["king"], {"top_p": 0}, "top_p = 0: must be a number above 0 and at most 1"),
        (["king"], {"top_p": 1.1}, "top_p = 1.1: must be a number above 0 and at most 1"),
        (["king"], {"top_k": -1}, "top_k = -1: must be a whole number from 0"),
        (["king"], {"min_p": 1.5}, "min_p = 1.5: must be a number from 0 to 1"),
        (["king"], {"repetition_penalty": 0}, "repetition_penalty = 0: must be a number from 0.01 to 100"),
        (["king"], {"no_repeat_ngram": -1}, "no_repeat_ngram = -1: must be a whole number from 0 to 100"),
        (["king"], {"stop_at_sentence_end": "yes"}, "stop_at_sentence_end"),
        (["king"], {"stop_at_sentence_end": None}, "stop_at_sentence_end = null: must be true or false"),
        (["king"], {"samples": 0}, "samples = 0: must be a whole number from 1 to 256"),
        (["king"], {"beam_width": 0}, "beam_width = 0: must be a whole number from 1 to 256"),
        (["king"], {"beam_width": 2, "samples": 3}, "samples = 3 with beam_width = 2: must be at most beam_width"),
        (["king"] * 3, {"samples": 100}, "samples = 100 with 3 prompts makes 300 texts at once: must be at most 256 in a request"),
        (["king"] * 3, {"beam_width": 100}, "beam_width = 100 with 3 prompts makes 300 texts at once: must be at most 256 in a request"),
        (["king"], {"seed": -1}, "seed = -1: must be a whole number from 0"),
        (["king"], {"seed": 2**31}, "seed = 2147483648: must be a whole number from 0"),
    ],
)
def test_an_invalid_value_is_rejected_in_one_line_without_a_stack_trace(server, prompts, params, message):
    response = post_prompts(server, prompts, **params)
    assert response.status_code == 400, response.text
    last_line = response.json()["message"].splitlines()[-1]
    assert message in last_line
    assert "Traceback" not in response.text
    assert ".py" not in response.text
    assert "stack_trace" not in response.json()


def test_a_malformed_request_body_is_rejected_without_a_stack_trace(server):
    for body in ('{"data": [[5]]}', "nonsense", "[]", '{"dataframe_split": {"columns": ["x"], "data": [["king"]]}}'):
        response = requests.post(f"{server}/invocations", data=body, headers={"Content-Type": "application/json"}, timeout=60)
        assert response.status_code == 400, response.text
        assert "Traceback" not in response.text
        assert '.py\\"' not in response.text


def test_concurrent_requests_get_their_own_responses(server):
    def generate(seed):
        return texts(post_prompts(server, ["thou art"], seed=seed, max_words=30, temperature=1.0))

    sequential = [generate(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(generate, range(8))) == sequential


def test_a_text_ends_before_a_stop_string(server):
    [whole] = texts(post_prompts(server, ["thou art"], max_words=20, temperature=1.0))
    words = whole.split()
    [stopped] = texts(post_prompts(server, ["thou art"], max_words=20, temperature=1.0, stop=["no such text", " ".join(words[5:7])]))
    assert stopped == whole[: whole.index(" ".join(words[5:7]), len("thou art"))].strip()
    for stop, message in ((["a", None], "stop = null: must be a string"), ([""], 'stop = "": must be a string of 1 to 100 characters')):
        response = post_prompts(server, ["king"], stop=stop)
        assert response.status_code == 400
        assert message in response.json()["message"]
    assert post_prompts(server, ["king"], stop="a").status_code == 400


def test_huge_requests_are_answered_or_refused_and_hold_nobody_up(server):
    expected = texts(post_prompts(server, ["thou art"], max_words=5))
    with ThreadPoolExecutor(HUGE_REQUESTS) as pool:
        values = {"max_words": 600, "temperature": 1.0}
        huge = [pool.submit(post_prompts, server, ["to be or not"] * 256, **values, seed=seed) for seed in range(HUGE_REQUESTS)]
        answered = 0
        while not any(request.done() and request.result().status_code == 200 for request in huge):
            assert texts(post_prompts(server, ["thou art"], max_words=5)) == expected
            answered += 1
        responses = [request.result() for request in huge]
    # Behind the huge requests, there would be one that came before them, and one that waited for them.
    assert answered > 2
    complete = [response for response in responses if response.status_code == 200]
    assert len(complete) >= min(pyfunc.MAX_LONG_REQUESTS, HUGE_REQUESTS)
    assert {len(response.json()["predictions"]) for response in complete} == {256}
    for response in set(responses) - set(complete):
        assert (response.status_code, response.json()["error_code"]) == (429, "RESOURCE_EXHAUSTED"), response.text
        assert f"{pyfunc.MAX_LONG_REQUESTS} long requests are being answered" in response.json()["message"]
        assert "Traceback" not in response.text


def test_a_model_that_is_logged_again_is_one_version_and_one_model_of_its_run(registered, monkeypatch, tmp_path):
    folder, saved_model, version = registered
    monkeypatch.setenv("DVC_ROOT", str(folder))
    client = store.connect(SETTINGS.tracking)
    digest = Sources(saved_model, SERVING, PACKAGE).digest
    run_id = client.get_model_version("lstm_lm", str(version)).run_id
    [logged] = find(client, digest)
    client.finalize_logged_model(logged.model_id, "PENDING")  # as if the process had been killed
    client.create_logged_model(logged.experiment_id, "model", run_id, {"lstm_lm.digest": digest})  # as if its answer had been lost
    outcome = registry.log_model(client, run_id, model_to_log(saved_model))
    assert (outcome.version, outcome.is_new, outcome.model_id, outcome.is_champion) == (version, False, logged.model_id, True)
    [again] = find(client, digest)
    assert (again.model_id, str(again.status)) == (logged.model_id, "READY")
    assert len(client.get_run(run_id).outputs.model_outputs) == 1

    shutil.rmtree(logged.artifact_location.removeprefix("file://"))
    assert versions.model_uri(client, "lstm_lm", digest, saved_model) is None
    assert registry.log_model(client, run_id, model_to_log(saved_model)).version == version
    assert versions.model_uri(client, "lstm_lm", digest, saved_model) == f"models:/lstm_lm/{version}"

    other = tmp_path / "serving.py"
    other.write_text(SERVING.read_text() + "# changed\n")
    assert versions.model_uri(client, "lstm_lm", Sources(saved_model, other, PACKAGE).digest, saved_model) is None


def test_the_model_has_a_signature_an_example_and_pinned_requirements_but_no_pickle(registered, monkeypatch):
    import mlflow

    monkeypatch.setenv("DVC_ROOT", str(registered[0]))
    client = store.connect(SETTINGS.tracking)
    version = client.get_model_version("lstm_lm", str(registered[2]))
    with current_store(client.tracking_uri):
        folder = mlflow.artifacts.download_artifacts(f"models:/lstm_lm/{version.version}")
        info = mlflow.models.get_model_info(folder)
    assert info.signature.inputs.input_names() == ["prompt"]
    assert info.signature.outputs.required_input_names() == ["text"]
    assert info.signature.outputs.optional_input_names() == ["row", "sample"]
    assert [spec.name for spec in info.signature.params] == [*options.by_name(), "stop"]
    names = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith((".pkl", ".pickle"))]
    assert "input_example.json" in names
    assert {"code/lstm_lm_serving/engine.py", "code/lstm_lm_serving/checks.py"} <= names
    requirements = (Path(folder) / "requirements.txt").read_text().split()
    assert {line.split("==")[0] for line in requirements} == {"mlflow", "tensorflow", "numpy", "pandas"}
    assert all("==" in line for line in requirements)


def test_far_from_a_server_nobody_waits_and_a_pickled_model_is_loaded_again(registered, server, monkeypatch):
    import pickle

    import mlflow
    import pandas as pd

    monkeypatch.setenv("DVC_ROOT", str(registered[0]))
    client = store.connect(SETTINGS.tracking)
    prompts = pd.DataFrame({"prompt": ["thou art", "to be or not"]})
    with current_store(client.tracking_uri):
        model = mlflow.pyfunc.load_model("models:/lstm_lm@champion")
    loaded = model.unwrap_python_model()
    assert loaded.engine.limits.deadline_s > 600
    expected = texts(post_prompts(server, prompts["prompt"].tolist(), max_words=9))
    assert model.predict(prompts, params={"max_words": 9})["text"].tolist() == expected
    again = pickle.loads(pickle.dumps(loaded))
    assert again.predict(None, prompts, {"max_words": 9})["text"].tolist() == expected
