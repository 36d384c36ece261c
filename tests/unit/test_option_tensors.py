import pytest
import tensorflow as tf

from lstm_lm.generation import option_tensors, options
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.options import GenerationOptions


def test_each_option_has_a_vector_in_the_order_of_the_table():
    specs, tensors = option_tensors.specs(), option_tensors.tensors(GenerationOptions(top_k=5), 3)
    assert list(specs) == list(tensors) == [row.name for row in options.options()]
    for name, spec in specs.items():
        assert (spec.shape.as_list(), spec.name) == ([None], name)
        assert tensors[name].dtype == spec.dtype
    assert OptionTensors(**tensors).top_k.numpy().tolist() == [5, 5, 5]
    assert OptionTensors(**tensors).replace(top_k=tf.constant([6])).top_k.numpy().tolist() == [6]
    assert OptionTensors(**tensors).map(lambda values: values[:1]).top_k.numpy().tolist() == [5]


def test_options_that_only_set_the_number_of_rows_do_not_apply_to_words():
    excluded = {*option_tensors.specs()} - {*option_tensors.specs(option_tensors.of_words)}
    assert excluded == {"samples", "beam_width"}


@pytest.mark.parametrize("name", ["top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "no_repeat_ngram", "stop_at_sentence_end"])
def test_an_option_is_on_if_any_row_has_it(name):
    off = option_tensors.tensors(GenerationOptions(), 3)
    assert not OptionTensors(**off).is_on(name)
    value = True if name == "stop_at_sentence_end" else 1 if off[name].dtype == tf.int32 else 0.5
    one = tf.tensor_scatter_nd_update(off[name], [[1]], tf.constant([value], off[name].dtype))
    assert OptionTensors(**{**off, name: one}).is_on(name)


def test_sharpness_is_the_inverse_temperature_and_1_in_greedy_rows():
    values = OptionTensors(temperature=tf.constant([0.0, 0.5, 2.0, 1e-30]))
    assert values.sharpness.numpy().tolist() == [1.0, 2.0, 0.5, 10_000.0]
    assert values.greedy.numpy().tolist() == [True, False, False, False]


def test_penalties_of_any_row_need_the_words_so_far():
    off = option_tensors.tensors(GenerationOptions(top_p=0.5, stop_at_sentence_end=True), 2)
    assert not OptionTensors(**off).looks_back()
    for changes in ({"repetition_penalty": tf.constant([1.0, 0.9])}, {"no_repeat_ngram": tf.constant([3, 0])}):
        assert OptionTensors(**{**off, **changes}).looks_back()
