import unicodedata

import numpy as np
import pytest

from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.text.tokenization.vocabulary import Vocabulary, coverage, save_coverage
from plain import vocabulary

TOKENIZE = Tokenizer(lowercase=True, keep_punctuation="-'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Thou art\nmore", ["thou", "art", "more"]),  # a line end separates words
        ("you\nin", ["you", "in"]),
        ("to-morrow, 'tis done!", ["to-morrow", "'tis", "done"]),
        ("Conquerors,--for so", ["conquerors", "for", "so"]),
        ("' ' - 'twas - '", ["'twas"]),  # kept marks alone are no words
        ("\u2018tis \u201cso\u201d", ["'tis", "so"]),
        ("ÉTÉ Straße ΣΟΦΟΣ Привет", ["été", "straße", "σοφος"[:-1] + "ς", "привет"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),  # combining marks belong to words
        ("❤️ 😀 3 men", ["3", "men"]),
        ("unknown <unk>", ["unknown", "unk"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_words(text, words):
    assert TOKENIZE(text) == words


def test_case_and_punctuation_are_settings():
    assert Tokenizer(False, "-'")("The King's") == ["The", "King's"]
    assert Tokenizer(True, "")("The King's to-morrow") == ["the", "king", "s", "to", "morrow"]
    assert Tokenizer(True, "@]^\\-")("a@b c]d e^f g\\h i-j") == ["a@b", "c]d", "e^f", "g\\h", "i-j"]


@pytest.mark.parametrize(
    "tokenize", [TOKENIZE, Tokenizer(False, "-'·—_]^\\\\«"), Tokenizer(True, "")], ids=["default", "many marks", "no marks"]
)
def test_the_graph_cuts_texts_as_python_does(tiny_text_model, tokenize):
    import tensorflow as tf

    texts = [
        "Thou art\nmore, 'TIS -- to-morrow ' - '",
        "",
        "¿Qué?",
        "ΣΟΦΟΣ ΟΔΟΣ",
        "İstanbul",
        "e\u0301 ❤️ 你好 مرحبا नमस्ते",
        "a\u00a0b\u2028c\x00d\u3000e",
    ]
    # Every character, between letters and alone. Those newer than Unicode 3.2 are left out: the libraries follow later versions
    # of it, each another one. Surrogates are not characters.
    settled = [chr(point) for point in range(0x20000) if unicodedata.ucd_3_2_0.category(chr(point)) not in ("Cn", "Cs")]
    texts += ["".join(f"a{c}b {c} " for c in settled[start : start + 500]) for start in range(0, len(settled), 500)]
    graph_text = tiny_text_model().text
    graph_text.tokenizer = tokenize
    for text in texts:
        in_graph = [word.decode() for word in graph_text.words(tf.constant([text])).values.numpy()]
        assert in_graph == tokenize(text)


def build(counts, min_count, max_size):
    return Vocabulary.build([word.encode() for word in counts], np.array(list(counts.values())), min_count, max_size)


def test_ids_fall_with_the_count_and_ties_are_alphabetical():
    known, kept, order = build({"b": 2, "a": 2, "c": 1, "é": 1, "d": 1}, min_count=1, max_size=None)
    assert known.words == ["<unk>", "a", "b", "c", "d", "é"]
    assert kept.tolist() == [0, 2, 2, 1, 1, 1]
    assert order.tolist() == [1, 0, 2, 4, 3]
    assert list(zip(known.words, kept.tolist(), strict=True)) == vocabulary(["b", "a", "c", "b", "a", "d", "é"], 1, None)


def test_rare_words_become_unknown_and_unknown_is_a_word_like_any():
    counts = {"unknown": 7, "rare": 1, "the": 9, "scarce": 2, "<unk>": 4, "new": 0, "also": 0}
    known, kept, order = build(counts, min_count=2, max_size=None)
    assert known.words == ["<unk>", "the", "unknown", "scarce"]
    assert kept.tolist() == [1, 9, 7, 2]
    assert known.encode(["unknown", "rare", "never seen", "the"]).tolist() == [2, 0, 0, 1]
    assert [list(counts)[i] for i in order] == ["the", "unknown", "scarce", "<unk>", "rare", "also", "new"]
    assert build(counts, min_count=1, max_size=2)[0].words == ["<unk>", "the", "unknown"]


def test_unknown_may_be_a_word_of_the_text():
    words, counts = [b"<unk>", b"the", b"rare"], np.array([4, 9, 1])
    known, kept, order = Vocabulary.build(words, counts, 2, None, unknown_is_a_word=True)
    assert (known.words, kept.tolist(), order.tolist()) == (["<unk>", "the"], [5, 9], [1, 2])
    known, kept, order = Vocabulary.build(words, counts, 0, None, may_be_kept=np.array([True, False, True]))
    assert (known.words, kept.tolist(), order.tolist()) == (["<unk>", "rare"], [9, 1], [2, 1, 0])


def test_a_vocabulary_is_read_as_it_was_written(tmp_path):
    words = ["<unk>", "null", "nan", "NA", "1", 'quo"te', "com,ma", "true", "é", "long" * 50_000]
    known, kept, _ = build(dict(zip(words[1:], range(len(words), 1, -1), strict=True)), 1, None)
    known.save(tmp_path / "vocab.csv", kept)
    again = Vocabulary.load(tmp_path / "vocab.csv")
    assert again.words == known.words == words
    assert (tmp_path / "vocab.csv").read_text().splitlines()[:3] == ["id,word,count", "0,<unk>,0", "1,null,10"]
    assert again.encode(words).tolist() == list(range(len(words)))
    assert again.encode([]).tolist() == []
    assert again.encode(words).dtype == np.int32


def test_a_tokenizer_is_read_as_it_was_written(tmp_path):
    for tokenizer in (TOKENIZE, Tokenizer(False, "", "separate", True, "subword", ("\u2581a", "\u2581", "a"))):
        tokenizer.save(tmp_path / "t.json")
        assert Tokenizer.load(tmp_path / "t.json") == tokenizer


def test_coverage_is_the_share_of_the_most_frequent_words(tmp_path):
    sizes, shares = coverage(np.array([3, 6, 1]))
    assert sizes.tolist() == [1, 2, 3]
    assert shares.tolist() == [0.6, 0.9, 1.0]
    save_coverage(tmp_path / "coverage.csv", np.array([3, 6, 1]))
    assert (tmp_path / "coverage.csv").read_text() == "vocabulary_size,coverage\n1,0.6\n2,0.9\n3,1.0\n"
