import json
from dataclasses import replace

import numpy as np
import pytest

from lstm_lm.data import dataset
from lstm_lm.data.dataset import Batches
from lstm_lm.io import arrays
from lstm_lm.io.arrays import Blocks
from plain import held_out


def test_saved_batches_are_loaded_memory_mapped(tmp_path):
    description, ids = held_out(["one"], [["a", "b", "c"]], [np.array([1, 2, 0], np.int32)])
    train = np.arange(12, dtype=np.int32).reshape(2, 6)
    batches = Batches(
        "stream",
        2,
        3,
        4,
        {"path": "data/own"},
        "digest",
        train,
        {"validation": description, "test": description},
        {"validation": ids, "test": ids},
    )
    dataset.save(batches, tmp_path)
    loaded = dataset.load(tmp_path)
    assert (loaded.recipe, loaded.batch_size, loaded.sequence_length, loaded.vocabulary_size) == ("stream", 2, 3, 4)
    assert (loaded.source, loaded.text_digest) == ({"path": "data/own"}, "digest")
    assert isinstance(loaded.train, np.memmap)
    assert loaded.train.tolist() == train.tolist()
    assert loaded.held_out == batches.held_out
    assert [document.tolist() for document in loaded.documents("test")] == [[1, 2, 0]]
    block_batches = replace(batches, train=Blocks((2, 6), iter([train[0], train[1]])))
    (tmp_path / "blocks").mkdir()
    dataset.save(block_batches, tmp_path / "blocks")
    assert (tmp_path / "blocks/train.npy").read_bytes() == (tmp_path / "train.npy").read_bytes()
    arrays.release(loaded.train)
    assert loaded.train.tolist() == train.tolist()
    with pytest.raises(FileNotFoundError):
        dataset.load(tmp_path / "missing")


def test_the_json_description_keeps_its_keys(tmp_path):
    description, ids = held_out(["é"], [["a", "b", "c"]], [np.array([1, 2, 0], np.int32)])
    held, held_ids = {"validation": description, "test": description}, {"validation": ids, "test": ids}
    dataset.save(Batches("stream", 2, 3, 4, {}, "digest", np.zeros([2, 6], np.int32), held, held_ids), tmp_path)
    text = (tmp_path / "batches.json").read_text(encoding="utf-8")
    loaded = json.loads(text)
    assert text == json.dumps(loaded, indent=1, ensure_ascii=False) + "\n"
    assert list(loaded) == ["recipe", "batch_size", "sequence_length", "vocabulary_size", "source", "raw", "validation", "test"]
    assert loaded["test"] == {
        "documents": [{"name": "é", "start": 0, "words": 3}],
        "scored": 2,
        "unknown": 1,
        "unknown_types": 1,
        "characters": 4,
    }
