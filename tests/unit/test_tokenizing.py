# ruff: noqa: RUF001 (look-alike letters are the point)
import unicodedata

import numpy as np
import pytest

from lstm_lm.text import indexing
from lstm_lm.text.indexing import Numbering
from lstm_lm.text.tokenization.tokenizer import Tokenizer

TOKENIZE = Tokenizer(True, "-'")
TOKENIZERS = [TOKENIZE, Tokenizer(False, "-'·—_]^\\\\«"), Tokenizer(True, ""), Tokenizer(True, "<>.'’")]
NASTY = [
    "",
    " \n\t",
    "Thou art\nmore, 'TIS -- to-morrow ' - '",
    "x--y---z - -- --- a- -b --c-- d-'-e",
    "¿Qué?",
    "ΣΟΦΟΣ ΟΔΟΣ Σ ΑΣ. ΑΣ.Α ΑΣ'Α ΑΣ·Α ΑΣ\u00adΑ ΑΣ-Α ΑΣ’ ΑΣ’Α ΑΣⒶ ⒶΣ",
    "İstanbul ISTANBUL ǅ ŉ K Å ẞ ﬁ",
    "e\u0301 \u0301 ❤️ 你好，世界。 مرحبا नमस्ते",
    "a\u00a0b\u2028c\x00d\u3000e\x1cf\x85g",
    "❤️ 😀👩‍👩‍👧 𝔘𝔫𝔦 ½ Ⅷ ² 3 men",
    "\u2018tis\u2019 \u201cso\u201d ‛ ‟ unknown <unk> <UNK>",
    "exactly8 exactly7 exactlynine exactly8 pneumonoultramicroscopicsilicovolcanoconiosis exactlynine",
    "donaudampfschifffahrtsgesellschaftskapitän" * 30,
    "学而时习之，不亦说乎" * 40,
    "a.b,c;" * 50,
]


def files(folder, texts):
    paths = []
    for i, text in enumerate(texts):
        paths.append(folder / f"{i}.txt")
        paths[-1].write_bytes(text.encode())
    return paths


def words_of(paths, tokenizer, **how):
    """The words of each file, by the fast way, and the numbers as they came."""
    numbering = Numbering(tokenizer)
    found, all_numbers = [[] for _ in paths], []
    for numbers, counts in numbering.of(paths, **how):
        assert numbers.dtype == np.int32
        assert sum(count for _, count in counts) == len(numbers)
        all_numbers += numbers.tolist()
        left = numbers.tolist()
        for place, count in counts:
            found[place] += [numbering.words[number].decode() for number in left[:count]]
            left = left[count:]
    lengths = [len(word.decode()) for word in numbering.words]
    assert numbering.lengths().tolist() == lengths
    assert len(set(numbering.words)) == len(numbering.words)
    return found, all_numbers


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 2**20])
@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=["default", "many marks", "no marks", "odd marks"])
def test_words_are_those_of_the_plain_tokenizer_wherever_a_block_ends(tmp_path, tokenizer, block):
    found, _ = words_of(files(tmp_path, NASTY), tokenizer, threads=1, block=block)
    assert found == [tokenizer(text) for text in NASTY]


@pytest.mark.parametrize("tokenizer", TOKENIZERS[:2], ids=["default", "many marks"])
def test_every_character_is_taken_as_the_plain_tokenizer_takes_it(tmp_path, tokenizer):
    every = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    settled = [character for character in every if unicodedata.category(character) not in ("Cn", "Co")]
    text = "".join(f"a{c}b {c} A{c}.Σ{c}\n" for c in settled)
    [found], _ = words_of(files(tmp_path, [text]), tokenizer, threads=2, block=2**16)
    assert found == tokenizer(text)


def shuffled(lines=3000, seed=0):
    """Lines of words of the nasty texts, in no order."""
    draw = np.random.default_rng(seed)
    words = [word for text in NASTY for word in text.split() if len(word) < 200]
    return "\n".join(" ".join(draw.choice(words, 6)) for _ in range(lines))


def test_the_numbers_do_not_depend_on_threads_or_files_in_a_block(tmp_path):
    paths = files(tmp_path, [shuffled(seed=seed) for seed in range(5)])
    one = words_of(paths, TOKENIZE, threads=1, block=5000)
    assert words_of(paths, TOKENIZE, threads=2, block=5000) == one
    assert words_of(paths, TOKENIZE, block=5000) == one
    assert words_of(paths, TOKENIZE)[0] == one[0] == [TOKENIZE(path.read_text()) for path in paths]


def test_numbers_are_in_the_order_in_which_words_come(tmp_path):
    numbering = Numbering(TOKENIZE)
    [(numbers, counts)] = numbering.of(files(tmp_path, ["b a B", "", "' a c"]))
    assert numbers.tolist() == [0, 1, 0, 1, 2]
    assert counts == [(0, 3), (1, 0), (2, 2)]
    assert numbering.words == [b"b", b"a", b"c"]
    assert numbering.of_words(["c", "never", "'", "b"]) == [2, 0]


def cut_at_spaces(text):
    return max(text.rfind(b" "), text.rfind(b"\n")) + 1


@pytest.mark.parametrize("size", [1, 4, 10, 1000])
def test_blocks_hold_the_files_whole_and_in_order(tmp_path, size):
    texts = ["", "one two three four five six", "seven", "", "eight nine"]
    found = [b""] * len(texts)
    for block in indexing.read_blocks(files(tmp_path, texts), cut_at_spaces, size):
        for place, part in block:
            found[place] += part
            assert part[-1:] in (b"", b" ") or found[place].decode() == texts[place]
    assert [part.decode() for part in found] == texts


CUTS = [("学而，时习。之", 6), ("a;b;c", 4), ("ab", 0), ("a.b", 0), ("aΣⒶb", 0), ("a·b", 0), ("a--b", 0), ("a\u2028b", 2), ("a b,c", 2)]


def test_a_text_without_white_space_is_cut_where_no_word_is_changed(tmp_path):
    numbering = Numbering(TOKENIZE)
    for text, at in CUTS:
        assert len(text.encode()[: numbering._last_cut(text.encode())].decode()) == at
    # Read from within a character to within another.
    assert numbering._last_cut("，，".encode()[1:-1]) == 0
    assert numbering._last_cut("，，，".encode()[1:-1]) == 5
    text = "学而时习之，" * 5000
    blocks = list(indexing.read_blocks(files(tmp_path, [text]), numbering._last_cut, 1000))
    assert len(blocks) > 50
    assert b"".join(part for block in blocks for _, part in block).decode() == text
