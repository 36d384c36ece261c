"""The sizes that are compared, and who takes part."""

import functools
import subprocess
import sys
from pathlib import Path

import driver
import environments
from driver import Peer

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "src"))

from lstm_lm.config import keys, loading, presets

VOCABULARY = 8_084  # what the book's recipe knows of Shakespeare
OURS = "ours"
SAMPLED_WORDS = 8192
OWN = {"PYTHONPATH": str(PROJECT / "src")}  # the environment of workers that import lstm_lm


def settings_of(preset=None):
    """params.yaml, or a preset over it, as the workers' settings."""
    values = loading.read(PROJECT / "params.yaml")
    if preset:
        values = keys.with_changes(values, presets.load(preset, PROJECT / "presets"))
    chosen = loading.check(values)
    model, train = chosen.model, chosen.train
    return {
        "vocabulary": VOCABULARY,
        "batch_size": chosen.batching.batch_size,
        "sequence_length": chosen.batching.sequence_length,
        "embedding_size": model.embedding_size,
        "hidden_size": model.hidden_size,
        "projection_size": model.projection_size,
        "tie_weights": model.tie_weights,
        "dropout": model.dropout_input,
        "initializer_scale": 0.05,  # uniform, for all, so that they start alike
        "learning_rate": 0.001,  # constant, for all
        "weight_decay": train.weight_decay,
        "clip_norm": train.clip_norm,
        "state_reset": train.state_reset,
    }


def operations(shape):
    """Floating point operations of a training word: those of the matrix products, forward once and backward twice."""
    hidden, projection = shape["hidden_size"], shape["projection_size"]
    lstm = 4 * hidden * (shape["embedding_size"] + hidden)
    softmax = (projection or hidden) * shape["vocabulary"]
    return 3 * 2 * (lstm + hidden * (projection or 0) + softmax)


@functools.cache
def auto_precision():
    """What `train.precision: auto` chooses on this machine."""
    code = "from lstm_lm.model import precision; print(precision.resolve('auto')[0])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PROJECT / "src", capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def ours(chosen):
    """In the precision that `auto` chooses here, and in float32 too, if that is another."""
    names = {auto_precision(): f"{OURS} (precision auto: {auto_precision()})"}
    names.setdefault("float32", f"{OURS} (float32)")
    return [Peer(name, "ours.py", {**chosen, "precision": precision}, environment=OWN) for precision, name in names.items()]


def sampled(chosen):
    """Ours, trained on an estimate of the loss."""
    settings = {**chosen, "precision": auto_precision(), "sampled_words": SAMPLED_WORDS}
    return Peer(f"{OURS}, trained on {SAMPLED_WORDS:,} sampled words", "ours.py", settings, environment=OWN)


def adaptive(chosen):
    """Ours, with an adaptive softmax: the words are cut where 20% and 60% of them are."""
    cutoffs = [chosen["vocabulary"] // 5, chosen["vocabulary"] * 3 // 5]
    settings = {**chosen, "precision": auto_precision(), "adaptive_cutoffs": cutoffs}
    return Peer(f"{OURS}, adaptive softmax", "ours.py", settings, environment=OWN)


def keras(chosen, jit=False):
    return Peer(f"Keras 3, {'jit_compile=True' if jit else 'plain'}", "stock_keras.py", {**chosen, "jit": jit})


def pytorch(chosen, bfloat16=False):
    name = f"PyTorch, {'bfloat16 autocast' if bfloat16 else 'float32'}"
    return Peer(name, "pytorch.py", {**chosen, "bfloat16": bfloat16}, environments.torch)


def cookbook(chosen, script="cookbook.py", name="the cookbook's graph"):
    """On TensorFlow 1.15 where that can be had, else on tf.compat.v1."""
    try:
        return Peer(f"{name}, TensorFlow 1.15", script, chosen, environments.tf1())
    except environments.Missing as missing:
        driver.say(f"TensorFlow 1.15: {missing}")
        return Peer(f"{name}, on tf.compat.v1 with a hand-written cell (TensorFlow 1.15 cannot be had here)", script, chosen)


def roof(chosen, square, dtypes):
    """The rate of matrix products on this machine: a square one, and those of 512 words of this model's softmax."""
    width = chosen["projection_size"] or chosen["hidden_size"]
    shapes = {"words": 512, "width": width, "vocabulary": chosen["vocabulary"], "square": square, "dtypes": dtypes}
    return Peer("the roof", "roof.py", shapes)
