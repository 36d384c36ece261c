from pathlib import Path

import numpy as np
import pytest

from lstm_lm.text import duplicates, splits
from lstm_lm.text.duplicates import SHINGLE, find_copies, find_near_duplicates
from lstm_lm.text.encoded import Text
from lstm_lm.text.splits import Span


def test_of_equal_documents_the_first_is_kept() -> None:
    digests = {"a.txt": "1", "b.txt": "2", "c.txt": "1", "d.txt": "1", "e.txt": "3"}
    assert find_copies(digests, 0.1, 0.1) == {"c.txt": "a.txt", "d.txt": "a.txt"}
    assert find_copies({"a.txt": "1", "b.txt": "2"}, 0.1, 0.1) == {}


def test_of_equal_documents_the_one_that_a_pattern_holds_out_is_kept() -> None:
    digests = {"a.txt": "1", "b.txt": "2", "test/a.txt": "1", "test/b.txt": "2", "test/c.txt": "2", "valid/b.txt": "2", "z.txt": "1"}
    copies = find_copies(digests, ["valid/*"], ["test/*"])
    assert copies == {"a.txt": "test/a.txt", "z.txt": "test/a.txt", "b.txt": "test/b.txt", "test/c.txt": "test/b.txt"}


def make_text(documents: dict[str, list[int]]) -> Text:
    return Text(np.array([word for words in documents.values() for word in words], np.int32), {k: len(v) for k, v in documents.items()})


def plain_fractions(documents: dict[str, list[int]], spans: splits.Spans) -> dict[str, float]:
    """The plain version: the fraction of all word sequences of each held-out span that are in the training text."""

    def sequences(span: Span) -> list[tuple[int, ...]]:
        words = documents[span.document][span.start : span.stop]
        return [tuple(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)]

    train = {sequence for span in spans["train"] for sequence in sequences(span)}
    fractions = {}
    for name in duplicates.HELD_OUT:
        for span in spans[name]:
            found = [sequence in train for sequence in sequences(span)]
            if len(found) >= duplicates.MIN_SHINGLES and np.mean(found) >= duplicates.MIN_FRACTION:
                fractions[span.document] = float(np.mean(found))
    return fractions


def some_documents() -> dict[str, list[int]]:
    """b is nearly a, d is a part of c, e has nothing in common with others, f is short."""
    generator = np.random.default_rng(1)
    documents = {name: generator.integers(0, 5000, 3000).tolist() for name in "ace"}
    documents["b"] = [*documents["a"][:1500], 7, *documents["a"][1500:2400], *generator.integers(0, 5000, 600).tolist()]
    documents["d"] = documents["c"][100:900]
    documents["f"] = documents["c"][:20]
    return {f"{name}.txt": documents[name] for name in sorted(documents)}


SPANS = {
    "train": [Span("a.txt", 0, 3000), Span("c.txt", 0, 3000)],
    "validation": [Span("b.txt", 0, 3001), Span("e.txt", 0, 3000)],
    "test": [Span("d.txt", 0, 800), Span("f.txt", 0, 20)],
}


@pytest.mark.parametrize("block", [64, 2**18])
def test_held_out_documents_that_are_largely_in_the_training_text_are_found(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(duplicates, "BLOCK", block)
    documents = some_documents()
    found = find_near_duplicates(make_text(documents), SPANS)
    assert {each.document: each.fraction for each in found} == plain_fractions(documents, SPANS)
    assert [(each.document, each.origin) for each in found] == [("d.txt", "c.txt"), ("b.txt", "a.txt")]


def test_a_sample_of_a_large_text_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = some_documents()
    monkeypatch.setattr(duplicates, "SAMPLE", 3000)
    found = find_near_duplicates(make_text(documents), SPANS)
    assert [each.document for each in found] == ["d.txt", "b.txt"]
    expected = plain_fractions(documents, SPANS)
    for each in found:
        assert abs(each.fraction - expected[each.document]) < 0.1


def test_the_end_of_a_document_in_another_one_is_found() -> None:
    generator = np.random.default_rng(2)
    documents = {"a.txt": generator.integers(0, 900, 1000).tolist()}
    documents["b.txt"] = [*documents["a.txt"], *generator.integers(0, 900, 1000).tolist()]
    text = make_text(documents)
    [near] = find_near_duplicates(text, splits.split(text.documents, 0.1, 0.1, "spans", 1))[:1]
    assert (near.document, near.origin, near.fraction) == ("a.txt", "b.txt", 1.0)
    assert find_near_duplicates(make_text({"a.txt": [1, 2, 3]}), {"train": [], "validation": [Span("a.txt", 0, 3)], "test": []}) == []


def test_the_stage_vocab_leaves_out_copies_and_names_near_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from conftest import PROJECT
    from lstm_lm.config import loading
    from lstm_lm.jobs import vocab
    from lstm_lm.text.sources import documents
    from lstm_lm.text.sources.documents import Document

    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(3)
    texts = {f"{i:02}.txt": " ".join(f"w{word}" for word in generator.integers(0, 300, 500)) + "\n" for i in range(30)}
    settings = loading.load(PROJECT / "params.yaml")

    def run() -> splits.Spans:
        written = [Document(name, [text]) for name, text in sorted(texts.items())]
        documents.write(written, {"path": "data/own"}, "data/raw")
        vocab.run(settings)
        return splits.load("data/vocab/splits.json")

    held_out = run()["test"][0].document
    assert "copies" not in capsys.readouterr().err
    texts["copy.txt"] = texts[held_out]
    texts["other.txt"] = texts["00.txt"]
    spans = run()
    assert not {"copy.txt", "other.txt"} & {span.document for name in spans for span in spans[name]}
    note = capsys.readouterr().err
    assert f"note: left out 2 documents that are copies of others: other.txt (= 00.txt), copy.txt (= {held_out})\n" == note
    del texts["copy.txt"], texts["other.txt"]
    texts["zz.txt"] = "another start, " + texts[held_out][200:]  # nearly the same
    settings = settings.model_copy(update={"vocab": settings.vocab.model_copy(update={"validation": ["05.txt"], "test": [held_out]})})
    run()
    note = capsys.readouterr().err
    assert note.startswith(f"note: the held-out document {held_out} is largely in the training text too (9")
    assert note.endswith("% of it, most in zz.txt), which makes the metrics look too good: remove one of the two files\n")
    settings = settings.model_copy(
        update={"vocab": settings.vocab.model_copy(update={"validation": 0.1, "test": 0.1, "split_by": "spans"})}
    )
    texts["zz.txt"] = "another start, " + texts["00.txt"][-300:] + "another end " * 50
    run()
    note = capsys.readouterr().err
    assert note.startswith("note: the held-out end of 00.txt is largely in the training text too (")
    assert note.endswith("most in zz.txt), which makes the metrics look too good: remove what is there twice from one of the two files\n")
