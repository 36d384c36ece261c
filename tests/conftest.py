import gc
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # keeps TensorFlow from importing Keras, which would double its import time
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# The tests must not depend on the caller's make, MLflow run or DVC experiment.
for name in (
    "MAKEFLAGS",
    "MAKELEVEL",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "DVC_ROOT",
    "DVC_EXP_NAME",
):
    os.environ.pop(name, None)

# TensorFlow graphs consist of many Python objects: at the default thresholds, garbage collection takes a tenth of the test time.
gc.set_threshold(50_000, 50, 50)

PROJECT = Path(__file__).parent.parent
DOCUMENTS = 20
TINY_VOCABULARY = ["<unk>", "the", "and", "king", "thou", "art", "to", "be", "or", "not", "é", "don't"]


def make_tiny_model(scale=0.5, seed=1, **shape):
    """Create a LanguageModel of 12 words with random weights. Keyword arguments change its shape."""
    from lstm_lm.model.language_model import Initializer, LanguageModel
    from lstm_lm.model.shape import Shape

    sizes = {"vocabulary_size": 12, "embedding_size": 5, "hidden_size": 7, "layers": 1, "projection_size": 5, "tie_weights": True}
    model = LanguageModel(Shape(**{**sizes, **shape}), Initializer("uniform", scale, seed))
    model.softmax_bias.assign(np.random.default_rng(seed).normal(0, scale, model.softmax_bias.shape))
    return model


@pytest.fixture
def tiny_model():
    """The function `make_tiny_model`."""
    return make_tiny_model


@pytest.fixture
def tiny_text_model(tiny_model, tmp_path):
    """A function that creates a TextModel with a tiny LanguageModel. Keyword arguments change its shape."""
    from lstm_lm.export.text_model import TextModel, save_vocabulary
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

    def make(**shape):
        return TextModel(tiny_model(**shape), Tokenizer(True, "-'"), save_vocabulary(TINY_VOCABULARY, tmp_path / "vocabulary.txt"))

    return make


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """The database file of an empty MLflow store. Tests copy it because creating its tables takes seconds."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import store

    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        store.connect(loading.load(PROJECT / "params.yaml").tracking).search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def tracked_project(empty_store, tmp_path, monkeypatch):
    """A project folder with an empty store.

    The current folder is another one that has outputs of the data stages, as in an experiment.
    """
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for name in ("vocab", "batches"):
        (elsewhere / "data" / name).mkdir(parents=True)
        (elsewhere / "data" / name / "file").write_text(name)
    root.mkdir()
    (root / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(elsewhere)
    return root


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A small project that has been run from scratch and committed: its folder, and the output of `dvc repro`.

    test_experiments.py only adds MLflow runs and experiments to it. test_pipeline.py changes it, so it runs later, or in another
    worker, which has its own copy.
    """
    folder = copy_project(tmp_path_factory.mktemp("project"))
    write_corpus(folder / "data/own")
    change_params(folder, TINY)
    (folder / "presets/slow.yaml").write_text(PRESET)
    run(["git", "add", "--all"], folder)
    run([*COMMIT, "configure"], folder)
    printed = run(["python", "-m", "dvc", "repro"], folder).stdout
    assert len(runs(folder)) == 1
    run(["git", "add", "--all"], folder)
    run([*COMMIT, "first run"], folder)
    return folder, printed


@pytest.fixture(scope="session")
def shared_text_model(tmp_path_factory):
    """One TextModel for all tests that do not change its weights. Tracing takes longer than generating its texts."""
    from lstm_lm.export.text_model import TextModel, save_vocabulary
    from lstm_lm.model.language_model import Initializer, LanguageModel
    from lstm_lm.model.shape import Shape
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

    model = LanguageModel(Shape(len(TINY_VOCABULARY), 5, 7, 1, 5, True), Initializer("uniform", 1.0, 1))
    words = save_vocabulary(TINY_VOCABULARY, tmp_path_factory.mktemp("words") / "vocabulary.txt")
    return TextModel(model, Tokenizer(True, "-'"), words)


@pytest.fixture(scope="session")
def shared_model():
    """One LanguageModel of 12 words for all tests that do not change its weights, so that it is traced only once."""
    from lstm_lm.model.language_model import Initializer, LanguageModel
    from lstm_lm.model.shape import Shape

    model = LanguageModel(Shape(12, 5, 7, 1, 5, True), Initializer("uniform", 1.0, 2))
    model.softmax_bias.assign(np.random.default_rng(2).normal(0, 0.5, 12))
    return model


@pytest.fixture(scope="session")
def adaptive_model():
    """A model like `shared_model`, but with an adaptive softmax, whose logits are log probabilities."""
    from lstm_lm.model.language_model import Initializer, LanguageModel
    from lstm_lm.model.shape import Shape

    return LanguageModel(Shape(12, 5, 7, 1, None, False, (5, 9)), Initializer("uniform", 1.0, 2))


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**more):
    """Return the environment variables of a stage: `python` is this interpreter, and PATH has the programs of its packages."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    quiet = {
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    return {**os.environ, **quiet, "PATH": path} | more


def run(command, folder, check=True, **more):
    """Run a command to its end. Return a CompletedProcess with text, stderr merged into stdout."""
    done = subprocess.run(
        command, cwd=folder, env=environment(**more), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{command} exited with {done.returncode}:\n{done.stdout}")
    return done


def start(command, folder, **options):
    """Start a command that a test will interrupt. Return a Popen with text, stderr merged into stdout, and Ctrl-C as at a terminal."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (background processes ignore Ctrl-C)
        **options,
    )


def copy_project(folder):
    """Copy the current files of the project to `folder` and commit them to a new Git repository there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    (folder / "dvc.lock").unlink(missing_ok=True)
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "copy"]):
        run(["git", *command], folder)
    return folder


def change_params(folder, changes):
    """Set dotted keys in params.yaml: {"train.epochs": 1}."""
    from ruamel.yaml import YAML

    yaml = YAML()
    path = folder / "params.yaml"
    values = yaml.load(path)
    for key, value in changes.items():
        *sections, last = key.split(".")
        section_values = values
        for section in sections:
            section_values = section_values[section]
        section_values[last] = value
    with path.open("w") as file:
        yaml.dump(values, file)


def write_corpus(folder):
    """Write documents of random sentences. Each document has a word that no other document has."""
    rng = np.random.default_rng(0)
    words = "the king and queen of england did not see a ghost to-night who'd come to be or art thou more".split()
    for i in range(DOCUMENTS):
        lines = [" ".join(rng.choice(words, 7)) for _ in range(30)]
        (folder / f"part-{i:02}.txt").write_text("\n".join(lines) + "\n" + f"own{i:02} " * 3 + "\n")


# Parameters for such a corpus. Each test sets the sizes of its model.
SMALL_TEXT = {
    "download.source": {"path": "data/own"},
    "vocab.min_count": 2,
    "batching.batch_size": 4,
    "batching.sequence_length": 8,
    "train.warmup_steps": 10,
}
TINY = {
    **SMALL_TEXT,
    "model.embedding_size": 16,
    "model.hidden_size": 24,
    "model.projection_size": 16,
    "train.epochs": 2,
    "reporting.sample_every": 100,
    "evaluate_sample.max_words": 6,
}
# The file presets/slow.yaml of the fixture `finished`.
PRESET = """\
train:
  learning_rate: 0.002
evaluate_sample:
  prime_texts: ["thou, it's", 'a "quoted" one']
"""
COMMIT = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--all", "--message"]


def client(folder):
    """Return an MLflow client of a project's store."""
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def runs(folder):
    """Return the runs of a project's experiment, newest first."""
    store = client(folder)
    return store.search_runs([store.get_experiment_by_name("lstm_lm").experiment_id])


def run_id(folder):
    """Return the id of the MLflow run that trained the model of a project."""
    return json.loads((folder / "models/run.json").read_text())["run_id"]


def digests(folder):
    """Return the SHA-256 digest of each file in a folder: {relative path: hexadecimal digest}."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
