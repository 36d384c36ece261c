import pytest

from lstm_lm.text.tokenization import surface
from lstm_lm_serving.alignment import Aligner, Spacing, Token


def tokens(*words):
    return [Token(word, -1.0) for word in words]


def split(words, start=0):
    """Check that the offsets fit and return the texts of the words."""
    for word in words:
        assert word.offset == start, word
        start += len(word.text)
    return [word.text for word in words]


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        (" to be or", ["to", "be", "or"], [" to", " be", " or"]),
        (", he said. (so)", [",", "he", "said", ".", "(", "so", ")"], [",", " he", " said", ".", " (", "so", ")"]),
        (' "so" it', ['"\uffed', "so", '\uffed"', "it"], [' "', "so", '"', " it"]),
        (" a\nb", ["a", "<eos>", "b"], [" a", "\n", "b"]),
        ("he re", ["h", "e", " ", "r", "e"], ["h", "e", " ", "r", "e"]),
        (" theory", ["\u2581the", "ory"], [" the", "ory"]),
    ],
)
def test_every_unit_of_text_is_divided_among_its_tokens(text, words, expected):
    aligner = Aligner()
    aligner.add(tokens(*words))
    assert split(aligner.take(text, is_last=True)) == expected


def test_a_text_may_arrive_in_pieces_that_split_words():
    aligner = Aligner(offset=7)
    aligner.add(tokens("king", "of"))
    assert aligner.take(" ki", is_last=False) == []
    first = aligner.take("ng o", is_last=False)
    assert split(first, 7) == [" king"]
    aligner.add(tokens("hearts"))
    assert split(aligner.take("f hearts", is_last=True), 12) == [" of", " hearts"]


def test_tokens_behind_the_end_are_dropped_and_a_word_that_was_cut_keeps_its_beginning():
    aligner = Aligner()
    aligner.add(tokens("the", "king", "of"))
    assert split(aligner.take(" the ki", is_last=True)) == [" the", " ki"]
    aligner = Aligner()
    aligner.add(tokens("the", "king"))
    assert split(aligner.take(" the", is_last=True)) == [" the"]


def test_a_prompt_is_aligned_with_its_normalized_words():
    aligner = Aligner(is_prompt=True)
    aligner.add(tokens("thou", "don't", "art", "king"))
    words = aligner.take("Thou, don\u2019t ART King!", is_last=True)
    assert split(words) == ["Thou", "", ", don\u2019t ART", " King!"]
    assert "".join(word.text for word in words) == "Thou, don\u2019t ART King!"


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        (["to", "be"], "to be", ["to", " be"]),
        ([" ", "t", "o", " ", "b"], "to b", ["", "t", "o", " ", "b"]),
        (["\u2581the", "ory", "\u2581of"], "theory of", ["the", "ory", " of"]),
        ([",", "so"], ", so", [",", " so"]),
        (["\u2581a", "<eos>", "\u2581b", "<eos>", "<eos>", "c"], "a\nb\n\nc", ["a", "\n", "b", "\n", "\n", "c"]),
    ],
)
def test_the_first_word_may_lack_its_space(words, text, expected):
    aligner = Aligner(drops_space=True)
    aligner.add(tokens(*words))
    assert split(aligner.take(text, is_last=True)) == expected


SEPARATE = Spacing(punctuation="separate")


@pytest.mark.parametrize(
    ("spacing", "text", "words", "others", "expected"),
    [
        (Spacing(), " to be", ["to", "be"], ["king", "to"], [[" king", " to"], [" king", " to"]]),
        (SEPARATE, " (so, it", ["(", "so", ",", "it"], ["!", "of"], [["!", " of"], ["!", "of"], ["!", " of"], ["!", " of"]]),
        (SEPARATE, ' "\nof', ['"\uffed', "<eos>", "of"], ["so", '\uffed"'], [[" so", '"'], ["so", '"'], ["so", '"']]),
        (Spacing("char"), "he ", ["h", "e", " "], ["a", " ", "<eos>"], [["a", " ", "\n"]] * 3),
        (Spacing("subword"), " theory", ["\u2581the", "ory"], ["\u2581a", "re"], [[" a", "re"], [" a", "re"]]),
    ],
)  # fmt: skip
def test_other_words_are_written_as_they_would_be_in_this_place(spacing, text, words, others, expected):
    aligner = Aligner(spacing=spacing)
    aligner.add([Token(word, -1.0, tuple((other, -2.0) for other in others)) for word in words])
    found = aligner.take(text, is_last=True)
    assert [[other for other, _ in word.top] for word in found] == [
        [word.text if other == word.token else each for other, each in zip(others, row, strict=True)]
        for word, row in zip(found, expected, strict=True)
    ]


def test_the_word_itself_is_among_the_top_as_the_text_has_it():
    aligner = Aligner(is_prompt=True)
    aligner.add([Token("to", None), Token("be", -1.0, (("be", -1.0), ("of", -2.0)))])
    assert [word.top for word in aligner.take("To BE!", is_last=True)] == [(), ((" BE!", -1.0), (" of", -2.0))]
    aligner = Aligner(drops_space=True)
    aligner.add([Token("be", -1.0, (("of", -0.5), ("be", -1.0)))])
    assert aligner.take("be", is_last=True)[0].top == (("of", -0.5), ("be", -1.0))


@pytest.mark.parametrize("punctuation", ["drop", "separate", "as_is"])
def test_spaces_are_where_the_tokenizer_puts_them(punctuation):
    spacing = Spacing("word", punctuation)
    for token in ["king", ".", "(", "\u2026", "\uffed(", ".\uffed", "\uffed-\uffed", '"', "'tis", "<eos>"]:
        form = surface.surface_form(token, punctuation, newlines=True)
        assert (spacing.before(token), spacing.after(token)) == (not form.no_space_before, not form.no_space_after), token
