import pytest

from conftest import PROJECT
from lstm_lm.text.tokenization import bpe
from lstm_lm.text.tokenization.bpe import Merge
from lstm_lm.text.tokenization.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def words():
    """Thousands of words from the project's documentation."""
    paths = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
    content = "".join(path.read_text(encoding="utf-8") for path in paths)
    return [word for word in Tokenizer(False, "-'", "separate").split_words(content) if word.isalnum()]


def test_the_pair_with_the_best_rank_is_merged_first():
    assert bpe.split(" to", {"to": 0, "\u2581t": 1}) == ["\u2581", "to"]


def test_the_leftmost_of_equal_pairs_is_merged_first():
    assert bpe.split("aaa", {"aa": 0}) == ["aa", "a"]


def test_a_long_pretoken_is_split_before_merging():
    assert bpe.split("a" * (bpe.MAX_LENGTH + 1), {}) == ["a"] * (bpe.MAX_LENGTH + 1)
    assert [len(chunk) for chunk in bpe.chunks("a" * (bpe.MAX_LENGTH + 1))] == [bpe.MAX_LENGTH, 1]


def test_merges_are_all_pairs_that_form_a_subword():
    assert bpe.merges({"ab": 3, "abc": 4, "a": 5, "b": 6, "c": 7, "bc": 8}) == [
        Merge(5, 6, 0, 3),
        Merge(5, 8, 1, 4),
        Merge(3, 7, 1, 4),
        Merge(6, 7, 5, 8),
    ]


@pytest.mark.slow
def test_learning_does_not_depend_on_the_order_of_pretokens(words):
    pretokens = sorted({f" {word}" for word in words})
    counts = [words.count(pretoken[1:]) for pretoken in pretokens]
    assert bpe.learn(pretokens, counts, 300) == bpe.learn(pretokens[::-1], counts[::-1], 300)


def test_the_text_limits_the_number_of_subwords_and_all_characters_are_included():
    assert len(bpe.learn([" ab", " a"], [3, 2], 1000)) < 10
    assert {"\u2581", *"ab"} <= {*bpe.learn([" ab"], [1], 1)}
