import numpy as np
import pytest

from lstm_lm import dataset


def test_a_split_is_described_by_what_is_scored():
    words = [["a", "x", "b", "x", "y"], ["z", "é"]]
    ids = [np.array([1, 0, 2, 0, 0], np.int32), np.array([0, 3], np.int32)]
    about, joined = dataset.held_out(["one", "two"], words, ids)
    assert joined.tolist() == [1, 0, 2, 0, 0, 0, 3]
    assert about.documents == [{"name": "one", "start": 0, "words": 5}, {"name": "two", "start": 5, "words": 2}]
    assert about.scored == 5  # all but each document's first
    assert about.unknown == 3
    assert about.unknown_types == 3  # x, y, z
    assert about.characters == len(" x b x y") + len(" é")


def test_batches_are_read_as_they_were_written_and_memory_mapped(tmp_path):
    about, ids = dataset.held_out(["one"], [["a", "b", "c"]], [np.array([1, 2, 0], np.int32)])
    train = np.arange(12, dtype=np.int32).reshape(2, 6)
    made = dataset.Batches(
        "stream", 2, 3, 4, {"path": "data/own"}, "digest", train, {"validation": about, "test": about}, {"validation": ids, "test": ids}
    )
    dataset.save(made, tmp_path)
    read = dataset.load(tmp_path)
    assert (read.recipe, read.batch_size, read.sequence_length, read.vocabulary_size) == ("stream", 2, 3, 4)
    assert (read.source, read.raw) == ({"path": "data/own"}, "digest")
    assert isinstance(read.train, np.memmap)
    assert read.train.tolist() == train.tolist()
    assert read.held_out == made.held_out
    assert [document.tolist() for document in read.documents("test")] == [[1, 2, 0]]
    with pytest.raises(FileNotFoundError):
        dataset.load(tmp_path / "missing")
