"""From the output of the last layer to logits, in the form that is fastest in loops over words.

The softmax weights are transposed once, before a loop: with `[rows, width] @ [width, vocabulary]` a row's result has the same bits for most
numbers of rows (see `row_padding` for the others), which holds for no other layout, and it is the fastest one for more than a few rows.
"""

import tensorflow as tf

from lstm_lm.generation.draw import GROUP, block_size, log_softmax, row_sums
from lstm_lm.generation.row_padding import row_counts
from lstm_lm.model.ensemble import Ensemble, Model, mean_log_probabilities, weight_prefix
from lstm_lm.model.graph_order import transpose_once
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.model.mixture import Mixture, Predictor

BLOCKED = -1e30  # the logit of a word that must not be generated; finite, so that no NaN can come of it
NEVER = 1000 * BLOCKED  # a bias that is still below BLOCKED when it is divided by the highest temperature
MAX_INPUT_TABLE = 2**25  # numbers, 128 MiB: of a larger vocabulary, the products of the embedding are not kept
Prepared = dict[str, tf.Tensor]


def block_unknown(vocabulary: int | tf.Tensor, value: float = BLOCKED) -> tf.Tensor:
    """What to add to logits so that `<unk>` is never generated: float32 [vocabulary]."""
    return tf.one_hot(0, vocabulary, on_value=value, off_value=0.0)


def prepare(model: Predictor, rows: tf.Tensor | None = None) -> Prepared:
    """Compute all that depends on the weights alone.

    Args:
        model: of any shape.
        rows: int32 scalar, the number of rows of the only call that the result is for; None: it is for many calls. Then it takes longer,
            as long as generating some hundred words.
    Returns:
        Tensors by name: `softmax` [width + 1, at least words], the last row the bias; of an adaptive softmax, `softmax` is the head, and
        there are `tail_0`, ... too. `inputs` [vocabulary, 4 hidden], what the first layer's products make of each word, without rows if
        it is for one call, the vocabulary is large, or a mogrifier scales the words first. `row_counts`, int32, see `row_padding`. Those
        of an ensemble, but for `row_counts`, are there for each member, the first ones as `member_0/softmax` and so on.
    """
    prepared: Prepared = {}
    for prefix, member in _members(model):
        of_member = _prepare_softmax(member, blocks_unknown=not _has_log_probabilities(model))
        prepared |= {prefix + name: matrix for name, matrix in of_member.items()}
    matrices = [*model.step_matrices, *(tail.projection for member in model.members for tail in member.tails), *prepared.values()]
    prepared["row_counts"] = row_counts(matrices, model.shape.hidden_size, rows)
    numbers = 4 * model.shape.hidden_size
    is_small = model.shape.members * model.shape.vocabulary_size * numbers <= MAX_INPUT_TABLE
    has_table = rows is None and is_small and not model.shape.mogrifier_rounds
    for prefix, member in _members(model):
        prepared[prefix + "inputs"] = tf.matmul(member.embedding, member.kernels[0]) if has_table else tf.zeros([0, numbers])
    return prepared


def _prepare_softmax(member: LanguageModel, blocks_unknown: bool) -> Prepared:
    """The matrices of `prepare` for one model. blocks_unknown: of a plain softmax, never generate `<unk>`."""
    prepared = {f"tail_{i}": _with_bias(tail.weights, tail.bias, _whole(tail.bias.shape[0])) for i, tail in enumerate(member.tails)}
    bias = member.softmax_bias + (block_unknown(member.shape.vocabulary_size, NEVER) if blocks_unknown else 0.0)
    prepared["softmax"] = _with_bias(member.softmax_weights, bias, columns(member) if blocks_unknown else _whole(bias.shape[0]))
    return prepared


def specs(model: Predictor) -> dict[str, tf.TensorSpec]:
    """The input signature of what `prepare` returns, with the input table or without."""
    prepared = tf.function(lambda: prepare(model), autograph=False).get_concrete_function().structured_outputs
    shapes = {name: tensor.shape for name, tensor in prepared.items()}
    shapes |= {prefix + "inputs": [None, 4 * model.shape.hidden_size] for prefix, _ in _members(model)}
    return {name: tf.TensorSpec(shape, prepared[name].dtype, name) for name, shape in shapes.items()}


def inputs(model: Predictor, prepared: Prepared) -> list[tf.Tensor]:
    """Of what `prepare` returns, the table of the first layer's products of each member."""
    return [prepared[prefix + "inputs"] for prefix, _ in _members(model)]


def logits(model: Predictor, prepared: Prepared, hidden: tf.Tensor, sharpness: tf.Tensor) -> tf.Tensor:
    """Compute logits.

    Args:
        model: that was prepared.
        prepared: as `prepare` returns it.
        hidden: float32 [rows, output_size].
        sharpness: float32 [rows], what the logits are multiplied by.
    Returns:
        float32 [rows, columns(model)], log probabilities if the softmax is adaptive or the model more than one. Columns that are no words,
        and that of `<unk>`, are BLOCKED or less, and are never generated.
    """
    factor = sharpness[:, tf.newaxis]
    if not _has_log_probabilities(model):
        # The factor is applied to the short side of the product. That of the bias is its own column.
        words = tf.matmul(tf.concat([hidden * factor, factor], axis=1), prepared["softmax"])
        return tf.ensure_shape(words, [None, prepared["softmax"].shape[1]])
    words = _log_probabilities(model, prepared, hidden) * factor + block_unknown(model.shape.vocabulary_size)
    never = tf.fill([tf.shape(hidden)[0], columns(model) - model.shape.vocabulary_size], BLOCKED)
    return tf.ensure_shape(tf.concat([words, never], axis=1), [None, columns(model)])


def _log_probabilities(model: Predictor, prepared: Prepared, hidden: tf.Tensor) -> tf.Tensor:
    """The log probabilities of all words, of all parts of a model together: float32 [rows, vocabulary]."""
    if isinstance(model, Mixture):
        hidden, contexts = model.split_hidden(hidden)
        scores = model.mix(_base_log_probabilities(model.base, prepared, hidden), contexts)
    else:
        scores = _base_log_probabilities(model, prepared, hidden)
    return scores[:, : model.shape.vocabulary_size]


def _base_log_probabilities(model: Model, prepared: Prepared, hidden: tf.Tensor) -> tf.Tensor:
    """The log probabilities of a model or of an ensemble's members together, float32 [rows, words], in whole vectors."""
    hiddens = model.split_hidden(hidden) if isinstance(model, Ensemble) else [hidden]
    scores = [
        _member_log_probabilities(member, prefix, prepared, own) for (prefix, member), own in zip(_members(model), hiddens, strict=True)
    ]
    return mean_log_probabilities(scores) if len(scores) > 1 else scores[0]


def _member_log_probabilities(member: LanguageModel, prefix: str, prepared: Prepared, hidden: tf.Tensor) -> tf.Tensor:
    """The log probabilities of one model, float32 [rows, words], in whole vectors: functions of parts of them may round in another way."""
    ones, head = tf.ones_like(hidden[:, :1]), _head(prepared[prefix + "softmax"], hidden)
    if not member.tails:
        return head
    frequent = member.shape.head_size - len(member.tails)
    parts = [head[:, :frequent]]
    for i, tail in enumerate(member.tails):
        narrow = tf.matmul(hidden, tail.projection)
        within = log_softmax(tf.matmul(tf.concat([narrow, ones], axis=1), prepared[f"{prefix}tail_{i}"]))
        parts.append(head[:, frequent + i, tf.newaxis] + within[:, : tail.stop - tail.start])
    words = member.shape.vocabulary_size
    return tf.concat([*parts, tf.fill([tf.shape(hidden)[0], _whole(words) - words], BLOCKED)], axis=1)


def _has_log_probabilities(model: Predictor) -> bool:
    """Whether the logits are normalized: those of a single plain softmax need not be."""
    return isinstance(model, Mixture) or len(model.members) > 1 or bool(model.members[0].tails)


def _members(model: Predictor) -> list[tuple[str, LanguageModel]]:
    """The members with what the names of their tensors start with."""
    return [(weight_prefix(i) if len(model.members) > 1 else "", member) for i, member in enumerate(model.members)]


def columns(model: Predictor) -> int:
    """How many columns the logits have: at least one for each word, and only whole blocks for `draw`."""
    number = model.shape.vocabulary_size
    while number % block_size(number):  # more words may make the blocks larger
        number += 1
    return number


def unknown_logits(model: Predictor, prepared: Prepared, hidden: tf.Tensor) -> tf.Tensor:
    """The logit of `<unk>`, which `logits` blocks: float32 [rows, output_size] -> [rows]."""
    if not isinstance(model, LanguageModel):
        return _log_probabilities(model, prepared, hidden)[:, 0]
    if model.tails:
        return _head(prepared["softmax"], hidden)[:, 0]
    return row_sums(hidden * model.softmax_weights[0]) + model.softmax_bias[0]


def _head(softmax: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
    """The log probabilities of all columns of a softmax: its words, or the frequent ones and the clusters, and columns that are none."""
    return log_softmax(tf.matmul(tf.concat([hidden, tf.ones_like(hidden[:, :1])], axis=1), softmax))


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
    transposed = tf.concat([transpose_once(weights), bias[tf.newaxis]], axis=0)  # [width + 1, words]
    never = tf.concat([tf.zeros([width, columns - words]), tf.fill([1, columns - words], NEVER)], axis=0)
    return tf.concat([transposed, never], axis=1)
