"""The tokenizer in a TensorFlow graph, compared with the Python tokenizer and with sentencepiece."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings

from conftest import PROJECT
from lstm_lm.text import units
from lstm_lm.text.tokenization import bpe
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from plain import PROSE
from unicode_texts import ALL_CHARACTERS, UNASSIGNED, text_lists

TEXTS = [
    PROSE,
    "",
    "  \n\n a",
    "x\r\ny\n",
    "It's the kings' crown; the rest: no!\nTo be, or not to be?\n\tété ΣΟΦΟΣ ((a)) foo(x) I/O . , ( x ) “so”\n",
    "a <unk> b <eos> \n = T @-@ = \n",
    "q" * 150 + " zz \ue000\uffed z\x01\x00b\u3000c ❤️",
    '"',
    ",' -- x'",
]


def build_vocabulary(tokenizer, folder):
    """Learn subwords and a vocabulary from most of TEXTS: (tokenizer, vocabulary file, tokens)."""
    pretokens = [
        pretoken for content in TEXTS[:5] for pretoken in tokenizer.pretokens(tokenizer.split_words(content), tokenizer.document_start)
    ]
    distinct = sorted(set(pretokens))
    tokenizer = units.learn_subwords(tokenizer, distinct, np.array([pretokens.count(pretoken) for pretoken in distinct]), 90)
    tokens = {token for content in TEXTS[:5] for token in tokenizer.tokenize(content)} | {
        *tokenizer.subwords,
        *(["<eos>"] if tokenizer.newlines else []),
    }
    tokens = ["<unk>", *sorted(tokens - {"<unk>"})]
    path = folder / "vocabulary.txt"
    path.write_bytes(("\n".join(tokens) + "\n").encode())
    return tokenizer, path, tokens


@pytest.mark.parametrize("unit", ["word", "char", "subword"])
@pytest.mark.parametrize("newlines", [False, True])
@pytest.mark.parametrize("punctuation", ["drop", "separate", "as_is"])
def test_the_graph_tokenizes_and_detokenizes_as_python_does(tmp_path, punctuation, newlines, unit):
    import tensorflow as tf

    from lstm_lm.export.graph_tokenizer import GraphTokenizer

    tokenizer, path, tokens = build_vocabulary(Tokenizer(True, "-'", punctuation, newlines, unit), tmp_path)
    ids = {token: i for i, token in enumerate(tokens)}
    graph_tokenizer = GraphTokenizer(tokenizer, path)
    words = graph_tokenizer.split_words(tf.constant(TEXTS))
    assert [[word.decode() for word in row] for row in words.to_list()] == [tokenizer.split_words(content) for content in TEXTS]
    graph_ids = graph_tokenizer.encode(words)
    assert graph_ids.to_list() == [[ids.get(token, 0) for token in tokenizer.tokenize(content)] for content in TEXTS]
    known = [sum(i != 0 and tokens[i] not in (" ", bpe.SPACE) for i in row) for row in graph_ids.to_list()]
    assert graph_tokenizer.count_known(graph_ids).numpy().tolist() == known
    for content in TEXTS:
        known = [token for token in tokenizer.tokenize(content) if token in ids]
        for after in {"<unk>", "<eos>", "(", '"￭'} & {*ids}:
            text = graph_tokenizer.detokenize(tf.constant([[ids[token] for token in known]], tf.int32), tf.constant([ids[after]]))
            assert text.numpy()[0].decode() == tokenizer.detokenize(known, after)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tokenizer",
    [Tokenizer(True, "-'"), Tokenizer(False, "-'·—_]^\\\\«"), Tokenizer(True, "")],
    ids=["default", "much punctuation", "no punctuation"],
)
def test_the_graph_splits_every_character_as_python_does(tiny_text_model, tokenizer):
    import tensorflow as tf

    texts = [
        "Thou art\nmore, 'TIS -- to-morrow ' - '",
        "",
        "¿Qué?",
        "ΣΟΦΟΣ ΟΔΟΣ",
        "İstanbul I IJ Ì",
        "don\u2019t “so” a<\u0338b H\u0331 각 ⫝̸b e\u0301",
        "e\u0301 ❤️ 你好 مرحبا नमस्ते",
        "a\u00a0b\u2028c\x00d\u3000e",
    ]
    # Each character between letters and alone, unassigned ones included. The rest are private, unassigned, or ideographs like these.
    characters = [c for c in ALL_CHARACTERS if c < "\u4e10" or "\u9ff0" <= c < "\uac30" or "\ud780" <= c < "\ue010" or c > "\uf8f0"]
    characters = [c for c in characters if c < "\U00020010" or "\U000e0000" <= c < "\U000e0200"] + UNASSIGNED
    texts += ["".join(f"a{c}b {c} " for c in characters[start : start + 500]) for start in range(0, len(characters), 500)]
    graph_tokenizer = tiny_text_model().tokenizer
    graph_tokenizer.tokenizer = tokenizer
    for text in texts:
        in_graph = [word.decode() for word in graph_tokenizer.split_words(tf.constant([text])).values.numpy()]
        assert in_graph == tokenizer.tokenize(text)


@pytest.fixture(scope="module")
def make_once(tmp_path_factory):
    """A function that makes (tokenizer, graph tokenizer, tokens) once for all examples of a test."""
    from lstm_lm.export.graph_tokenizer import GraphTokenizer

    @functools.cache
    def make(punctuation, lowercase, newlines, unit):
        tokenizer = Tokenizer(lowercase, "-'", punctuation, newlines, unit, straight_quotes=unit != "char" or punctuation != "as_is")
        tokenizer, path, tokens = build_vocabulary(tokenizer, tmp_path_factory.mktemp("vocabulary"))
        return tokenizer, GraphTokenizer(tokenizer, path), tokens

    return make


@pytest.mark.slow
@pytest.mark.parametrize("punctuation", ["drop", "separate", "as_is"])
@pytest.mark.parametrize(("lowercase", "newlines", "unit"), [(True, False, "word"), (False, True, "char"), (True, True, "subword")])
@settings(deadline=None, max_examples=15)
@given(texts=text_lists())
def test_the_graph_tokenizes_any_text_as_python_does(make_once, punctuation, lowercase, newlines, unit, texts):
    import tensorflow as tf

    tokenizer, graph_tokenizer, tokens = make_once(punctuation, lowercase, newlines, unit)
    words = graph_tokenizer.split_words(tf.constant(texts, tf.string))
    assert [[word.decode() for word in row] for row in words.to_list()] == [tokenizer.split_words(text) for text in texts]
    ids = {token: i for i, token in enumerate(tokens)}
    assert graph_tokenizer.encode(words).to_list() == [[ids.get(token, 0) for token in tokenizer.tokenize(text)] for text in texts]


@pytest.fixture(scope="module")
def words():
    """Thousands of words from the project's documentation."""
    content = "".join(path.read_text(encoding="utf-8") for path in [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))])
    return [word for word in Tokenizer(False, "-'", "separate").split_words(content) if word.isalnum()]


@pytest.mark.slow
def test_the_graph_python_and_sentencepiece_agree_on_thousands_of_words(words, tmp_path):
    import tensorflow as tf

    from lstm_lm.export.graph_tokenizer import GraphTokenizer

    pretokens = sorted({f" {word}" for word in words[::2]})
    processor = bpe.train(pretokens, [words.count(word[1:]) for word in pretokens], 500)
    subwords = bpe.learn(pretokens, [words.count(word[1:]) for word in pretokens], 500)
    assert [processor.id_to_piece(i + 1) for i in range(len(subwords))] == subwords
    rng = np.random.default_rng(1)
    random_words = ["".join(rng.choice(list("etaoinshré☃ßя"), rng.integers(1, 30))) for _ in range(2000)]
    checked_words = sorted({*words, *random_words})
    assert len(checked_words) > 3000

    tokenizer = Tokenizer(False, "-'", unit="subword", subwords=tuple(subwords))
    ranks = {subword: rank for rank, subword in enumerate(subwords)}
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(("\n".join(["<unk>", *sorted(subwords)]) + "\n").encode())
    graph_tokenizer = GraphTokenizer(tokenizer, path)
    in_graph = graph_tokenizer.encode(graph_tokenizer.split_words(tf.constant(checked_words))).to_list()
    ids = {subword: i + 1 for i, subword in enumerate(sorted(subwords))}
    for word, graph_ids in zip(checked_words, in_graph, strict=True):
        by_python = bpe.split(f" {''.join(tokenizer.split_words(word))}", ranks)
        # sentencepiece merges consecutive unknown characters into one piece.
        by_sentencepiece = [part for piece in processor.encode(f" {word}", out_type=str) for part in ([piece] if piece in ranks else piece)]
        if len(tokenizer.split_words(word)) == 1 and tokenizer.split_words(word) == [word]:  # the tokenizer splits words at a snowman
            assert by_sentencepiece == by_python
            assert graph_ids == [ids.get(token, 0) for token in by_python]


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["word", "char", "subword"])
def test_generated_text_is_detokenized_and_equals_text_generated_in_pieces(tiny_model, tmp_path, unit):
    import tensorflow as tf

    from lstm_lm.export.generator import Generator
    from lstm_lm.export.text_model import TextModel
    from lstm_lm.generation import option_tensors
    from lstm_lm.generation.options import GenerationOptions

    tokenizer, path, tokens = build_vocabulary(Tokenizer(False, "-'", "separate", True, unit), tmp_path)
    model = TextModel(tiny_model(vocabulary_size=len(tokens)), tokenizer, path)
    if unit == "subword":  # it needs the most files; saving and loading takes most of the time
        model.save(tmp_path / "saved_model")
        for file in (path, tmp_path / "merges.txt"):
            file.unlink()  # the SavedModel has its own copies
        model = tf.saved_model.load(str(tmp_path / "saved_model"))
    prompts = ["Well, (", "Down\n", "", "to be"]
    expected = Generator(model)(prompts, GenerationOptions(max_words=12, temperature=1.0, seed=3))
    for prompt, text in zip(prompts, expected, strict=True):
        assert text.startswith(prompt.strip())
        assert not {"<unk>", "<eos>", "￭", "\u2581"} & {*tokens} or not any(token in text for token in ("<unk>", "<eos>", "￭", "\u2581"))
        assert " ," not in text and "( " not in text
    state = model.prefill(tf.constant(prompts), tf.ones([4], tf.int32))
    keys, texts, position = state["keys"], list(prompts), 0
    for count in (5, 7):
        options = option_tensors.tensors(GenerationOptions(max_words=count, temperature=1.0, seed=3), 4, option_tensors.of_words)
        state = model.decode(state["last"], state["state"], keys, state["history"], tf.fill([4], position), options)
        texts = [f"{before}{more.decode()}" for before, more in zip(texts, state["texts"].numpy(), strict=True)]
        position += count
    assert [text.strip() for text in texts] == expected
