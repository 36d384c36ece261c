# ruff: noqa: RUF001 (ambiguous letters are intended)
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_lm.text.indexing.blocks import last_white_space, read_blocks
from lstm_lm.text.indexing.chunks import ChunkIndexer
from lstm_lm.text.indexing.factory import make_indexer
from lstm_lm.text.indexing.plain import PlainIndexer
from lstm_lm.text.indexing.separators import Separators
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from unicode_texts import texts

TOKENIZER = Tokenizer(True, "-'")
TOKENIZERS = [TOKENIZER, Tokenizer(False, "-'·—_]^\\\\«"), Tokenizer(True, ""), Tokenizer(True, "<>.'’")]
HARD_TEXTS = [
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
    # Marks that belong to the character before them, a separator included, and characters that compose or decompose.
    "e\u0301t\u00e9 a<\u0338b a=\u0338=b a\u2adcb q\u0307\u0323 H\u0331 \u1e96 \u1100\u1161\u11a8 가\u11a8 a\u037eb a\u0387b a\u1fefb",
    "a<\u0338" * 50 + "b\u0338" * 50,
    "a\U0001fa77b a\U00010d69b a\u0301\U00010d69\u0323b ΑΣ\ua7cb",
]


def files(folder, texts):
    paths = []
    for i, text in enumerate(texts):
        paths.append(folder / f"{i}.txt")
        paths[-1].write_bytes(text.encode())
    return paths


def index(paths, tokenizer, **options):
    """Index files with the fast indexer: (words of each file, all indices in order)."""
    indexer = ChunkIndexer(tokenizer)
    words, all_indices = [[] for _ in paths], []
    for indices, counts in indexer.index_files(paths, **options):
        assert indices.dtype == np.int32
        assert sum(count for _, count in counts) == len(indices)
        all_indices += indices.tolist()
        remaining = indices.tolist()
        for file, count in counts:
            words[file] += [indexer.words[i].decode() for i in remaining[:count]]
            remaining = remaining[count:]
    assert indexer.word_lengths().tolist() == [len(word.decode()) for word in indexer.words]
    assert indexer.pretokens() == [f" {word.decode()}" for word in indexer.words]
    assert len(set(indexer.words)) == len(indexer.words)
    return words, all_indices


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 64, 2**20])
@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=["default", "much punctuation", "no punctuation", "odd punctuation"])
def test_the_fast_indexer_matches_the_tokenizer_for_every_block_size(tmp_path, tokenizer, block_bytes):
    words, _ = index(files(tmp_path, HARD_TEXTS), tokenizer, threads=1, block_bytes=block_bytes)
    assert words == [tokenizer.tokenize(text) for text in HARD_TEXTS]


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", TOKENIZERS[:2], ids=["default", "much punctuation"])
def test_the_fast_indexer_matches_the_tokenizer_on_every_character(tmp_path, tokenizer):
    valid = [chr(code_point) for code_point in range(0x110000) if not 0xD800 <= code_point < 0xE000]
    assigned = [character for character in valid if unicodedata.category(character) not in ("Cn", "Co")]
    text = "".join(f"a{c}b {c} A{c}.Σ{c}\n" for c in assigned)
    [words], _ = index(files(tmp_path, [text]), tokenizer, threads=2, block_bytes=2**16)
    assert words == tokenizer.tokenize(text)


@pytest.mark.slow
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts(40), block_bytes=st.sampled_from([1, 5, 16, 2**20]), tokenizer=st.sampled_from(TOKENIZERS))
def test_the_fast_indexer_matches_the_tokenizer_on_any_text(tmp_path, text, block_bytes, tokenizer):
    [words], _ = index(files(tmp_path, [text]), tokenizer, threads=1, block_bytes=block_bytes)
    assert words == tokenizer.tokenize(text)


def random_lines(lines=3000, seed=0):
    """Return lines of random words from HARD_TEXTS."""
    rng = np.random.default_rng(seed)
    words = [word for text in HARD_TEXTS for word in text.split() if len(word) < 200]
    return "\n".join(" ".join(rng.choice(words, 6)) for _ in range(lines))


@pytest.mark.slow
def test_indices_do_not_depend_on_threads_or_blocks(tmp_path):
    paths = files(tmp_path, [random_lines(seed=seed) for seed in range(5)])
    by_one_thread = index(paths, TOKENIZER, threads=1, block_bytes=5000)
    assert index(paths, TOKENIZER, threads=2, block_bytes=5000) == by_one_thread
    assert index(paths, TOKENIZER, block_bytes=5000) == by_one_thread
    assert index(paths, TOKENIZER)[0] == by_one_thread[0] == [TOKENIZER.tokenize(path.read_text()) for path in paths]


def test_words_are_numbered_in_the_order_of_first_occurrence(tmp_path):
    indexer = ChunkIndexer(TOKENIZER)
    [block] = indexer.index_files(files(tmp_path, ["b a B", "", "' a c"]))
    assert block.indices.tolist() == [0, 1, 0, 1, 2]
    assert block.counts == [(0, 3), (1, 0), (2, 2)]
    assert indexer.words == [b"b", b"a", b"c"]


def test_only_plain_words_use_the_fast_indexer():
    assert isinstance(make_indexer(TOKENIZER), ChunkIndexer)
    assert isinstance(make_indexer(Tokenizer(True, "-'", unit="char")), ChunkIndexer)
    assert isinstance(make_indexer(Tokenizer(True, "-'", newlines=True)), PlainIndexer)
    assert isinstance(make_indexer(Tokenizer(True, "-'", "separate")), PlainIndexer)


@pytest.mark.parametrize("size", [1, 4, 10, 1000])
def test_blocks_contain_all_files_completely_and_in_order(tmp_path, size):
    texts = ["", "one two three four five six", "seven", "", "eight nine"]
    contents = [b""] * len(texts)
    for block in read_blocks(files(tmp_path, texts), last_white_space, size):
        for file, part in block:
            contents[file] += part
            assert part[-1:] in (b"", b" ") or contents[file].decode() == texts[file]
    assert [content.decode() for content in contents] == texts


@pytest.mark.parametrize(
    ("text", "position"),
    [("学而，时习。之", 6), ("a;b;c", 4), ("ab", 0), ("a.b", 0), ("aΣⒶb", 0), ("a·b", 0), ("a--b", 0), ("a\u2028b", 2), ("a b,c", 2)],
)
def test_a_text_is_split_at_the_last_separator_that_does_not_affect_lowercasing(text, position):
    split = Separators(TOKENIZER).last_split(text.encode())
    assert len(text.encode()[:split].decode()) == position


def test_a_text_is_never_split_within_a_character():
    separators = Separators(TOKENIZER)
    # Each text starts and ends inside a character.
    assert separators.last_split("，，".encode()[1:-1]) == 0
    assert separators.last_split("，，，".encode()[1:-1]) == 5


def test_a_text_without_white_space_is_read_in_blocks(tmp_path):
    text = "学而时习之，" * 5000
    blocks = list(read_blocks(files(tmp_path, [text]), Separators(TOKENIZER).last_split, 1000))
    assert len(blocks) > 50
    assert b"".join(part for block in blocks for _, part in block).decode() == text


PROSE = 'One, two\nthree "(four).\nDown, down--would the fall never end? "Well!"\n'


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 2**20])
@pytest.mark.parametrize("unit", ["word", "char"])
def test_the_plain_indexer_matches_the_tokenizer_for_every_block_size(tmp_path, unit, block_bytes):
    contents = ["", "One, two\nthree", PROSE, "four!\n", "\n\n(five", ""]
    tokenizer = Tokenizer(True, "-'", "separate", True, unit)
    indexer = PlainIndexer(tokenizer)
    indexed = [[] for _ in contents]
    for indices, counts in indexer.index_files(files(tmp_path, contents), block_bytes=block_bytes):
        assert sum(count for _, count in counts) == len(indices)
        remaining = indices.tolist()
        for file, count in counts:
            indexed[file] += [indexer.words[i].decode() for i in remaining[:count]]
            remaining = remaining[count:]
    # A newline is added where a file does not end with one.
    words = [tokenizer.split_words(content if content.endswith("\n") or not content else f"{content}\n") for content in contents]
    assert indexed == (words if unit == "word" else [tokenizer.pretokens(file_words, "<eos>") for file_words in words])
