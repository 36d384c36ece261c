import numpy as np

from lstm_lm.text.tokenization.vocabulary import Vocabulary, build_vocabulary
from plain import vocabulary


def build(counts, min_count, max_size):
    words = [word.encode() for word in counts]
    return build_vocabulary(words, np.array(list(counts.values())), min_count=min_count, max_size=max_size)


def test_words_are_sorted_by_descending_count_and_then_alphabetically():
    known, kept, order = build({"b": 2, "a": 2, "c": 1, "é": 1, "d": 1}, min_count=1, max_size=None)
    assert known.words == ["<unk>", "a", "b", "c", "d", "é"]
    assert kept.tolist() == [0, 2, 2, 1, 1, 1]
    assert order.tolist() == [1, 0, 2, 4, 3]
    assert list(zip(known.words, kept.tolist(), strict=True)) == vocabulary(["b", "a", "c", "b", "a", "d", "é"], 1, None)


def test_rare_words_are_unknown_and_the_word_unknown_is_an_ordinary_word():
    counts = {"unknown": 7, "rare": 1, "the": 9, "scarce": 2, "<unk>": 4, "new": 0, "also": 0}
    known, kept, order = build(counts, min_count=2, max_size=None)
    assert known.words == ["<unk>", "the", "unknown", "scarce"]
    assert kept.tolist() == [1, 9, 7, 2]
    assert known.encode(["unknown", "rare", "never seen", "the"]).tolist() == [2, 0, 0, 1]
    assert [list(counts)[i] for i in order] == ["the", "unknown", "scarce", "<unk>", "rare", "also", "new"]
    assert build(counts, min_count=1, max_size=2)[0].words == ["<unk>", "the", "unknown"]


def test_a_prepared_text_may_use_the_unknown_token_itself():
    words, counts = [b"<unk>", b"the", b"rare"], np.array([4, 9, 1])
    known, kept, order = build_vocabulary(words, counts, min_count=2, max_size=None, text_has_unknown=True)
    assert (known.words, kept.tolist(), order.tolist()) == (["<unk>", "the"], [5, 9], [1, 2])
    known, kept, order = build_vocabulary(words, counts, min_count=0, max_size=None, allowed=np.array([True, False, True]))
    assert (known.words, kept.tolist(), order.tolist()) == (["<unk>", "rare"], [9, 1], [2, 1, 0])


def test_a_saved_vocabulary_is_loaded_unchanged(tmp_path):
    words = ["<unk>", "null", "nan", "NA", "1", 'quo"te', "com,ma", "true", "é", "long" * 50_000]
    known, kept, _ = build(dict(zip(words[1:], range(len(words), 1, -1), strict=True)), 1, None)
    known.save(tmp_path / "vocab.csv", kept)
    loaded = Vocabulary.load(tmp_path / "vocab.csv")
    assert loaded.words == known.words == words
    assert (tmp_path / "vocab.csv").read_text().splitlines()[:3] == ["id,word,count", "0,<unk>,0", "1,null,10"]
    assert loaded.encode(words).tolist() == list(range(len(words)))
    assert loaded.encode([]).tolist() == []
    assert loaded.encode(words).dtype == np.int32
