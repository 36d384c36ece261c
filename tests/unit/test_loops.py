import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lm.generation import loops, options
from lstm_lm.generation.option_tensors import DTYPES, OptionTensors, of_words
from lstm_lm_serving.checks import looks_back
from lstm_lm_serving.loops import fastest

TABLE = {**options.served_table(), "loops": loops.served_loops()}
ROWS = {row.name: row for row in options.options() if of_words(row)}
VALUES = {
    "temperature": st.sampled_from([0.0, 0.8]),
    "top_k": st.sampled_from([0, 40]),
    "top_p": st.sampled_from([1.0, 0.9]),
    "min_p": st.sampled_from([0.0, 0.05]),
    "typical_p": st.sampled_from([1.0, 1.0, 1.0, 0.5]),
    "repetition_penalty": st.sampled_from([1.0, 1.0, 1.2]),
    "no_repeat_ngram": st.sampled_from([0, 0, 0, 3]),
    "stop_at_sentence_end": st.sampled_from([False, False, False, True]),
}


def arrays(rows):
    """Options of each row, given by what differs from the defaults, as vectors."""
    types = {int: np.int32, float: np.float32, bool: np.bool_}
    return {name: np.array([row.get(name, option.default) for row in rows], types[option.type]) for name, option in ROWS.items()}


def in_graph(vectors, is_general=False):
    """The loop that the graph chooses."""
    tensors = OptionTensors(**{name: tf.constant(vector, DTYPES[ROWS[name].type]) for name, vector in vectors.items()})
    return loops.switch(tensors, tf.constant(is_general), tf.constant).numpy().decode()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{}], "sampled"),
        ([{"temperature": 0.0}, {"temperature": 0.0, "top_k": 3, "typical_p": 0.5}], "greedy"),
        ([{"temperature": 0.0}, {}], "general"),
        ([{"top_k": 40}, {"top_k": 3, "top_p": 0.9, "min_p": 0.1}], "top_k"),
        ([{"top_k": 40}, {"top_p": 0.9}], "general"),
        ([{"top_p": 0.9}, {}], "top_p"),
        ([{"min_p": 0.05}, {}], "min_p"),
        ([{"min_p": 0.05}, {"top_p": 0.9}], "general"),
        ([{"repetition_penalty": 1.2}, {}], "repetition_penalty"),
        ([{"repetition_penalty": 1.2, "no_repeat_ngram": 3}], "general"),
        ([{"stop_at_sentence_end": True}], "general"),
    ],
)
def test_the_first_loop_that_can_do_what_all_rows_ask_for(rows, expected):
    assert fastest(TABLE, arrays(rows)) == expected
    assert in_graph(arrays(rows)) == expected
    assert in_graph(arrays(rows), is_general=True) == "general"


def test_rows_of_different_lengths_take_the_general_loop_in_the_graph():
    assert in_graph(arrays([{"max_words": 3}, {"max_words": 4}])) == "general"


@pytest.mark.parametrize(("penalty", "expected"), [(1.0, False), (1.00000001, False), (1.001, True)])
def test_an_option_that_is_off_once_it_is_rounded_needs_no_history(penalty, expected):
    vectors = arrays([{}, {"repetition_penalty": penalty}])
    assert looks_back({**{name: row.default for name, row in ROWS.items()}, "repetition_penalty": penalty}, TABLE) == expected
    assert fastest(TABLE, vectors) == ("repetition_penalty" if expected else "sampled")


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=3))
def test_the_graph_and_the_engine_choose_the_same_loop(rows):
    assert in_graph(arrays(rows)) == fastest(TABLE, arrays(rows))
