"""The pipeline on a corpus in the format of PTB and WikiText, with a preset and parameters alone.

Its results are compared with a NumPy evaluation that uses no code of the project: it reads only the text file and the weights."""

import csv
import json
import unicodedata
import zipfile
from itertools import pairwise

import numpy as np
import pytest

from conftest import change_params, copy_project, run
from lstm_lm.config import presets

FILES = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}
WIKITEXT = {"train": "wiki.train.tokens", "validation": "wiki.valid.tokens", "test": "wiki.test.tokens"}
FOLDER = "data/own/mine"  # in that of the preset, other texts than the real one are refused
LINES = {"train": 400, "validation": 40, "test": 50}
SIZES = {
    "download.source": {"path": FOLDER},
    "model.embedding_size": 16,
    "model.hidden_size": 24,
    "model.projection_size": 16,
    "model.layers": 1,
    "model.mogrifier_rounds": 0,  # the NumPy evaluation below is of a plain LSTM
    "model.ngrams": None,
    "train.epochs": 1,
    "train.minutes": None,
    "train.warmup_steps": 10,
    "reporting.sample_every": 1000,
    "reporting.prime_texts": ["the N"],
    "batching.batch_size": 4,
    "batching.sequence_length": 8,
    "evaluate_sample.max_words": 60,
    "evaluate_sample.temperatures": [1.0],
    "evaluate_sample.prime_texts": ["the N"],
}


def write_corpus(folder, files=FILES):
    """Write random files with the features of the standard corpora.

    From PTB: one sentence per line, a space at both ends, `<unk>` for rare words, N for numbers. From WikiText: `@-@`, empty lines and
    titles. Also: a word that occurs only in the test text, and text that cleaning would change.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    words = "the <unk> N company 's mr. said a of to in U.S. new-york @-@ \u2018quoted\u2019 e\u0301 *so* it $ <unk> = ,".split()
    for split, name in files.items():
        lines = [f" {' '.join(rng.choice(words, rng.integers(1, 9)))} \n" for _ in range(LINES[split])]
        lines[0] = " = the Title = \n"
        lines[1] = lines[7] = "\n"
        if split == "test":
            lines[3] = " the unheard-of company \n"
        (folder / name).write_bytes("".join(lines).encode())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project with such a corpus, run once."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    write_corpus(folder / FOLDER)
    change_params(folder, presets.load("ptb", folder / "presets") | SIZES)
    run(["python", "-m", "dvc", "repro"], folder)
    return folder


def read_words(folder, split, files=FILES):
    """Return the words of a file, as common readers of these corpora do: `<eos>` after each line. Accents are composed (NFC)."""
    words = []
    with (folder / FOLDER / files[split]).open(encoding="utf-8") as file:
        for line in file:
            words += [*unicodedata.normalize("NFC", line).split(), "<eos>"]
    return words


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def perplexity(ids, weights):
    """Return exp of the mean nats of all words but the first, by one LSTM layer from the zero state, in float64."""
    embedding, softmax = weights["embedding"], weights.get("softmax", weights["embedding"])
    h = c = np.zeros(weights["lstm_0_recurrent"].shape[0])
    nats = []
    for word, target in pairwise(ids):
        gates = embedding[word] @ weights["lstm_0_kernel"] + h @ weights["lstm_0_recurrent"] + weights["lstm_0_bias"]
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        output = h @ weights["projection"] if "projection" in weights else h
        logits = softmax @ output + weights["softmax_bias"]
        nats.append(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[target])
    return np.exp(np.mean(nats))


@pytest.mark.slow
def test_perplexity_matches_a_numpy_evaluation_of_the_text_file(project):
    with (project / "data/vocab/vocab.csv").open(encoding="utf-8", newline="") as file:
        ids = {row["word"]: int(row["id"]) for row in csv.DictReader(file)}
    with np.load(project / "models/weights/weights.npz") as saved:
        weights = {name: values.astype(np.float64) for name, values in saved.items()}
    reported = json.loads((project / "reports/metrics.json").read_text())
    for split in ("validation", "test"):
        encoded = [ids.get(word, ids["<unk>"]) for word in read_words(project, split)]
        assert reported[split]["perplexity"] == pytest.approx(perplexity(encoded, weights), rel=1e-5)
        assert reported[split]["words"] == len(encoded) - 1


@pytest.mark.slow
def test_words_and_newlines_are_tokens_exactly_as_in_the_file(project):
    description = json.loads((project / "data/vocab/text.json").read_text())
    batches = json.loads((project / "data/batches/batches.json").read_text())
    with (project / "data/vocab/vocab.csv").open(encoding="utf-8", newline="") as file:
        counts = {row["word"]: int(row["count"]) for row in csv.DictReader(file)}
    training = read_words(project, "train")
    assert counts == {word: training.count(word) for word in set(training)}
    assert description["documents"] == {FILES[split]: len(read_words(project, split)) for split in FILES}
    for split, unknown in (("validation", 0), ("test", 1)):
        words = read_words(project, split)
        assert batches[split]["scored"] == len(words) - 1
        # `<unk>` in the text itself is an ordinary word. Only words that the vocabulary lacks are unknown.
        assert batches[split]["unknown"] == batches[split]["unknown_types"] == unknown
        with (project / FOLDER / FILES[split]).open(encoding="utf-8") as file:
            lines = [" ".join(unicodedata.normalize("NFC", line).split()) for line in file]
        text = "\n".join(lines) + "\n"
        assert batches[split]["characters"] == len(text) - len(words[0])


@pytest.mark.slow
def test_generated_text_has_newlines_and_no_unknown_words(project):
    sample = (project / "reports/samples.md").read_text().split("- **the N**")[1]
    assert "<unk>" not in sample and "<eos>" not in sample
    assert sample.rstrip("\n").count("\n") > 0
    assert len(sample.split()) < 60


@pytest.mark.slow
def test_the_files_of_wikitext_are_read_alone_or_from_their_archive_and_compared_with_the_published_counts(tmp_path):
    folder = copy_project(tmp_path / "project")
    write_corpus(folder / FOLDER, WIKITEXT)
    counts = {split: len(read_words(folder, split, WIKITEXT)) for split in WIKITEXT}
    change_params(folder, presets.load("wikitext2", folder / "presets"))
    missing = "error: data/own/wikitext-2 lacks wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens of WikiText-2, which "
    for command in (["check"], ["experiment", "wikitext2-best"]):
        done = run(["python", "src/cli.py", *command], folder, check=False)
        assert done.returncode == 1 and done.stdout.startswith(missing) and done.stdout.count("\n") == 1

    (folder / "data/own/wikitext-2").mkdir()
    with zipfile.ZipFile(folder / "data/own/wikitext-2/wikitext-2-v1.zip", "w") as archive:
        for name in WIKITEXT.values():
            archive.write(folder / FOLDER / name, f"wikitext-2/{name}")
    done = run(["python", "-m", "dvc", "repro", "vocab"], folder, check=False)
    assert done.returncode != 0
    expected = "error: params.yaml: download.source: this is not WikiText-2 as published, because there are "
    assert expected + f"{counts['train']:,} train tokens (published: 2,088,628), " in done.stdout

    # The same text elsewhere is none of the known ones.
    change_params(folder, {"download.source": {"path": FOLDER}})
    printed = run(["python", "-m", "dvc", "repro", "vocab"], folder).stdout
    assert "published" not in printed
    vocabulary = json.loads((folder / "reports/vocabulary.json").read_text())
    assert {split: vocabulary[split]["words"] for split in WIKITEXT} == counts
