"""Whatever takes part in a training: one that is stopped, and resumed by a process of its own, ends bit for bit as an undisturbed one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_trainer import SOME, StopAfter, batches, make, new_model, settings, zipf_text

from conftest import PROJECT, TINY_VOCABULARY
from lstm_lm import paths
from lstm_lm.config import keys, loading
from lstm_lm.data import windows
from lstm_lm.export.weights import CONFIG, NGRAMS, save_weights
from lstm_lm.io import arrays
from lstm_lm.io.checkpoints import Checkpoints
from lstm_lm.io.interruption import Interruption
from lstm_lm.io.scratch import Scratch
from lstm_lm.jobs import ngram_member
from lstm_lm.jobs.train import TrainingJob
from lstm_lm.text import encoded, splits
from lstm_lm.text.splits import Span
from lstm_lm.training import time_budget
from lstm_lm.training.progress import Stopped
from lstm_lm.training.time_budget import Plan

NGRAMS_ON = {"order": 3, "weight": "auto"}
STOPPED_AT = 33  # of 58 steps, in the second epoch


def partly_predictable():
    """Batches of a text for which the best weight of n-grams is neither 0 nor 1."""
    ids, data = zipf_text(660), batches()
    return replace(data, train=windows.stream(ids[:600], 4), ids=dict.fromkeys(data.ids, ids[600:]))


def write_text(folder, data):
    """Write the text of batches as the stage vocab does, in two documents, with words that the model does not know."""
    ids = np.concatenate([np.asarray(data.train).reshape(-1), [data.vocabulary_size + 3, 2, data.vocabulary_size, 1]]).astype(np.int32)
    (folder / paths.VOCAB).mkdir(parents=True)
    arrays.save(folder / paths.VOCAB / encoded.IDS_FILE, ids)
    arrays.save(folder / paths.VOCAB / encoded.LENGTHS_FILE, np.ones(data.vocabulary_size + 4, np.int32))
    contents = {"vocabulary_size": data.vocabulary_size, "documents": {"a": 500, "b": len(ids) - 500}}
    (folder / paths.VOCAB / encoded.DOCUMENTS_FILE).write_text(json.dumps(contents))
    spans = [Span("a", 0, 500), Span("b", 0, len(ids) - 500)]
    splits.save({"train": spans, "validation": [], "test": []}, folder / paths.SPLITS)


def params(**changes):
    return loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), changes))


def outcome(trainer, ngrams, folder):
    """Train to the end, and return the bytes of the files with weights and n-grams, and the rows of the history without the speed."""
    trainer.run()
    model = ngram_member.mixture(params(**{"model.ngrams": ngrams}), trainer) or trainer.model
    save_weights(model, TINY_VOCABULARY, folder, {})
    if ngrams:
        assert (folder / NGRAMS).exists()
        assert 0.01 < json.loads((folder / CONFIG).read_text())["ngrams"]["weight"] < 0.99
    rows = [{**row, "words_per_second": 0} for row in trainer.progress.rows]
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}, rows


@pytest.mark.parametrize(
    ("shape", "train", "ngrams"),
    [
        ({"mogrifier_rounds": 3, "mogrifier_rank": 4}, {}, None),
        ({}, {}, NGRAMS_ON),
        ({}, {"beta2": 0.9}, None),
        ({"members": 2}, {}, None),
        ({"mogrifier_rounds": 2, "mogrifier_rank": 3, "members": 2}, {"beta2": 0.99}, NGRAMS_ON),
    ],
    ids=["mogrifier", "n-grams", "beta2", "ensemble", "all"],
)
def test_a_training_with_an_option_resumes_bit_for_bit(shape, train, ngrams, tmp_path, monkeypatch):
    data = partly_predictable()
    write_text(tmp_path, data)
    monkeypatch.chdir(tmp_path)
    sections = settings(epochs=2, state_reset=0.2, ema_decay=0.9, **train)

    def begin(**more):
        trainer = make(new_model(**shape), data, sections, SOME, **more)
        trainer.functions._compiled_rows = frozenset({1} if "mogrifier_rounds" in shape else ())  # the validation of a long document
        return trainer

    expected = outcome(begin(), ngrams, tmp_path / "undisturbed")
    checkpoints = Checkpoints(tmp_path, 1000)
    with pytest.raises(Stopped) as stopped:
        begin(steps_per_call=1, checkpoints=checkpoints, stop_request=StopAfter(STOPPED_AT - 1)).run()
    checkpoints.close()
    assert stopped.value.step == STOPPED_AT

    resumed = begin()
    for variable in resumed.model.weights.values():  # as another process, which knows nothing but the checkpoint
        variable.assign(variable + 1)
    resumed.restore(*Checkpoints(tmp_path, 1000).load())
    files, rows = outcome(resumed, ngrams, tmp_path / "resumed")
    assert files == expected[0]
    assert rows == expected[1]


def test_a_training_of_some_minutes_resumes_bit_for_bit_on_a_machine_that_is_faster_by_then(tmp_path, monkeypatch):
    """The schedule of its learning rates ends with the steps that it began with."""
    sections = settings(epochs=None, minutes=1.0, schedule="cosine", state_reset=0.2)

    def begin(steps, **more):
        """steps: that the machine could take in the minutes now."""
        monkeypatch.setattr(time_budget, "plan", lambda trainer, seconds: Plan(steps, seconds / steps, 0.0))
        trainer = make(new_model(), sections=sections, regularization=SOME, **more)
        job = TrainingJob(params(**{"train.epochs": None, "train.minutes": 1.0}), None, scratch, Interruption())
        trainer.limit_steps(job._steps_in(trainer, 1.0))
        return trainer

    with Scratch(tmp_path, "undisturbed").lock() as scratch:
        expected = outcome(begin(45), None, tmp_path / "undisturbed")
    with Scratch(tmp_path, "interrupted").lock() as scratch:
        checkpoints = Checkpoints(scratch.folder, 1000)
        with pytest.raises(Stopped):
            begin(45, steps_per_call=1, checkpoints=checkpoints, stop_request=StopAfter(STOPPED_AT - 1)).run()
        checkpoints.close()
        resumed = begin(60)
        resumed.restore(*Checkpoints(scratch.folder, 1000).load())
        assert outcome(resumed, None, tmp_path / "resumed") == expected
    assert resumed.progress.step == 45
