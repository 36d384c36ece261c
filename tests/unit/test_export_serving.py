"""The SavedModel as TensorFlow Serving runs it: loaded into a session, in graph mode, every option a vector."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from conftest import digests
from lstm_lm.commands.export_serving import export_serving, next_version
from lstm_lm.errors import UserError
from lstm_lm.export.generator import Generator
from lstm_lm.export.text_model import load_text_model
from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions

pytestmark = pytest.mark.slow  # saving a model takes seconds
SAMPLES = [1, 2]
PROMPTS = ["thou art", "King, to be"]


@pytest.fixture
def checkout(tiny_saved_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a model; it is the current folder."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/saved_model").symlink_to(tiny_saved_models / "1/saved_model")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(count: int, *without: str, **values: object) -> dict[str, np.ndarray]:
    """The inputs of a signature for the options: vectors of `count` values."""
    table = {row.name: np.full(count, row.default) for row in options.options() if row.name not in without}
    return table | {name: np.broadcast_to(value, count) for name, value in values.items()}


class Session:
    """Calls signatures as TensorFlow Serving does."""

    def __init__(self, session, folder):
        self.session = session
        self.signatures = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder)).signature_def

    def __call__(self, name, **inputs):
        signature = self.signatures[name]
        assert inputs.keys() == set(signature.inputs)
        outputs = {key: info.name for key, info in signature.outputs.items()}
        return self.session.run(outputs, {signature.inputs[key].name: value for key, value in inputs.items()})


def test_a_session_runs_the_exported_signatures(checkout):
    export_serving("served")
    folder = checkout / "served/lstm_lm/1"
    assert digests(folder) == digests(checkout / "models/saved_model")
    generate = Generator(load_text_model(checkout / "models/saved_model"))
    mixed = {"temperature": [0.0, 1.0], "seed": [1, 7], "max_words": [9, 6]}
    expected = [
        *generate(PROMPTS[:1], GenerationOptions(temperature=0.0, seed=1, max_words=9)),
        *generate(PROMPTS[1:], GenerationOptions(temperature=1.0, seed=7, max_words=6, samples=2)),
    ]
    # The optimizer changes no text, and takes most of the time of a first call.
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.compat.v1.Session(graph=tf.Graph(), config=config) as session:
        call = Session(session, folder)
        whole = call("serving_default", prompts=PROMPTS, **rows(2, **mixed, samples=SAMPLES))["texts"]
        assert [text.decode() for text in whole] == expected
        step = call("prefill", prompts=PROMPTS, samples=SAMPLES)
        texts, keys, position = [PROMPTS[0], PROMPTS[1], PROMPTS[1]], step["keys"], np.zeros(3, np.int32)
        for words in ([4, 1, 1], [5, 5, 5]):
            of_rows = rows(3, "samples", "beam_width", temperature=[0.0, 1.0, 1.0], seed=[1, 7, 7], max_words=words)
            previous = {name: step[name] for name in ("last", "state", "history")}
            step = call("decode", **previous, keys=keys, position=position, **of_rows)
            texts = [text + more.decode() for text, more in zip(texts, step["texts"], strict=True)]
            position += np.array(words, np.int32)
        assert texts == expected


def test_each_export_is_a_new_version(checkout, capsys):
    (checkout / "served/lstm_lm/not a version").mkdir(parents=True)
    for _ in range(2):
        export_serving("served")
    export_serving("served", "other")
    assert capsys.readouterr().out.splitlines()[1].startswith("copied models/saved_model to served/lstm_lm/2: ")
    found = {path.parent.relative_to(checkout / "served").as_posix() for path in (checkout / "served").glob("*/*/saved_model.pb")}
    assert found == {"lstm_lm/1", "lstm_lm/2", "other/1"}
    (checkout / "served/lstm_lm/10").mkdir()
    assert next_version(checkout / "served/lstm_lm") == 11


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_name_that_is_no_folder_is_reported(checkout, name):
    with pytest.raises(UserError, match="must be the name of a folder"):
        export_serving("served", name)
