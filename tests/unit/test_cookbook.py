"""presets/cookbook.yaml against a plain version of the book's training loop (TensorFlow Machine Learning Cookbook, ch. 9.3)."""

import numpy as np
import pytest
import tensorflow as tf

from conftest import PROJECT
from lstm_lm.config import keys, loading, presets
from lstm_lm.data import windows
from lstm_lm.data.dataset import Batches
from lstm_lm.events import Observer
from lstm_lm.model.dropout import Regularization
from lstm_lm.model.initializer import Initializer
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.model.shape import Shape
from lstm_lm.training.setup import regularization
from lstm_lm.training.trainer import Trainer
from lstm_lm.training.training_config import Hooks, TrainingConfig
from plain import held_out

SETTINGS = loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), presets.load("cookbook", PROJECT / "presets")))
VOCABULARY, BATCH, TIME, UNITS = 60, 10, 12, 16
EPOCHS = 3


def text(words=1500):
    """Ids with frequencies that follow Zipf's law."""
    rng = np.random.default_rng(0)
    return (rng.zipf(1.3, words) % VOCABULARY).astype(np.int32)


class Book:
    """The book's model and training loop, with its names, its graph and its optimizer.

    The TensorFlow 1 operations are reimplemented: BasicLSTMCell (gates i, j, f, o; a constant 1 is added to f), Adam, and
    clip_by_global_norm, which uses the rows of the embedding gradient before the rows of equal words are summed.
    """

    def __init__(self, weights):
        kernel = np.concatenate([weights["lstm_0_kernel"], weights["lstm_0_recurrent"]])
        i, f, j, o = np.split(kernel, 4, axis=1)  # our gates are in another order
        self.embedding = tf.Variable(weights["embedding"])
        self.kernel = tf.Variable(np.concatenate([i, j, f, o], axis=1))
        self.cell_bias = tf.Variable(np.zeros(4 * UNITS, np.float32))
        self.w = tf.Variable(weights["softmax"].T)
        self.b = tf.Variable(weights["softmax_bias"])
        self.variables = [self.w, self.b, self.embedding, self.kernel, self.cell_bias]
        self.m = [np.zeros(v.shape, np.float32) for v in self.variables]
        self.v = [np.zeros(v.shape, np.float32) for v in self.variables]
        self.steps, self.norms = 0, []

    def cost(self, x, y, c, h):
        embedded = tf.nn.embedding_lookup(self.embedding, x)
        outputs = []
        for rnn_input in tf.split(embedded, TIME, axis=1):
            i, j, f, o = tf.split(tf.concat([tf.squeeze(rnn_input, [1]), h], 1) @ self.kernel + self.cell_bias, 4, axis=1)
            c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
            h = tf.tanh(c) * tf.sigmoid(o)
            outputs.append(h)
        output = tf.reshape(tf.concat(outputs, axis=1), [-1, UNITS])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.reshape(y, [-1]), logits=output @ self.w + self.b)
        return tf.reduce_sum(losses) / (BATCH * TIME), c, h

    def adam(self, gradients, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.steps += 1
        rate = learning_rate * np.sqrt(1 - beta2**self.steps) / (1 - beta1**self.steps)
        for k, (variable, gradient) in enumerate(zip(self.variables, gradients, strict=True)):
            g = tf.convert_to_tensor(gradient).numpy()
            self.m[k] = beta1 * self.m[k] + (1 - beta1) * g
            self.v[k] = beta2 * self.v[k] + (1 - beta2) * g * g
            variable.assign_sub(rate * self.m[k] / (np.sqrt(self.v[k]) + epsilon))

    def train(self, s_text_ix, epochs, shuffles):
        train_loss = []
        num_batches = int(len(s_text_ix) / (BATCH * TIME)) + 1
        batches = np.array_split(s_text_ix, num_batches)
        batches = [np.resize(x, [BATCH, TIME]) for x in batches]
        for epoch in range(epochs):
            shuffled = [batches[i] for i in shuffles[epoch]]
            targets = [np.roll(x, -1, axis=1) for x in shuffled]
            c = h = tf.zeros([BATCH, UNITS])
            for x, y in zip(shuffled, targets, strict=True):
                with tf.GradientTape() as tape:
                    cost, c, h = self.cost(x, y, c, h)
                gradients, norm = tf.clip_by_global_norm(tape.gradient(cost, self.variables), 4.5)
                self.norms.append(float(norm))
                self.adam(gradients)
                train_loss.append(float(cost))
        return train_loss


class Losses(Observer):
    def __init__(self):
        self.rows = []

    def row(self, row):
        self.rows.append(row)


NO_REGULARIZATION = Regularization()


def train(model, ids, epochs):
    chunks = windows.cookbook(ids, BATCH, TIME)
    description, held = held_out(["x"], [list("x" * 30)], [ids[:30]])
    data = Batches(
        "cookbook",
        BATCH,
        TIME,
        VOCABULARY,
        {},
        "",
        chunks,
        {"validation": description, "test": description},
        {"validation": held, "test": held},
    )
    losses = Losses()
    train_settings = SETTINGS.train.model_copy(update={"epochs": epochs})
    reporting = SETTINGS.reporting.model_copy(update={"status_every": 1})
    config = TrainingConfig(train_settings, reporting, NO_REGULARIZATION, SETTINGS.train.precision)
    trainer = Trainer(model, data, config, Hooks([losses]))
    trainer.run()
    return losses.rows


@pytest.mark.slow
def test_training_matches_the_book_at_every_step():
    shape = Shape(VOCABULARY, UNITS, UNITS, SETTINGS.model.layers, SETTINGS.model.projection_size, SETTINGS.model.tie_weights)
    model = LanguageModel(shape, Initializer(SETTINGS.model.initializer, SETTINGS.model.initializer_scale, 1))
    book = Book({name: variable.numpy() for name, variable in model.weights.items()})
    ids = text()
    chunks = len(ids) // (BATCH * TIME) + 1
    shuffles = [np.random.default_rng([SETTINGS.train.seed, epoch]).permutation(chunks) for epoch in range(1, EPOCHS + 1)]
    expected = book.train(ids, EPOCHS, shuffles)
    rows = train(model, ids, EPOCHS)
    assert len(rows) == len(expected) == EPOCHS * chunks
    assert [row.loss for row in rows] == pytest.approx(expected, rel=1e-5)
    # Our norms are of the summed gradient, as clipping intends. Neither version ever clips here.
    assert [row.gradient_norm for row in rows] == pytest.approx(book.norms, rel=0.02)
    assert max(book.norms) < 4.5


def test_the_preset_has_the_hyperparameters_of_the_book():
    model, train = SETTINGS.model, SETTINGS.train
    assert (SETTINGS.batching.recipe, SETTINGS.batching.batch_size, SETTINGS.batching.sequence_length) == ("cookbook", 100, 50)
    assert (model.embedding_size, model.hidden_size, model.layers) == (128, 128, 1)
    assert (model.initializer, model.initializer_scale, model.unigram_bias) == ("normal", 1.0, False)
    assert regularization(SETTINGS) == NO_REGULARIZATION
    assert (train.epochs, train.optimizer, train.learning_rate, train.clip_norm) == (10, "adam", 0.001, 4.5)
