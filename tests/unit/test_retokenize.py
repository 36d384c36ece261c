import numpy as np

from lstm_lm.io import arrays
from lstm_lm.io.arrays import Writer
from lstm_lm.text import encoded
from lstm_lm.text.encoded import Text
from lstm_lm.text.retokenize import TokenTable, retokenize
from lstm_lm.text.splits import Span


def test_words_are_expanded_to_their_tokens():
    table = TokenTable([np.array(tokens, np.int32) for tokens in ([5, 6, 7], [8], [9, 5])])
    assert table.expand(np.array([1, 0, 2, 1])).tolist() == [8, 5, 6, 7, 9, 5, 8]
    assert table.expand(np.array([], np.int32)).tolist() == []


def test_held_out_spans_start_with_the_last_token_of_their_first_word(tmp_path):
    with Writer(tmp_path / encoded.IDS_FILE) as ids:
        ids.append(np.array([0, 1, 2, 1, 0, 0, 2], np.int32))
    whole = Text(arrays.load(tmp_path / encoded.IDS_FILE), {"a": 4, "b": 0, "c": 3})
    spans = {"train": [Span("a", 1, 4)], "validation": [Span("c", 0, 1)], "test": [Span("c", 1, 3)]}
    tokens, parts = retokenize(whole, spans, tmp_path, [np.array(part, np.int32) for part in ([5, 6, 7], [8], [9, 5])])
    assert tokens.ids.tolist() == [5, 6, 7, 8, 9, 5, 8, 5, 6, 7, 5, 6, 7, 9, 5]
    assert tokens.documents == {"a": 7, "b": 0, "c": 8}
    assert parts == {"train": [Span("a", 3, 7)], "validation": [Span("c", 2, 3)], "test": [Span("c", 5, 8)]}
