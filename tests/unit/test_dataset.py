import json
from dataclasses import replace

import numpy as np
import pytest

from lstm_lm.data import dataset
from lstm_lm.data.dataset import Batches, Document
from lstm_lm.io import arrays
from lstm_lm.io.arrays import Blocks
from lstm_lm.text.encoded import NO_SPACE_AFTER, NO_SPACE_BEFORE, Characters, Part
from plain import held_out


def test_a_description_counts_the_scored_words():
    words = [["a", "x", "b", "x", "y"], ["z", "é"], ["b"]]
    ids = [np.array([1, 0, 2, 0, 0], np.int32), np.array([0, 3], np.int32), np.array([2], np.int32)]
    description, joined = held_out(["one", "two", "three"], words, ids)
    assert joined.tolist() == [1, 0, 2, 0, 0, 0, 3, 2]
    assert description.documents[:2] == [Document("one", 0, 5), Document("two", 5, 2)]
    assert description.scored_words == 5  # all but each document's first
    assert description.unknown_words == 3
    assert description.unknown_types == 3  # x, y, z
    assert description.characters == len(" x b x y") + len(" é")
    # The same of ids that tell unknown words apart: from 4 on x, y, z.
    whole = np.array([2, 1, 4, 2, 4, 5, 6, 3, 2], np.int32)
    part = Part(whole, [("one", 1, 6), ("two", 6, 8), ("three", 8, 9)])
    spaces_everywhere = Characters(np.array([5, 1, 1, 1, 2, 2, 2], np.int32), np.zeros(7, np.int32))
    assert dataset.describe_held_out(part, Characters(np.ones(7, np.int32), np.zeros(7, np.int32)), 4) == description
    # And word by word: 2 characters each, or 3 if it is unknown.
    unknown, characters = dataset.describe_scored_words(part, spaces_everywhere, 4)
    assert [flags.tolist() for flags in unknown] == [[True, False, True, True], [False], []]
    assert [numbers.tolist() for numbers in characters] == [[3, 2, 3, 3], [2], []]


def test_characters_are_counted_in_the_detokenized_text():
    # "so", "," without a space before it, "(" without one after it, a line end with neither.
    characters = Characters(
        np.array([5, 2, 1, 1, 1], np.int32), np.array([0, 0, NO_SPACE_BEFORE, NO_SPACE_AFTER, NO_SPACE_BEFORE | NO_SPACE_AFTER], np.int32)
    )
    ids = np.array([1, 2, 3, 1, 4, 4, 1, 0], np.int32)
    assert characters.count(ids, previous=1).tolist() == [3, 1, 2, 2, 1, 1, 2, 6]
    assert characters.count(ids, previous=3).sum() == len("so, (so\n\nso <unk>")
    part = Part(ids, [("one", 0, 3), ("two", 3, 8)])
    assert dataset.describe_held_out(part, characters, 5).characters == len(", (") + len("\n\nso <unk>")


def test_saved_batches_are_loaded_memory_mapped(tmp_path):
    description, ids = held_out(["one"], [["a", "b", "c"]], [np.array([1, 2, 0], np.int32)])
    train = np.arange(12, dtype=np.int32).reshape(2, 6)
    made = Batches(
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
    dataset.save(made, tmp_path)
    read = dataset.load(tmp_path)
    assert (read.recipe, read.batch_size, read.sequence_length, read.vocabulary_size) == ("stream", 2, 3, 4)
    assert (read.source, read.text_digest) == ({"path": "data/own"}, "digest")
    assert isinstance(read.train, np.memmap)
    assert read.train.tolist() == train.tolist()
    assert read.held_out == made.held_out
    assert [document.tolist() for document in read.documents("test")] == [[1, 2, 0]]
    in_blocks = replace(made, train=Blocks((2, 6), iter([train[0], train[1]])))
    (tmp_path / "blocks").mkdir()
    dataset.save(in_blocks, tmp_path / "blocks")
    assert (tmp_path / "blocks/train.npy").read_bytes() == (tmp_path / "train.npy").read_bytes()
    arrays.release(read.train)
    assert read.train.tolist() == train.tolist()
    with pytest.raises(FileNotFoundError):
        dataset.load(tmp_path / "missing")


def test_the_json_description_keeps_its_keys(tmp_path):
    description, ids = held_out(["é"], [["a", "b", "c"]], [np.array([1, 2, 0], np.int32)])
    held, held_ids = {"validation": description, "test": description}, {"validation": ids, "test": ids}
    dataset.save(Batches("stream", 2, 3, 4, {}, "digest", np.zeros([2, 6], np.int32), held, held_ids), tmp_path)
    text = (tmp_path / "batches.json").read_text(encoding="utf-8")
    read = json.loads(text)
    assert text == json.dumps(read, indent=1, ensure_ascii=False) + "\n"
    assert list(read) == ["recipe", "batch_size", "sequence_length", "vocabulary_size", "source", "raw", "validation", "test"]
    assert read["test"] == {
        "documents": [{"name": "é", "start": 0, "words": 3}],
        "scored": 2,
        "unknown": 1,
        "unknown_types": 1,
        "characters": 4,
    }
