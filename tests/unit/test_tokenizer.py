import json
from dataclasses import asdict

import pytest

from lstm_lm.errors import UserError
from lstm_lm.text.tokenization import bpe
from lstm_lm.text.tokenization.tokenizer import Tokenizer, TokenSpacing
from plain import PROSE

DROP = Tokenizer(lowercase=True, keep_punctuation="-'")
SEPARATE = Tokenizer(False, "-'", "separate")
NEWLINES = Tokenizer(False, "-'", "separate", newlines=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Thou art\nmore", ["thou", "art", "more"]),  # a newline separates words
        ("you\nin", ["you", "in"]),
        ("to-morrow, 'tis done!", ["to-morrow", "'tis", "done"]),
        ("Conquerors,--for so", ["conquerors", "for", "so"]),
        ("' ' - 'twas - '", ["'twas"]),  # kept punctuation alone is not a word
        ("\u2018tis \u201cso\u201d", ["'tis", "so"]),
        ("ÉTÉ Straße ΣΟΦΟΣ Привет", ["été", "straße", "σοφος"[:-1] + "ς", "привет"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),  # combining characters belong to words
        ("❤️ 😀 3 men", ["3", "men"]),
        ("unknown <unk>", ["unknown", "unk"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_words_are_runs_of_letters_digits_and_kept_punctuation(text, words):
    assert DROP.tokenize(text) == words


def test_case_and_kept_punctuation_are_settings():
    assert Tokenizer(False, "-'").tokenize("The King's") == ["The", "King's"]
    assert Tokenizer(True, "").tokenize("The King's to-morrow") == ["the", "king", "s", "to", "morrow"]
    assert Tokenizer(True, "@]^\\-").tokenize("a@b c]d e^f g\\h i-j") == ["a@b", "c]d", "e^f", "g\\h", "i-j"]


@pytest.mark.parametrize(
    ("tokenizer", "line", "words"),
    [
        (SEPARATE, 'He said: "No, (I) do!"', ["He", "said", ":", '"￭', "No", ",", "(", "I", ")", "do", "!", '￭"']),
        (SEPARATE, "3.14 a--b x -- 'tis...", ["3", "￭.￭", "14", "a", "￭--￭", "b", "x", "--", "'tis", ".", ".", "."]),
        (SEPARATE, "'So,' f(x) 50% I/O", ["'So", ",", "￭'", "f", "￭(￭", "x", ")", "50", "￭%", "I", "￭/￭", "O"]),
        (NEWLINES, "a,\n\nb", ["a", ",", "<eos>", "<eos>", "b"]),
        (Tokenizer(True, "-'", newlines=True), "A, ' b!\n", ["a", "b", "<eos>"]),
        (
            Tokenizer(False, "", "as_is", newlines=True, straight_quotes=False),
            " a <unk> \u2018b\u2019. @-@\n\n",
            ["a", "<unk>", "\u2018b\u2019.", "@-@", "<eos>", "<eos>"],
        ),
    ],
)
def test_punctuation_and_newlines_can_be_words(tokenizer, line, words):
    assert tokenizer.tokenize(line) == words


def test_detokenizing_restores_prose_exactly():
    assert NEWLINES.detokenize(NEWLINES.tokenize(PROSE), previous="<eos>") == PROSE
    assert SEPARATE.detokenize(SEPARATE.tokenize(PROSE)) == f" {' '.join(PROSE.split())}"
    for unit in ("char", "subword"):
        tokenizer = Tokenizer(False, "-'", "separate", True, unit, ("th", "the", "\u2581", *sorted({*PROSE} - {" ", "\n"})))
        assert tokenizer.detokenize(tokenizer.tokenize(PROSE), previous="<eos>") == PROSE
        assert "the" in tokenizer.tokenize(PROSE) or unit == "char"


def test_punctuation_with_spaces_around_it_is_attached_to_its_word():
    assert SEPARATE.detokenize(SEPARATE.tokenize("so , it ( is ) .")) == " so, it (is)."


def test_words_are_split_into_characters_or_subwords():
    assert Tokenizer(True, "-'", unit="char").tokenize("To be, or") == list(" to be or")
    assert Tokenizer(True, "-'", "separate", True, "char").tokenize("To be,\nor") == [*"to be,", "<eos>", *"or"]
    subwords = ("\u2581t", "\u2581to", "be", "\u2581", *"tobe,")
    tokenizer = Tokenizer(True, "-'", "separate", True, "subword", subwords)
    expected = ["\u2581to", "\u2581", "be", ",", "<eos>", "\u2581to", "\u2581to", "t", "\u2603"]
    assert tokenizer.tokenize("To be,\nto tot\u2603") == expected


@pytest.mark.parametrize(
    ("tokenizer", "token", "spacing"),
    [
        (DROP, "king", (4, False, False)),
        (NEWLINES, ",", (1, True, False)),
        (NEWLINES, "(", (1, False, True)),
        (NEWLINES, "\uffed--\uffed", (2, True, True)),
        (NEWLINES, "<eos>", (1, True, True)),
        (Tokenizer(True, "", unit="char"), "k", (1, True, False)),
        (Tokenizer(True, "", unit="subword"), f"{bpe.SPACE}king", (4, False, False)),
        (Tokenizer(True, "", unit="subword"), "ing", (3, True, False)),
        (Tokenizer(True, "", unit="subword"), "<unk>", (5, False, False)),
    ],
)
def test_spacing_is_the_length_and_the_spaces_of_a_token(tokenizer, token, spacing):
    assert tokenizer.spacing(token) == TokenSpacing(*spacing)


def test_a_saved_tokenizer_is_loaded_unchanged(tmp_path):
    for tokenizer in (DROP, Tokenizer(False, "", "separate", True, "subword", ("\u2581a", "\u2581", "a"))):
        tokenizer.save(tmp_path / "t.json")
        assert Tokenizer.load(tmp_path / "t.json") == tokenizer


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"lowercase": true, "keep_punctuation": "", "subwords": []}', "is from another version of this project, .*: make repro"),
        (json.dumps(asdict(DROP) | {"unicode": "99.0"}), "is from another version of this project"),
        (json.dumps(asdict(DROP) | {"stemmer": "porter"}), "is from another version of this project"),
        ('{"lowercase": tr', "is damaged: restore it with dvc checkout --force, or: make repro"),
        ("[1]", "is from another version of this project"),
    ],
)
def test_a_tokenizer_of_another_version_is_reported_in_one_line(tmp_path, content, message):
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(UserError, match=f"t.json {message}"):
        Tokenizer.load(tmp_path / "t.json")
