"""Fixtures and helpers of all tests."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from lstm_lm.export.text_model import TextModel
    from lstm_lm.model.ensemble import Model
    from lstm_lm.model.language_model import LanguageModel
    from lstm_lm.model.mixture import Mixture

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # keeps TensorFlow from importing Keras, which would double the time of the import
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# Tests must not log to the caller's tracking store, nor to the run or experiment that they are started from. Nor may they reach the
# repository of a Git hook that they are started from: they make commits.
for name in (
    "MAKEFLAGS",
    "MAKELEVEL",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "DVC_ROOT",
    "DVC_EXP_NAME",
    "DVC_EXP_BASELINE_REV",
    "DVC_STAGE",
    *[name for name in os.environ if name.startswith("GIT_")],
):
    os.environ.pop(name, None)

# Tests start hundreds of Python processes. Where this variable is set, as in many containers, and nothing is compiled yet, each of
# them would compile all that it imports, and TensorFlow would take 13 s instead of 3 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Graphs are built of so many Python objects that looking for garbage as often as by default takes a tenth of the tests' time.
gc.set_threshold(50_000, 50, 50)

PROJECT = Path(__file__).parent.parent
DOCUMENTS = 20
TINY_VOCABULARY = ["<unk>", "the", "and", "king", "thou", "art", "to", "be", "or", "not", "é", "don't"]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name binary parameters after their argument, as pytest names objects: archive0, archive1.

    pytest would put the bytes into the test's id. A zip archive holds the time when it was made, so the workers of pytest-xdist would
    collect different tests.
    """
    readable = not isinstance(val, bytes) or (val.isascii() and val.decode().isprintable())
    return None if readable else argname


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest file first, and the files without slow tests last, so that all workers of pytest-xdist end together.

    The longest one builds projects of its own. If two workers began with files that need `finished_project`, one of them would wait.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name != "test_resume.py", item.path not in slow))


def pytest_collection_finish() -> None:
    """Take all that is imported out of the garbage collector's sight: pytest lets it look at everything when it ends."""
    gc.freeze()


def build_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """Build a folder once for all workers of pytest-xdist: the first one builds it, and the others wait.

    Tests share the folder, so they must leave it as it is.
    """
    from filelock import FileLock

    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, built = root / name, root / f"{name}.built"
    with FileLock(root / f"{name}.lock"):
        if not built.exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by a worker that failed
            folder.mkdir()
            build(folder)
            built.touch()
    return folder


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """A function that returns the environment of a locale, a real one where the system can make it.

    In Turkish, the lower case of I is another letter; Lithuanian has rules of its own for letters with accents.
    """

    def build(folder: Path) -> None:
        if shutil.which("localedef"):
            for name in ("tr_TR", "lt_LT"):
                subprocess.run(["localedef", "-i", name, "-f", "UTF-8", folder / f"{name}.UTF-8"], capture_output=True, check=False)

    folder = build_once(tmp_path_factory, "locales", build)

    def variables(name: str) -> dict[str, str]:
        full_name = name if name == "C" else f"{name}.UTF-8"
        return {"LC_ALL": full_name, "LANG": full_name, "LANGUAGE": name, "LOCPATH": str(folder)}

    return variables


def make_tiny_model(scale: float = 0.5, seed: int = 1, ngrams: int = 0, **shape: Any) -> Any:
    """Return a language model or an ensemble with random weights, the softmax bias included. ngrams: the order of n-grams mixed with it."""
    from lstm_lm.evaluation.ngrams import KneserNey
    from lstm_lm.model import ensemble
    from lstm_lm.model.initializer import Initializer
    from lstm_lm.model.mixture import Mixture, Ngrams
    from lstm_lm.model.shape import Shape
    from plain import tiny_documents

    sizes: dict[str, Any] = {
        "vocabulary_size": 12,
        "embedding_size": 5,
        "hidden_size": 7,
        "layers": 1,
        "projection_size": 5,
        "tie_weights": True,
    }
    model = ensemble.build(Shape(**{**sizes, **shape}), Initializer("uniform", scale, seed))
    for i, member in enumerate(model.members):
        for factor in (factor for factors in member.mogrifiers for factor in factors):
            factor.assign(3 * factor)  # so that the scales are not all near 1
        member.softmax_bias.assign(np.random.default_rng(seed + i).normal(0, scale, member.softmax_bias.shape))
    return Mixture(model, Ngrams(KneserNey(tiny_documents(), 12, ngrams).trie()), 0.3) if ngrams else model


@pytest.fixture
def tiny_model() -> Callable[..., Model]:
    """A function that makes a model of 12 words with random weights; keyword arguments change its shape."""
    return make_tiny_model


@pytest.fixture
def tiny_text_model(tiny_model: Callable[..., Model], tmp_path: Path) -> Callable[..., TextModel]:
    """A function that makes a TextModel over such a model."""
    from lstm_lm.export.text_model import TextModel, save_vocabulary
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

    def make(**shape: Any) -> TextModel:
        return TextModel(tiny_model(**shape), Tokenizer(True, "-'"), save_vocabulary(TINY_VOCABULARY, tmp_path / "vocabulary.txt"))

    return make


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of an empty MLflow store. Tests copy it, because creating its tables takes seconds."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import store

    def build(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DVC_ROOT", str(folder))
            store.connect(loading.load(PROJECT / "params.yaml").tracking).search_experiments()

    return build_once(tmp_path_factory, "empty_store", build) / "mlflow.db"


@pytest.fixture
def tracked_project(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with an empty store, to which a stage logs from another folder, as in an isolated experiment.

    The other folder is the current one. It holds outputs of the data stages.
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
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project whose pipeline has run from scratch, committed. What `dvc repro` printed is beside it, see `first_output`.

    Tests share it, so they only read it. Whoever runs a command takes the fixture `project`.
    """

    def build(folder: Path) -> None:
        copy_project(folder)
        write_corpus(folder / "data/own")
        change_params(folder, {**TINY, "reporting.tensorboard": True})
        (folder / "presets/slow.yaml").write_text(SLOW_PRESET)
        run(["git", "add", "--all"], folder)
        run([*COMMIT, "mine"], folder)
        first_output(folder).write_text(run(["python", "-m", "dvc", "repro"], folder).stdout)
        assert len(runs(folder)) == 1
        run(["git", "add", "--all"], folder)
        run([*COMMIT, "first run"], folder)

    return build_once(tmp_path_factory, "finished_project", build)


def first_output(finished: Path) -> Path:
    """The file with what the first command printed in the fixture `finished_project` or `finished_experiment`."""
    return finished.with_suffix(".txt")


@pytest.fixture(scope="session")
def finished_experiment(tmp_path_factory: pytest.TempPathFactory, finished_project: Path) -> Path:
    """A copy of `finished_project` in which the experiment `slow` has run. What it printed is beside it, see `first_output`.

    Tests share it, so they only read it.
    """

    def build(folder: Path) -> None:
        move_copy(finished_project, folder)
        first_output(folder).write_text(run(["python", "src/cli.py", "experiment", "slow"], folder).stdout)

    return build_once(tmp_path_factory, "finished_experiment", build)


@pytest.fixture
def project(finished_project: Path, tmp_path: Path) -> Path:
    """The test's own copy of `finished_project`."""
    return move_copy(finished_project, tmp_path / "project")


def move_copy(source: Path, folder: Path) -> Path:
    """Copy a project with its MLflow store, which holds absolute paths."""
    shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)
    database = sqlite3.connect(folder / "mlflow.db")
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for _, column, kind, *_ in database.execute(f"PRAGMA table_info('{table}')").fetchall():
            if "CHAR" in kind or "TEXT" in kind:
                database.execute(f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?)', (f"{source}/", f"{folder}/"))
    database.commit()
    database.close()
    return folder


@pytest.fixture(scope="session")
def tiny_saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two SavedModels of 12 words, 1/saved_model and 2/saved_model, with different random weights.

    The first one has those of `shared_text_model`.
    """
    from lstm_lm.export.text_model import TextModel, save_vocabulary
    from lstm_lm.model.initializer import Initializer
    from lstm_lm.model.language_model import LanguageModel
    from lstm_lm.model.shape import Shape
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

    def build(folder: Path) -> None:
        shape = Shape(len(TINY_VOCABULARY), 5, 7, 1, 5, True)
        model, other = (LanguageModel(shape, Initializer("uniform", 1.0, seed)) for seed in (1, 2))
        text_model = TextModel(model, Tokenizer(True, "-'"), save_vocabulary(TINY_VOCABULARY, folder / "vocabulary.txt"))
        text_model.save(folder / "1/saved_model")
        for name, variable in model.weights.items():  # a new TextModel would be traced once more, which takes most of the time
            variable.assign(other.weights[name])
        text_model.save(folder / "2/saved_model")

    return build_once(tmp_path_factory, "tiny_saved_models", build)


@pytest.fixture(scope="session")
def shared_text_model(tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    """One TextModel for all tests that leave its weights alone, because tracing takes longer than generating."""
    from lstm_lm.export.text_model import TextModel, save_vocabulary
    from lstm_lm.model.initializer import Initializer
    from lstm_lm.model.language_model import LanguageModel
    from lstm_lm.model.shape import Shape
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

    model = LanguageModel(Shape(len(TINY_VOCABULARY), 5, 7, 1, 5, True), Initializer("uniform", 1.0, 1))
    words = save_vocabulary(TINY_VOCABULARY, tmp_path_factory.mktemp("words") / "vocabulary.txt")
    return TextModel(model, Tokenizer(True, "-'"), words)


@pytest.fixture(scope="session")
def shared_model() -> LanguageModel:
    """One LanguageModel of 12 words for all tests that leave its weights alone: it is traced once."""
    from lstm_lm.model.initializer import Initializer
    from lstm_lm.model.language_model import LanguageModel
    from lstm_lm.model.shape import Shape

    model = LanguageModel(Shape(12, 5, 7, 1, 5, True), Initializer("uniform", 1.0, 2))
    model.softmax_bias.assign(np.random.default_rng(2).normal(0, 0.5, 12))
    return model


@pytest.fixture(scope="session")
def adaptive_model() -> LanguageModel:
    """As `shared_model`, with an adaptive softmax, whose logits are log probabilities."""
    from lstm_lm.model.initializer import Initializer
    from lstm_lm.model.language_model import LanguageModel
    from lstm_lm.model.shape import Shape

    return LanguageModel(Shape(12, 5, 7, 1, None, False, (5, 9)), Initializer("uniform", 1.0, 2))


@pytest.fixture(scope="session")
def ensemble_model() -> Model:
    """An ensemble of three models like `shared_model`, of two layers each."""
    return make_tiny_model(scale=1.0, seed=2, layers=2, members=3)


@pytest.fixture(scope="session")
def mixture_model() -> Mixture:
    """A model like `shared_model`, mixed with trigrams."""
    return make_tiny_model(scale=1.0, seed=2, ngrams=3)


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """The environment of a stage: `python` is this interpreter, and the programs of its packages are on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    quiet = {
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    return {**os.environ, **quiet, "PATH": path} | more


def run(command: Sequence[str], folder: Path, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with stderr in stdout.

    Args:
        command: the program and its arguments.
        folder: where to run it.
        check: fail if its exit code is not 0.
        more: further environment variables.
    """
    done = subprocess.run(
        command, cwd=folder, env=environment(**more), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{command} exited with {done.returncode}:\n{done.stdout}")
    return done


def start(command: Sequence[str], folder: Path, **options: Any) -> subprocess.Popen[str]:
    """Start a command that a test will interrupt, with stderr in stdout. SIGINT works as at a terminal."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (processes in the background ignore SIGINT)
        **options,
    )


def copy_project(folder: Path) -> Path:
    """Copy the project's files as they are now into a new Git repository, and commit them."""
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


def change_params(folder: Path, changes: Mapping[str, object]) -> None:
    """Set dotted keys of a project's params.yaml, such as {"train.epochs": 1}."""
    from ruamel.yaml import YAML

    yaml = YAML()
    path = folder / "params.yaml"
    values = yaml.load(path)
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = values
        for section in sections:
            place = place[section]
        place[last] = value
    with path.open("w") as file:
        yaml.dump(values, file)


def write_corpus(folder: Path) -> None:
    """Write documents of random simple sentences, each with a word that no other has."""
    generator = np.random.default_rng(0)
    words = "the king and queen of england did not see a ghost to-night who'd come to be or art thou more".split()
    for i in range(DOCUMENTS):
        lines = [" ".join(generator.choice(words, 7)) for _ in range(30)]
        (folder / f"part-{i:02}.txt").write_text("\n".join(lines) + "\n" + f"own{i:02} " * 3 + "\n")


# Parameters for such a corpus. The model's size depends on the test.
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
# presets/slow.yaml of `finished_project`.
SLOW_PRESET = """\
train:
  learning_rate: 0.002
evaluate_sample:
  prime_texts: ["thou, it's", 'a "quoted" one']
"""
COMMIT = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--all", "--message"]


def client(folder: Path) -> MlflowClient:
    """Return a client of the MLflow store in a project's folder."""
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def runs(folder: Path) -> list[Run]:
    """Return the runs of a project's experiment, newest first."""
    store = client(folder)
    return list(store.search_runs([store.get_experiment_by_name("lstm_lm").experiment_id]))


def run_id(folder: Path) -> str:
    """Return the id of the run that trained a project's model."""
    return str(json.loads((folder / "models/run.json").read_text())["run_id"])


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file below a folder, by its relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def mogrified_model() -> Model:
    """As `shared_model`, with two layers whose inputs and outputs scale each other."""
    return make_tiny_model(scale=1.0, seed=2, layers=2, mogrifier_rounds=3, mogrifier_rank=4)
