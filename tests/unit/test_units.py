"""Words with marks, characters and subwords: plain examples, and the graph, the stages and the library held against them."""

import json
import shutil

import numpy as np
import pytest

from conftest import PROJECT, change_params, run
from lstm_lm.text import encoded, units
from lstm_lm.text.encoded import Text
from lstm_lm.text.indexing import PlainNumbering
from lstm_lm.text.splits import Span
from lstm_lm.text.tokenization import bpe
from lstm_lm.text.tokenization.tokenizer import Tokenizer

SEPARATE = Tokenizer(False, "-'", "separate")
LINES = Tokenizer(False, "-'", "separate", newlines=True)
PROSE = """\
"Well!" thought Alice to herself, "after such a fall as this, I shall think nothing of tumbling down stairs! How brave they'll all
think me at home!" (Which was very likely true.)

Down, down, down--would the fall never come to an end? "I must be getting somewhere near the centre of the earth; let me see: that would
be 4,000 miles down, I think..." -- and so on [1865], at 10:30. 'Tis so: "('Curiouser', she cried.)" It cost $3.50, or 5% & more?!
"""
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


@pytest.mark.parametrize(
    ("tokenizer", "line", "words"),
    [
        (SEPARATE, 'He said: "No, (I) do!"', ["He", "said", ":", '"￭', "No", ",", "(", "I", ")", "do", "!", '￭"']),
        (SEPARATE, "3.14 a--b x -- 'tis...", ["3", "￭.￭", "14", "a", "￭--￭", "b", "x", "--", "'tis", ".", ".", "."]),
        (SEPARATE, "'So,' f(x) 50% I/O", ["'So", ",", "￭'", "f", "￭(￭", "x", ")", "50", "￭%", "I", "￭/￭", "O"]),
        (LINES, "a,\n\nb", ["a", ",", "<eos>", "<eos>", "b"]),
        (Tokenizer(True, "-'", newlines=True), "A, ' b!\n", ["a", "b", "<eos>"]),
        (
            Tokenizer(False, "", "as_is", newlines=True),
            " a <unk> \u2018b\u2019. @-@\n\n",
            ["a", "<unk>", "\u2018b\u2019.", "@-@", "<eos>", "<eos>"],
        ),
    ],
)
def test_words_and_marks(tokenizer, line, words):
    assert tokenizer(line) == words


def test_prose_is_joined_as_it_was_written():
    assert LINES.join(LINES(PROSE), after="<eos>") == PROSE
    assert SEPARATE.join(SEPARATE(PROSE)) == f" {' '.join(PROSE.split())}"
    assert SEPARATE.join(SEPARATE("so , it ( is ) .")) == " so, it (is)."  # marks with spaces around them are put where they belong
    for unit in ("char", "subword"):
        tokenizer = Tokenizer(False, "-'", "separate", True, unit, ("th", "the", "\u2581", *sorted({*PROSE} - {" ", "\n"})))
        assert tokenizer.join(tokenizer(PROSE), after="<eos>") == PROSE
        assert "the" in tokenizer(PROSE) or unit == "char"


def test_characters_and_subwords_are_those_of_the_words():
    assert Tokenizer(True, "-'", unit="char")("To be, or") == list(" to be or")
    assert Tokenizer(True, "-'", "separate", True, "char")("To be,\nor") == [*"to be,", "<eos>", *"or"]
    subwords = ("\u2581t", "\u2581to", "be", "\u2581", *"tobe,")
    tokenizer = Tokenizer(True, "-'", "separate", True, "subword", subwords)
    assert tokenizer("To be,\nto tot\u2603") == ["\u2581to", "\u2581", "be", ",", "<eos>", "\u2581to", "\u2581to", "t", "\u2603"]
    # The rank decides, not the length or the place.
    assert bpe.cut(" to", {"to": 0, "\u2581t": 1}) == ["\u2581", "to"]
    assert bpe.cut("aaa", {"aa": 0}) == ["aa", "a"]


def vocabulary_of(tokenizer, folder):
    """Of most of TEXTS: (the tokenizer with subwords learnt; a vocabulary file; its tokens)."""
    pieces = [piece for content in TEXTS[:5] for piece in tokenizer.pieces(tokenizer.words(content), tokenizer.start)]
    distinct = sorted(set(pieces))
    tokenizer = units.learn(tokenizer, distinct, np.array([pieces.count(piece) for piece in distinct]), 90)
    tokens = {token for content in TEXTS[:5] for token in tokenizer(content)} | {
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
def test_the_graph_cuts_and_joins_as_python_does(tmp_path, punctuation, newlines, unit):
    import tensorflow as tf

    from lstm_lm.export.graph_tokenizer import GraphText

    tokenizer, path, tokens = vocabulary_of(Tokenizer(True, "-'", punctuation, newlines, unit), tmp_path)
    ids = {token: i for i, token in enumerate(tokens)}
    graph_text = GraphText(tokenizer, path)
    words = graph_text.words(tf.constant(TEXTS))
    assert [[word.decode() for word in of_text] for of_text in words.to_list()] == [tokenizer.words(content) for content in TEXTS]
    found = graph_text.ids(words)
    assert found.to_list() == [[ids.get(token, 0) for token in tokenizer(content)] for content in TEXTS]
    known = [sum(i != 0 and tokens[i] not in (" ", bpe.SPACE) for i in of_text) for of_text in found.to_list()]
    assert graph_text.known(found).numpy().tolist() == known
    for content in TEXTS:
        known = [token for token in tokenizer(content) if token in ids]
        for after in {"<unk>", "<eos>", "(", '"￭'} & {*ids}:
            joined = graph_text.join(tf.constant([[ids[token] for token in known]], tf.int32), tf.constant([ids[after]]))
            assert joined.numpy()[0].decode() == tokenizer.join(known, after)


@pytest.fixture(scope="module")
def words():
    """Thousands of words of the project's own texts, and what they do not hold."""
    content = "".join(path.read_text(encoding="utf-8") for path in [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))])
    return [word for word in SEPARATE.words(content) if word.isalnum()]


def test_graph_plain_rules_and_library_agree_on_thousands_of_words(words, tmp_path):
    import tensorflow as tf

    from lstm_lm.export.graph_tokenizer import GraphText

    seen = sorted({f" {word}" for word in words[::2]})
    processor = bpe.train(seen, [words.count(word[1:]) for word in seen], 500)
    subwords = bpe.learn(seen, [words.count(word[1:]) for word in seen], 500)
    assert [processor.id_to_piece(i + 1) for i in range(len(subwords))] == subwords
    draw = np.random.default_rng(1)
    made = ["".join(draw.choice(list("etaoinshré☃ßя"), draw.integers(1, 30))) for _ in range(2000)]
    looked_at = sorted({*words, *made})
    assert len(looked_at) > 3000

    tokenizer = Tokenizer(False, "-'", unit="subword", subwords=tuple(subwords))
    ranks = {subword: rank for rank, subword in enumerate(subwords)}
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(("\n".join(["<unk>", *sorted(subwords)]) + "\n").encode())
    graph_text = GraphText(tokenizer, path)
    in_graph = graph_text.ids(graph_text.words(tf.constant(looked_at))).to_list()
    ids = {subword: i + 1 for i, subword in enumerate(sorted(subwords))}
    for word, found in zip(looked_at, in_graph, strict=True):
        by_rules = bpe.cut(f" {''.join(tokenizer.words(word))}", ranks)
        # The library makes one of unknown characters in a row.
        by_library = [part for piece in processor.encode(f" {word}", out_type=str) for part in ([piece] if piece in ranks else piece)]
        if len(tokenizer.words(word)) == 1 and tokenizer.words(word) == [word]:  # a snowman separates words here
            assert by_library == by_rules
            assert found == [ids.get(token, 0) for token in by_rules]


def test_learning_is_repeatable(words):
    pieces = sorted({f" {word}" for word in words})
    counts = [words.count(piece[1:]) for piece in pieces]
    assert bpe.learn(pieces, counts, 300) == bpe.learn(pieces[::-1], counts[::-1], 300)
    assert len(bpe.learn([" ab", " a"], [3, 2], 1000)) < 10  # no more than there are
    assert {"\u2581", *"ab"} <= {*bpe.learn([" ab"], [1], 1)}  # all characters, however small


@pytest.mark.parametrize("block", [1, 7, 64, 2**20])
@pytest.mark.parametrize("unit", ["word", "char"])
def test_files_are_numbered_in_blocks_as_they_are_whole(tmp_path, unit, block):
    contents = ["", "One, two\nthree", PROSE, "four!\n", "\n\n(five", ""]
    paths = [tmp_path / f"{i}.txt" for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content)
    tokenizer = Tokenizer(True, "-'", "separate", True, unit)
    numbering = PlainNumbering(tokenizer)
    found = [[] for _ in paths]
    for numbers, counts in numbering.of(paths, block=block):
        assert sum(count for _, count in counts) == len(numbers)
        left = numbers.tolist()
        for place, count in counts:
            found[place] += [numbering.pieces()[number] for number in left[:count]]
            left = left[count:]
    whole = [content if content.endswith("\n") or not content else f"{content}\n" for content in contents]
    words = [tokenizer.words(content) for content in whole]
    assert found == (words if unit == "word" else [tokenizer.pieces(of_text, "<eos>") for of_text in words])


def test_words_are_cut_where_they_stand_and_held_out_spans_begin_with_their_first_words_last_token(tmp_path):
    from lstm_lm.io import arrays
    from lstm_lm.io.arrays import Writer

    with Writer(tmp_path / encoded.IDS) as ids:
        ids.append(np.array([0, 1, 2, 1, 0, 0, 2], np.int32))
    whole = Text(arrays.load(tmp_path / encoded.IDS), {"a": 4, "b": 0, "c": 3})
    spans = {"train": [Span("a", 1, 4)], "validation": [Span("c", 0, 1)], "test": [Span("c", 1, 3)]}
    tokens, parts = encoded.cut(whole, spans, tmp_path, [np.array(part, np.int32) for part in ([5, 6, 7], [8], [9, 5])])
    assert tokens.ids.tolist() == [5, 6, 7, 8, 9, 5, 8, 5, 6, 7, 5, 6, 7, 9, 5]
    assert tokens.documents == {"a": 7, "b": 0, "c": 8}
    assert parts == {"train": [Span("a", 3, 7)], "validation": [Span("c", 2, 3)], "test": [Span("c", 5, 8)]}


@pytest.mark.slow
@pytest.mark.parametrize("split_by", ["documents", "spans"])
def test_the_three_units_are_scored_on_the_same_characters(tmp_path, split_by):
    shutil.copytree(PROJECT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    (tmp_path / "data/own").mkdir(parents=True)
    for i in range(4):
        (tmp_path / f"data/own/{i}.txt").write_text(f"{'new' * i}\u00e9, {PROSE * (i + 2)}", encoding="utf-8")
    share = {"vocab.split_by": split_by, "vocab.validation": 0.25, "vocab.test": 0.25, "vocab.min_count": 2}
    marks = {"vocab.punctuation": "separate", "vocab.newlines": True, "vocab.lowercase": False}
    small = {"download.source": {"path": "data/own"}, "batching.batch_size": 2, "batching.sequence_length": 4, "vocab.max_size": 120}
    change_params(tmp_path, share | marks | small)
    run(["python", "src/download.py"], tmp_path)
    scored = {}
    for unit in ("word", "char", "subword"):
        change_params(tmp_path, {"vocab.unit": unit})
        for stage in ("vocab", "batching"):
            run(["python", f"src/{stage}.py"], tmp_path)
        about = json.loads((tmp_path / "data/batches/batches.json").read_text())
        scored[unit] = [about[split]["characters"] for split in ("validation", "test")]
        assert unit == "word" or about["test"]["scored"] <= scored[unit][1]
        assert unit != "char" or [about[split]["scored"] for split in ("validation", "test")] == scored[unit]
    assert scored["word"] == scored["char"] == scored["subword"]


@pytest.mark.parametrize("unit", ["word", "char", "subword"])
def test_a_model_goes_on_as_people_write_and_in_pieces_as_at_once(tiny_model, tmp_path, unit):
    import tensorflow as tf

    from lstm_lm.export.saved_model import Generator, TextModel

    tokenizer, path, tokens = vocabulary_of(Tokenizer(False, "-'", "separate", True, unit), tmp_path)
    model = TextModel(tiny_model(vocabulary_size=len(tokens)), tokenizer, path)
    model.save(tmp_path / "saved_model")
    for file in (path, tmp_path / "merges.txt"):
        file.unlink(missing_ok=True)  # it carries its own
    model = tf.saved_model.load(str(tmp_path / "saved_model"))
    prompts = ["Well, (", "Down\n", "", "to be"]
    at_once = Generator(model)(prompts, 12, temperature=1.0, seed=3)
    for prompt, found in zip(prompts, at_once, strict=True):
        assert found.startswith(prompt.strip())
        assert not {"<unk>", "<eos>", "￭", "\u2581"} & {*tokens} or not any(mark in found for mark in ("<unk>", "<eos>", "￭", "\u2581"))
        assert " ," not in found and "( " not in found
    settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 3, "min_p": 0.0, "repetition_penalty": 1.0, "no_repeat_ngram": 0}
    settings = {name: tf.constant(value) for name, value in {**settings, "stop_at_sentence_end": False}.items()}
    now = model.signatures["prime"](prompts=tf.constant(prompts), samples=tf.constant(1))
    keys, texts, position = now["keys"], list(prompts), 0
    for count in (5, 7):
        going_on = {name: now[name] for name in ("last", "state", "history")} | {"keys": keys, "position": tf.constant(position)}
        now = model.signatures["write"](**going_on, max_words=tf.constant(count), **settings)
        texts = [f"{before}{more.decode()}" for before, more in zip(texts, now["texts"].numpy(), strict=True)]
        position += count
    assert [found.strip() for found in texts] == at_once
