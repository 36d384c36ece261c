import json
import shutil

import numpy as np
import pytest

from conftest import PROJECT, change_params, run
from lstm_lm.text import units
from lstm_lm.text.encoded import NO_SPACE_AFTER, NO_SPACE_BEFORE
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from plain import PROSE


def test_subwords_are_not_learned_from_special_tokens():
    tokenizer = Tokenizer(True, "", "as_is", newlines=True, unit="subword")
    learned = units.learn_subwords(tokenizer, [" ab", "<unk>", "\n", " <eos>"], np.array([3, 9, 9, 9]), 10)
    assert {*"".join(learned.subwords)} == {"\u2581", "a", "b"}
    word_tokenizer = Tokenizer(True, "")
    assert units.learn_subwords(word_tokenizer, [" ab"], np.array([1]), None) is word_tokenizer


def test_pretokens_are_split_into_indexed_tokens():
    tokenizer = Tokenizer(True, "", unit="subword", subwords=("\u2581a", "\u2581", "a", "b"))
    tokens, tokens_of_pretokens = units.split_pretokens(tokenizer, [" ab", " b", " ac"])
    assert tokens == ["\u2581a", "\u2581", "a", "b", "c"]
    assert [indices.tolist() for indices in tokens_of_pretokens] == [[0, 3], [1, 3], [0, 4]]
    assert units.allowed_in_vocabulary(tokenizer, tokens).tolist() == [True, True, True, True, False]


def test_characters_are_lengths_and_spacing():
    characters = units.characters(Tokenizer(True, "", "separate", newlines=True), ["king", ",", "(", "<eos>"])
    assert characters.lengths.tolist() == [4, 1, 1, 1]
    assert characters.spacing.tolist() == [0, NO_SPACE_BEFORE, NO_SPACE_AFTER, NO_SPACE_BEFORE | NO_SPACE_AFTER]


@pytest.mark.slow
@pytest.mark.parametrize("split_by", ["documents", "spans"])
def test_all_units_are_scored_on_the_same_characters(tmp_path, split_by):
    shutil.copytree(PROJECT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    (tmp_path / "data/own").mkdir(parents=True)
    for i in range(4):
        (tmp_path / f"data/own/{i}.txt").write_text(f"{'new' * i}\u00e9, {PROSE * (i + 2)}", encoding="utf-8")
    fractions = {"vocab.split_by": split_by, "vocab.validation": 0.25, "vocab.test": 0.25, "vocab.min_count": 2}
    punctuation = {"vocab.punctuation": "separate", "vocab.newlines": True, "vocab.lowercase": False}
    small = {"download.source": {"path": "data/own"}, "batching.batch_size": 2, "batching.sequence_length": 4, "vocab.max_size": 120}
    change_params(tmp_path, fractions | punctuation | small)
    run(["python", "src/download.py"], tmp_path)
    scored = {}
    for unit in ("word", "char", "subword"):
        change_params(tmp_path, {"vocab.unit": unit})
        for stage in ("vocab", "batching"):
            run(["python", f"src/{stage}.py"], tmp_path)
        description = json.loads((tmp_path / "data/batches/batches.json").read_text())
        scored[unit] = [description[split]["characters"] for split in ("validation", "test")]
        assert unit == "word" or description["test"]["scored"] <= scored[unit][1]
        assert unit != "char" or [description[split]["scored"] for split in ("validation", "test")] == scored[unit]
    assert scored["word"] == scored["char"] == scored["subword"]
