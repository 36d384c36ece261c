"""From the output of the last layer to logits, in the form that is fastest in loops over words.

The softmax weights are transposed once, before a loop: with `[rows, width] @ [width, vocabulary]` a row's result has the same bits for most
numbers of rows (see `row_padding` for the others), which holds for no other layout, and it is the fastest one for more than a few rows.
"""

import tensorflow as tf

from lstm_lm.generation.draw import GROUP, block_size, log_softmax, row_sums
from lstm_lm.generation.row_padding import row_counts
from lstm_lm.model.language_model import LanguageModel

BLOCKED = -1e30  # the logit of a word that must not be generated; finite, so that no NaN can come of it
NEVER = 1000 * BLOCKED  # a bias that is still below BLOCKED when it is divided by the highest temperature
MAX_INPUT_TABLE = 2**25  # numbers, 128 MiB: of a larger vocabulary, the products of the embedding are not kept
Prepared = dict[str, tf.Tensor]


def block_unknown(vocabulary: int | tf.Tensor, value: float = BLOCKED) -> tf.Tensor:
    """What to add to logits so that `<unk>` is never generated: float32 [vocabulary]."""
    return tf.one_hot(0, vocabulary, on_value=value, off_value=0.0)


def prepare(model: LanguageModel, rows: tf.Tensor | None = None) -> Prepared:
    """Compute all that depends on the weights alone.

    Args:
        model: of any shape.
        rows: int32 scalar, the number of rows of the only call that the result is for; None: it is for many calls. Then it takes longer,
            as long as generating some hundred words.
    Returns:
        Tensors by name: `softmax` [width + 1, at least words], the last row the bias; of an adaptive softmax, `softmax` is the head, and
        there are `tail_0`, ... too. `inputs` [vocabulary, 4 hidden], what the first layer's products make of each word, without rows if
        it is for one call or the vocabulary is large. `row_counts`, int32, see `row_padding`.
    """
    prepared = {f"tail_{i}": _with_bias(tail.weights, tail.bias, _whole(tail.bias.shape[0])) for i, tail in enumerate(model.tails)}
    bias = model.softmax_bias if model.tails else model.softmax_bias + block_unknown(model.shape.vocabulary_size, NEVER)
    prepared["softmax"] = _with_bias(model.softmax_weights, bias, _whole(bias.shape[0]) if model.tails else columns(model))
    matrices = [*model.step_matrices, *(tail.projection for tail in model.tails), *prepared.values()]
    prepared["row_counts"] = row_counts(matrices, model.shape.hidden_size, rows)
    numbers = 4 * model.shape.hidden_size
    has_table = rows is None and model.shape.vocabulary_size * numbers <= MAX_INPUT_TABLE
    prepared["inputs"] = tf.matmul(model.embedding, model.kernels[0]) if has_table else tf.zeros([0, numbers])
    return prepared


def specs(model: LanguageModel) -> dict[str, tf.TensorSpec]:
    """The input signature of what `prepare` returns, with the input table or without."""
    prepared = tf.function(lambda: prepare(model), autograph=False).get_concrete_function().structured_outputs
    shapes = {name: tensor.shape for name, tensor in prepared.items()} | {"inputs": [None, 4 * model.shape.hidden_size]}
    return {name: tf.TensorSpec(shape, prepared[name].dtype, name) for name, shape in shapes.items()}


def logits(model: LanguageModel, prepared: Prepared, hidden: tf.Tensor, sharpness: tf.Tensor) -> tf.Tensor:
    """Compute logits.

    Args:
        model: that was prepared.
        prepared: as `prepare` returns it.
        hidden: float32 [rows, output_size].
        sharpness: float32 [rows], what the logits are multiplied by.
    Returns:
        float32 [rows, columns(model)], log probabilities if the softmax is adaptive. Columns that are no words, and that of `<unk>`, are
        BLOCKED or less, and are never generated.
    """
    factor = sharpness[:, tf.newaxis]
    if not model.tails:
        # The factor is applied to the short side of the product. That of the bias is its own column.
        words = tf.matmul(tf.concat([hidden * factor, factor], axis=1), prepared["softmax"])
        return tf.ensure_shape(words, [None, prepared["softmax"].shape[1]])
    ones, head = tf.ones_like(factor), _head(prepared, hidden)
    frequent = model.shape.head_size - len(model.tails)
    parts = [head[:, :frequent]]
    for i, tail in enumerate(model.tails):
        narrow = tf.matmul(hidden, tail.projection)
        within = log_softmax(tf.matmul(tf.concat([narrow, ones], axis=1), prepared[f"tail_{i}"]))
        parts.append(head[:, frequent + i, tf.newaxis] + within[:, : tail.stop - tail.start])
    words = tf.concat(parts, axis=1) * factor + block_unknown(model.shape.vocabulary_size)
    never = tf.fill([tf.shape(hidden)[0], columns(model) - model.shape.vocabulary_size], BLOCKED)
    return tf.ensure_shape(tf.concat([words, never], axis=1), [None, columns(model)])


def columns(model: LanguageModel) -> int:
    """How many columns the logits have: at least one for each word, and only whole blocks for `draw`."""
    number = model.shape.vocabulary_size
    while number % block_size(number):  # more words may make the blocks larger
        number += 1
    return number


def unknown_logits(model: LanguageModel, prepared: Prepared, hidden: tf.Tensor) -> tf.Tensor:
    """The logit of `<unk>`, which `logits` blocks: float32 [rows, output_size] -> [rows]."""
    if model.tails:
        return _head(prepared, hidden)[:, 0]
    return row_sums(hidden * model.softmax_weights[0]) + model.softmax_bias[0]


def _head(prepared: Prepared, hidden: tf.Tensor) -> tf.Tensor:
    """The log probabilities of the frequent words and the clusters of an adaptive softmax, and of columns that are none."""
    return log_softmax(tf.matmul(tf.concat([hidden, tf.ones_like(hidden[:, :1])], axis=1), prepared["softmax"]))


def transpose(weights: tf.Tensor) -> tf.Tensor:
    """Transpose weights before a loop: float32 [words, width] -> [width, words]."""
    width = weights.shape[1]
    # In halves, because TensorFlow's optimizer would move a single transposition into every product.
    return tf.concat([tf.transpose(weights[:, : width // 2]), tf.transpose(weights[:, width // 2 :])], axis=0)


def _whole(words: int) -> int:
    """The next number of columns of which there are only whole vectors."""
    return -(-words // GROUP) * GROUP


def _with_bias(weights: tf.Tensor, bias: tf.Tensor, columns: int) -> tf.Tensor:
    """Transpose weights, add the bias as another row, and words that are never generated.

    Args:
        weights: float32 [words, width].
        bias: float32 [words].
        columns: of the result, at least the number of words.
    Returns:
        float32 [width + 1, columns]
    """
    words, width = weights.shape
    transposed = tf.concat([transpose(weights), bias[tf.newaxis]], axis=0)  # [width + 1, words]
    never = tf.concat([tf.zeros([width, columns - words]), tf.fill([1, columns - words], NEVER)], axis=0)
    return tf.concat([transposed, never], axis=1)
