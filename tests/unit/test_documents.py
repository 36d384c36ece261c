import hashlib
import json

import pytest

from lstm_lm.errors import UserError
from lstm_lm.text.sources import documents
from lstm_lm.text.sources.documents import Document

SOURCE = {"path": "data/own"}


def test_saved_documents_are_loaded_unchanged_and_their_source_is_described(tmp_path):
    originals = [Document("a/b.txt", ["één\n"]), Document("c.txt", ["two\r\n"])]
    assert documents.write(iter(originals), SOURCE, tmp_path / "raw") == (2, 11)
    assert list(documents.read(tmp_path / "raw")) == originals
    contents = json.loads((tmp_path / "raw/source.json").read_text())
    assert contents["source"] == {"path": "data/own"}
    assert documents.load_source(tmp_path / "raw/source.json") == (
        {"path": "data/own"},
        hashlib.sha256((tmp_path / "raw/source.json").read_bytes()).hexdigest(),
    )
    assert contents["files"][0] == {"name": "a/b.txt", "sha256": hashlib.sha256("één\n".encode()).hexdigest(), "bytes": 6}


def test_an_interrupted_write_leaves_the_old_folder_intact(tmp_path):
    documents.write([Document("a.txt", ["old"])], SOURCE, tmp_path / "raw")
    with pytest.raises(UserError, match=r"b\.txt: holds half a character, so that .*download\.encoding must be wrong"):
        documents.write([Document("a.txt", ["new"]), Document("b.txt", ["\ud800"])], SOURCE, tmp_path / "raw")
    assert [document.text for document in documents.read(tmp_path / "raw")] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("name", ["../a.txt", "/tmp/a.txt", "a/../../b.txt"])
def test_a_name_outside_the_folder_is_rejected(tmp_path, name):
    with pytest.raises(UserError, match="points outside the folder"):
        documents.write([Document(name, ["x"])], SOURCE, tmp_path / "raw")
    assert list(tmp_path.iterdir()) == []


def test_names_that_the_disk_takes_for_one_are_rejected_before_a_text_is_overwritten(tmp_path):
    with pytest.raises(UserError, match=r"^a\.txt: another file has this name, or a name that this disk takes for the same: rename it$"):
        documents.write([Document("a.txt", ["x"]), Document("a.txt", ["y"])], SOURCE, tmp_path / "raw")
    assert list(tmp_path.iterdir()) == []
