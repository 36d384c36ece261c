import pytest

from lstm_lm.errors import UserError
from lstm_lm.text import splits
from lstm_lm.text.splits import Span

MANY = {f"{i:02}.txt": 100 + i for i in range(40)}


def names(spans):
    return [span.document for span in spans]


def test_whole_documents_are_held_out_when_there_are_enough():
    parts = splits.split(MANY, 0.05, 0.1, "auto", 1)
    assert [len(parts[name]) for name in splits.SPLITS] == [34, 2, 4]
    assert sorted(names(parts["train"]) + names(parts["validation"]) + names(parts["test"])) == sorted(MANY)
    assert all(span == Span(span.document, 0, MANY[span.document]) for name in splits.SPLITS for span in parts[name])


def test_the_held_out_documents_depend_on_the_seed_alone():
    assert splits.split(MANY, 0.05, 0.05, "auto", 1) == splits.split(MANY, 0.05, 0.05, "auto", 1)
    assert splits.split(MANY, 0.05, 0.05, "auto", 1) != splits.split(MANY, 0.05, 0.05, "auto", 2)


def test_the_ends_of_documents_are_held_out_when_there_are_few():
    parts = splits.split({"book.txt": 1000, "empty.txt": 0, "other.txt": 200}, 0.05, 0.1, "auto", 1)
    assert parts["train"] == [Span("book.txt", 0, 850), Span("other.txt", 0, 170)]
    assert parts["validation"] == [Span("book.txt", 850, 900), Span("other.txt", 170, 180)]
    assert parts["test"] == [Span("book.txt", 900, 1000), Span("other.txt", 180, 200)]


def test_files_named_by_globs_are_held_out():
    lengths = {"wiki.train.txt": 9, "wiki.valid.txt": 5, "wiki.test.txt": 5}
    parts = splits.split(lengths, ["*.valid.*"], ["*.test.*"], "auto", 1)
    assert {name: names(parts[name]) for name in splits.SPLITS} == {
        "train": ["wiki.train.txt"],
        "validation": ["wiki.valid.txt"],
        "test": ["wiki.test.txt"],
    }


@pytest.mark.parametrize(
    ("lengths", "validation", "test", "split_by", "message"),
    [
        ({"a.txt": 9, "b.txt": 9}, ["x*"], ["b*"], "auto", r"vocab\.validation: 'x\*' matches no document"),
        ({"a.txt": 9, "b.txt": 9}, ["b*"], ["b*"], "auto", "both name b.txt"),
        ({"a.txt": 9, "b.txt": 9}, ["a*"], ["b*"], "auto", "none is left to train on"),
        ({"a.txt": 9, "b.txt": 9}, 0.1, 0.1, "documents", "too few for training, validation and test"),
        ({"a.txt": 9}, 0.1, 0.1, "auto", "too few for a validation split"),
        ({"a.txt": 9, "b.txt": 1, "c.txt": 9}, ["b*"], ["c*"], "auto", "too few for a validation split"),
        ({"a.txt": 9, "b.txt": 9}, ["!"], ["b*"], "auto", r"vocab\.validation: '!' is not a file name pattern"),
    ],
)
def test_an_empty_split_is_rejected(lengths, validation, test, split_by, message):
    with pytest.raises(UserError, match=message):
        splits.split(lengths, validation, test, split_by, 1)


def test_saved_splits_are_loaded_unchanged(tmp_path):
    parts = splits.split(MANY, 0.05, 0.05, "auto", 1)
    splits.save(parts, tmp_path / "splits.json")
    assert splits.load(tmp_path / "splits.json") == parts
