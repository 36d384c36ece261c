"""The systems under comparison, and the model sizes at which they are compared."""

import functools
import subprocess
import sys
from pathlib import Path

import driver
import environments
import processes
from driver import Peer, Settings

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "src"))

from lstm_lm.config import keys, loading, presets

VOCABULARY = 8_084  # the vocabulary of the book's recipe on Shakespeare
OURS = "ours"
SAMPLED_WORDS = 8192
SOURCE_PATH = {"PYTHONPATH": str(PROJECT / "src")}  # for workers that import lstm_lm
SOFTMAX_WORDS = 512  # words per matrix product in the peak measurement


def settings_of(preset: str | None = None) -> Settings:
    """Return the workers' settings from params.yaml, or from a preset applied to it."""
    values = loading.read(PROJECT / "params.yaml")
    if preset:
        values = keys.with_changes(values, presets.load(preset, PROJECT / "presets"))
    params = loading.check(values)
    model, train = params.model, params.train
    return {
        "vocabulary": VOCABULARY,
        "batch_size": params.batching.batch_size,
        "sequence_length": params.batching.sequence_length,
        "embedding_size": model.embedding_size,
        "hidden_size": model.hidden_size,
        "projection_size": model.projection_size,
        "tie_weights": model.tie_weights,
        "dropout": model.dropout_input,
        "initializer_scale": 0.05,  # uniform for all systems, so that they start alike
        "learning_rate": 0.001,  # constant for all systems
        "weight_decay": train.weight_decay,
        "clip_norm": train.clip_norm,
        "state_reset": train.state_reset,
    }


def operations(settings: Settings) -> int:
    """Count the floating point operations per training word: the matrix products, once forward and twice backward."""
    hidden, projection = settings["hidden_size"], settings["projection_size"]
    lstm = 4 * hidden * (settings["embedding_size"] + hidden)
    softmax = (projection or hidden) * settings["vocabulary"]
    return int(3 * 2 * (lstm + hidden * (projection or 0) + softmax))


def words_per_step(settings: Settings) -> int:
    """Return the number of words in a training step."""
    return int(settings["batch_size"] * settings["sequence_length"])


@functools.cache
def auto_precision() -> str:
    """Return the precision that `train.precision: auto` selects on this machine."""
    code = "from lstm_lm.model import precision; print(precision.resolve('auto')[0])"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT / "src", env=processes.environment(), capture_output=True, text=True, check=True
    )
    return process.stdout.split()[-1]


def ours(settings: Settings) -> list[Peer]:
    """Return this project in the precision that `auto` selects, and also in float32 if that is another one."""
    names = {auto_precision(): f"{OURS} (precision auto: {auto_precision()})"}
    names.setdefault("float32", f"{OURS} (float32)")
    return [Peer(name, "ours.py", {**settings, "precision": precision}, environment=SOURCE_PATH) for precision, name in names.items()]


def exact(settings: Settings) -> Peer:
    """Return this project in the precision of the settings."""
    return Peer(f"{OURS}, exact softmax", "ours.py", settings, environment=SOURCE_PATH)


def sampled(settings: Settings) -> Peer:
    """Return this project trained with a sampled softmax, in the precision of the settings or otherwise in that of `auto`."""
    settings = {**settings, "precision": settings.get("precision") or auto_precision(), "sampled_words": SAMPLED_WORDS}
    return Peer(f"{OURS}, sampled softmax ({SAMPLED_WORDS:,} words)", "ours.py", settings, environment=SOURCE_PATH)


def adaptive(settings: Settings) -> Peer:
    """Return this project with an adaptive softmax whose clusters start at 20% and 60% of the vocabulary, in a precision as `sampled`."""
    cutoffs = [settings["vocabulary"] // 5, settings["vocabulary"] * 3 // 5]
    precision = settings.get("precision") or auto_precision()
    settings = {**settings, "precision": precision, "adaptive_cutoffs": cutoffs, "tie_weights": False}
    return Peer(f"{OURS}, adaptive softmax", "ours.py", settings, environment=SOURCE_PATH)


def keras(settings: Settings, jit: bool = False) -> Peer:
    """Return Keras' own layers, on request compiled by XLA."""
    return Peer(f"Keras 3, {'jit_compile=True' if jit else 'plain'}", "stock_keras.py", {**settings, "jit": jit})


def pytorch(settings: Settings, bfloat16: bool = False) -> Peer:
    """Return PyTorch's own layers, in float32 or under bfloat16 autocast."""
    name = f"PyTorch, {'bfloat16 autocast' if bfloat16 else 'float32'}"
    return Peer(name, "pytorch.py", {**settings, "bfloat16": bfloat16}, environments.torch)


def cookbook(settings: Settings, script: str = "cookbook.py", name: str = "the cookbook's graph") -> Peer:
    """Return the cookbook's code on TensorFlow 1.15, or on tf.compat.v1 where that is not available."""
    try:
        return Peer(f"{name}, TensorFlow 1.15", script, settings, environments.tf1())
    except environments.Unavailable as error:
        driver.log(f"TensorFlow 1.15: {error}")
        return Peer(f"{name}, on tf.compat.v1 with a hand-written cell (TensorFlow 1.15 is not available here)", script, settings)


def matmul(settings: Settings, square: int, dtypes: list[str]) -> Peer:
    """Return the measurement of matrix products: a square one, and those of this model's softmax.

    Args:
        settings: sizes of the model.
        square: size of the square product.
        dtypes: precisions to measure.
    """
    width = settings["projection_size"] or settings["hidden_size"]
    shapes = {"words": SOFTMAX_WORDS, "width": width, "vocabulary": settings["vocabulary"], "square": square, "dtypes": dtypes}
    return Peer("peak throughput", "matmul.py", shapes)
