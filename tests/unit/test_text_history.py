import numpy as np
import tensorflow as tf

from decoding_models import align_left, align_right
from lstm_lm.generation import text_history
from lstm_lm.generation.text_history import NO_WORD

TEXTS = [[3, 1, 2, 3, 1], [5], [0, 2, 2, 0], [1, 2, 1, 2, 1, 2, 1]]


def test_prompts_are_aligned_to_the_right():
    np.testing.assert_array_equal(text_history.align_right(*align_left(TEXTS)), align_right(TEXTS))


def test_words_are_appended_to_reserved_columns_and_unused_columns_are_released():
    before = align_right([[1, 2], [3]])
    reserved = text_history.reserve(before, tf.constant(3))
    assert reserved.numpy().tolist() == [[NO_WORD] * 3 + [1, 2], [NO_WORD] * 4 + [3]]
    longer = text_history.append(text_history.append(reserved, tf.constant([4, 5])), tf.constant([6, 0]))
    assert longer.shape == reserved.shape
    assert text_history.release(longer, tf.constant(3), tf.constant(2)).numpy().tolist() == [[1, 2, 4, 6, 0], [NO_WORD, 3, 5, 0, 0]]
    assert text_history.release(reserved, tf.constant(3), tf.constant(0)).numpy().tolist() == [[1, 2, 0, 0, 0], [NO_WORD, 3, 0, 0, 0]]


def test_words_that_end_a_sentence_are_recognized():
    assert text_history.ends_sentence(tf.constant([4, 5, 0]), [4, 9]).numpy().tolist() == [True, False, False]
    assert text_history.ends_sentence(tf.constant([4, 5]), []).numpy().tolist() == [False, False]
