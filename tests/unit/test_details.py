"""The file, of small real projects: text through the data stages, and a model with random weights."""

import json
from dataclasses import replace

import numpy as np
import pytest

from conftest import PROJECT, make_tiny_model
from lstm_lm.config import loading
from lstm_lm.data import dataset
from lstm_lm.jobs import batching, details, vocab
from lstm_lm.jobs.evaluation_inputs import Inputs
from lstm_lm.text.sources import documents
from lstm_lm.text.sources.documents import Document
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from plain import PlainModel

SETTINGS = loading.load(PROJECT / "params.yaml")
RNG = np.random.default_rng(0)
LINES = [" ".join(RNG.choice("the king and queen of england did not see a ghost Strange-42 Zounds!".split(), 9)) + ".\n" for _ in range(60)]
TEXTS = {f"{name}.txt": "".join(LINES[start : start + 20]) for name, start in (("a", 0), ("b", 20), ("c", 40))}
REFERENCES = {"champion": None, "parent": None}
RUN = {"name": "default", "commit": None, "dirty": None, "parameters": {"train.epochs": 3}}


@pytest.fixture
def make(tmp_path, monkeypatch, capsys):
    """A function that makes a project in the current folder and returns its details.

    Args:
        texts: {name of a document: its text}.
        shape: of the model.
        baselines: whether there are costs of baselines.
        vocab: changes of the section `vocab`.
    """
    from lstm_lm.export.weights import save_weights

    monkeypatch.chdir(tmp_path)

    def run(texts=TEXTS, shape=None, baselines=True, **changes):
        config = {"min_count": 2, "validation": 0.2, "test": 0.2, "split_by": "spans", **changes}
        settings = SETTINGS.model_copy(
            update={
                "vocab": SETTINGS.vocab.model_copy(update=config),
                "batching": SETTINGS.batching.model_copy(update={"batch_size": 1, "sequence_length": 5}),
            }
        )
        documents.write([Document(name, [text]) for name, text in texts.items()], {"path": "data/own"}, "data/raw")
        vocab.run(settings)
        batching.run(settings)
        inputs = Inputs.load()
        model = make_tiny_model(vocabulary_size=inputs.vocabulary_size, **shape or {})
        words = vocabulary.load_counts("data/vocab/vocab.csv")[0]
        save_weights(model, words, "models/weights", {"precision": "float32", "steps": 7, "best_step": 5, "best_epoch": 1})
        plain = PlainModel.from_model(model)
        costs = {"model": {split: [plain.nats(ids) for ids in inputs.batches.documents(split)] for split in dataset.HELD_OUT}}
        if baselines:
            costs["kneser_ney"] = {split: [2 * nats for nats in of_split] for split, of_split in costs["model"].items()}
        (tmp_path / "reports").mkdir(exist_ok=True)
        details.write(inputs, costs, json.loads((tmp_path / "models/weights/config.json").read_text()), REFERENCES, RUN)
        capsys.readouterr()
        return json.loads((tmp_path / "reports/details.json").read_text(encoding="utf-8"))

    return run


KEYS = [
    *("unit", "run", "model", "source", "splits", "documents", "frequency_bands", "positions", "rank_frequency"),
    *("passage", "calibration", "neighbours", "map", "references"),
]


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, {}),
        ({"punctuation": "separate", "newlines": True}, {"tie_weights": False, "projection_size": None}),
        ({"unit": "char", "newlines": True, "punctuation": "as_is"}, {"adaptive_cutoffs": (8, 14), "tie_weights": False}),
        ({"unit": "subword", "max_size": 30, "newlines": True}, {"layers": 2}),
    ],
    ids=["words", "punctuation, untied, no projection", "characters, adaptive softmax", "subwords, two layers"],
)
def test_the_file_is_complete_and_its_passage_is_the_text(make, changes, shape):
    made = make(shape=shape, **changes)
    assert sorted(made) == sorted(KEYS)
    assert made["unit"] == changes.get("unit", "word")
    assert made["model"]["steps"] == 7
    assert made["model"]["parameters"] == make_tiny_model(vocabulary_size=made["model"]["vocabulary_size"], **shape).parameter_count
    assert made["splits"]["test"]["files"] == list(TEXTS)
    assert [row["name"] for row in made["documents"]["test"]] == list(TEXTS)
    # The passage is in the document, word for word, the unknown ones too.
    passage = made["passage"]
    shown = "".join(" " * word["space_before"] + word["text"] for word in passage["words"])
    tokenizer = Tokenizer.load("data/vocab/tokenizer.json")
    tokens = tokenizer.tokenize(TEXTS[passage["document"]])
    assert len(shown) > 40
    assert shown.strip() in tokenizer.detokenize(tokens)
    assert all((word["known"], word["bits"] * 2) == (True, pytest.approx(word["kneser_ney_bits"], abs=1e-5)) for word in passage["words"])
    assert made["calibration"]["test"]["words"] == sum(row["words"] for row in made["documents"]["test"])
    assert len(made["map"]) == made["model"]["vocabulary_size"] - 1
    assert len(made["neighbours"]) == min(12, made["model"]["vocabulary_size"] - 1)
    assert made["rank_frequency"]["tokens"] == made["splits"]["train"]["words"]


def test_unknown_words_of_a_passage_stand_as_in_the_text(make, monkeypatch):
    texts = {"a.txt": "king queen " * 60 + "strange king uncouth queen " * 10}
    made = make(texts, min_count=30)
    unknown = {word["text"] for word in made["passage"]["words"] if not word["known"]}
    assert unknown == {"strange", "uncouth"}
    assert {word["text"] for word in made["passage"]["words"] if word["known"]} == {"king", "queen"}
    monkeypatch.setattr("lstm_lm.jobs.passage_text.MAX_BYTES", 10)
    again = make(texts, min_count=30)
    assert {word["text"] for word in again["passage"]["words"] if not word["known"]} == {"<unk>"}
    assert [word["bits"] for word in again["passage"]["words"]] == [word["bits"] for word in made["passage"]["words"]]


def test_a_text_of_50_words_with_a_vocabulary_of_3_and_no_baselines(make):
    made = make({"only.txt": "to be or not " * 12 + "to be"}, baselines=False, max_size=2, validation=0.1, test=0.1)
    assert made["model"]["vocabulary_size"] == 3
    assert [row["kneser_ney_loss"] for row in made["documents"]["test"]] == [None]
    assert [row["label"] for row in made["frequency_bands"]["test"]] == ["10 to 99", "unknown"]
    assert len(made["positions"]["test"]) == 1
    assert all(word["kneser_ney_bits"] is None and word["bits"] > 0 for word in made["passage"]["words"])
    assert [len(row["neighbours"]) for row in made["neighbours"]] == [1, 1]
    assert len(made["map"]) == 2
    assert made["rank_frequency"]["cut"]["rank"] == 2


@pytest.mark.parametrize("limit", ["CALIBRATION_WORDS", "CALIBRATION_LOGITS"])
def test_the_calibration_of_a_long_text_or_a_large_vocabulary_is_that_of_spread_pieces(make, monkeypatch, limit):
    whole = make()
    size = whole["model"]["vocabulary_size"] if limit == "CALIBRATION_LOGITS" else 1
    monkeypatch.setattr(details, limit, 60 * size)
    assert 50 < make()["calibration"]["test"]["words"] < 60 < whole["calibration"]["test"]["words"]


def test_the_same_input_gives_the_same_bytes(make, tmp_path):
    make()
    before = (tmp_path / "reports/details.json").read_bytes()
    make()
    assert (tmp_path / "reports/details.json").read_bytes() == before


def test_numbers_are_rounded_and_what_is_none_is_null():
    assert details.rounded({"a": [1 / 3, float("inf"), float("nan"), 2, True, "x", None], "b": (1e-9,)}) == {
        "a": [0.333333, None, None, 2, True, "x", None],
        "b": [0.0],
    }


def test_secrets_in_the_source_are_masked(make, tmp_path):
    make()
    inputs = Inputs.load()
    source = {"url": "https://user:secret@example.invalid/text.txt"}
    costs = {"model": {split: [np.ones(len(ids) - 1) for ids in inputs.batches.documents(split)] for split in dataset.HELD_OUT}}
    facts = json.loads((tmp_path / "models/weights/config.json").read_text())
    details.write(replace(inputs, batches=replace(inputs.batches, source=source)), costs, facts, REFERENCES, RUN)
    text = (tmp_path / "reports/details.json").read_text()
    assert "example.invalid/text.txt" in text
    assert "secret" not in text
