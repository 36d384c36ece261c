import pytest
import tensorflow as tf

from lstm_lm.generation import option_tensors, options
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.options import GenerationOptions


def test_each_option_has_a_scalar_tensor_in_the_order_of_the_table():
    specs, tensors = option_tensors.specs(), option_tensors.tensors(GenerationOptions(top_k=5))
    assert list(specs) == list(tensors) == [row.name for row in options.options()]
    for name, spec in specs.items():
        assert (spec.shape.rank, spec.name) == (0, name)
        assert tensors[name].dtype == spec.dtype
    assert OptionTensors(**tensors).top_k.numpy() == 5
    assert OptionTensors(**tensors).replace(top_k=tf.constant(6)).top_k.numpy() == 6


def test_options_that_only_set_the_number_of_rows_do_not_apply_to_words():
    excluded = {*option_tensors.specs()} - {*option_tensors.specs(option_tensors.of_words)}
    assert excluded == {"samples", "beam_width"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"temperature": 2.0, "top_k": 5, "top_p": 0.5, "min_p": 0.5, "seed": 9, "max_words": 3}, False),
        ({"repetition_penalty": 1.1}, True),
        ({"repetition_penalty": 0.9}, True),
        ({"no_repeat_ngram": 3}, True),
        ({"stop_at_sentence_end": True}, True),
    ],
)
def test_options_that_need_the_text_so_far_are_recognized(values, expected):
    assert OptionTensors(**option_tensors.tensors(GenerationOptions(**values))).looks_back().numpy() == expected
