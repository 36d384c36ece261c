import json
import os

import pytest

from lstm_lm.io import atomic


def test_a_file_is_replaced_only_when_it_is_complete(tmp_path):
    path = tmp_path / "note.json"
    path.write_text("old")

    def fail(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic.replace_file(path, fail)
    assert path.read_text() == "old"
    atomic.replace_file(path, lambda file: file.write(json.dumps({"new": os.getpid()}).encode()))
    assert json.loads(path.read_text()) == {"new": os.getpid()}


def test_json_is_written_as_readable_utf_8(tmp_path):
    atomic.write_json(tmp_path / "a.json", {"b": "é", "a": 1}, sort_keys=True)
    assert (tmp_path / "a.json").read_bytes() == '{\n "a": 1,\n "b": "é"\n}\n'.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
