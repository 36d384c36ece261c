import pytest

from conftest import PROJECT
from lstm_lm.config import keys, loading
from lstm_lm.text.duplicates import NearDuplicate
from lstm_lm.text.splits import Span
from lstm_lm.ui import data_stages, own_text_notes

SETTINGS = loading.load(PROJECT / "params.yaml")
SPLIT = {"documents": 1, "words": 1000, "coverage": 0.9, "oov_rate": 0.1}
METRICS = {"size": 51, "words_seen": 80, "train": SPLIT | {"oov_rate": 0.2}, "validation": SPLIT, "test": SPLIT}


def test_held_out_documents_are_named(capsys):
    spans = {"train": [Span("a.txt", 0, 1000)], "validation": [Span("b.txt", 0, 1000)], "test": [Span("c.txt", 0, 1000)]}
    data_stages.show_vocabulary(METRICS, spans, {"a.txt": 1000, "b.txt": 1000, "c.txt": 1000}, SETTINGS.vocab)
    output = capsys.readouterr()
    assert output.out.splitlines()[0] == "data/vocab: 50 known words, of 80 distinct ones in the training text"
    assert output.out.splitlines()[1].split() == ["split", "documents", "words", "known", "unknown"]
    assert "held out for validation: b.txt" in output.out
    first, second = output.err.splitlines()
    assert first.startswith("note: 20% of the training text is unknown: to make more of it known, lower vocab.min_count")
    assert second.startswith("note: 1,000 words of training text are few for the default parameters")


def test_the_held_out_ends_of_documents_are_described(capsys):
    words = 1_000_000
    ends = {"validation": [Span("a.txt", words, words + 100)], "test": [Span("a.txt", words + 100, words + 200)]}
    data_stages.show_vocabulary(
        METRICS | {"train": SPLIT | {"words": words}}, {"train": [Span("a.txt", 0, words)], **ends}, {"a.txt": words + 200}, SETTINGS.vocab
    )
    output = capsys.readouterr()
    assert "spans" in output.out
    assert "The end of each document is held out" in output.out
    assert output.err == ""


@pytest.mark.parametrize(("characters", "noted"), [(899_999, True), (900_000, False)])
def test_a_short_text_of_characters_is_one_of_few_characters(characters, noted, capsys, monkeypatch):
    of_characters = loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), {"vocab.unit": "char"}))
    monkeypatch.setattr(own_text_notes, "present_settings", lambda: of_characters)
    spans = {name: [Span("a.txt", 0, 140_000)] for name in ("train", "validation", "test")}  # in words
    metrics = METRICS | {"train": SPLIT | {"words": characters}}
    data_stages.show_vocabulary(metrics, spans, {"a.txt": 140_000}, of_characters.vocab)
    note = f"note: {characters:,} characters of training text are few for the default parameters"
    assert (note in capsys.readouterr().err) == noted


@pytest.mark.parametrize(
    ("near", "line"),
    [
        (
            [NearDuplicate("net.txt", 0.65, "data.txt"), NearDuplicate("net.txt", 0.5, "net.txt")],  # of validation and test
            "the held-out end of net.txt is largely in the training text too (65% of it, most in data.txt), which makes the metrics "
            "look too good: remove what is there twice from one of the two files",
        ),
        (
            [NearDuplicate("net.txt", 0.65, "net.txt")],
            "the held-out end of net.txt is largely in the training text too (65% of it, most in the same file before it), which makes "
            "the metrics look too good: remove what is there twice",
        ),
        (
            [NearDuplicate("net.txt", 0.65, "net.txt"), NearDuplicate("io.txt", 0.5, "data.txt")],
            "2 held-out ends are largely in the training text too, which makes the metrics look too good; remove what is there twice "
            "from one of each two files: net.txt (65%, most of it in the same file before it), io.txt (50%, most of it in data.txt)",
        ),
        (
            [NearDuplicate("b.txt", 0.95, "data.txt")],
            "the held-out document b.txt is largely in the training text too (95% of it, most in data.txt), which makes the metrics "
            "look too good: remove one of the two files",
        ),
        (
            [NearDuplicate("b.txt", 0.95, "data.txt"), NearDuplicate("c.txt", 0.6, "io.txt")],
            "2 held-out documents are largely in the training text too, which makes the metrics look too good; remove one of each two "
            "files: b.txt (95%, most of it in data.txt), c.txt (60%, most of it in io.txt)",
        ),
    ],
)
def test_what_to_remove_depends_on_whether_whole_documents_are_held_out(near: list[NearDuplicate], line: str) -> None:
    assert data_stages.describe_near_duplicates(near, {"net.txt", "io.txt", "data.txt"}) == line


def test_few_steps_are_noted(capsys):
    data_stages.show_batches(SETTINGS.batching, 1000, "word")
    assert capsys.readouterr().err == ""
    data_stages.show_batches(SETTINGS.batching, 10, "char")
    note = capsys.readouterr().err
    assert "steps per epoch are few" in note
    assert note.rstrip().endswith(own_text_notes.SHORT_TEXT_PAGE)
    data_stages.show_batches(SETTINGS.batching, 1, "char")
    output = capsys.readouterr()
    assert ", 1 step per epoch, of " in output.out
    assert "1 step per epoch is few" in output.err


def test_what_was_downloaded_is_counted(capsys):
    data_stages.show_raw_text(1, 2_000_000, {"cover.png": "an image"})
    data_stages.show_raw_text(1200, 2_000_000, {"cover.png": "an image", "page.html": "a web page (HTML)"})
    output = capsys.readouterr()
    assert output.out == "data/raw: 1 document, 2.0 MB\ndata/raw: 1,200 documents, 2.0 MB\n"
    assert output.err.splitlines() == [
        "note: skipped 1 file that is not text: cover.png (an image)",
        "note: skipped 2 files that are not text: cover.png (an image), page.html (a web page (HTML))",
    ]
