"""The same model from Keras' own layers, with `train_on_batch`; "jit" compiles it with XLA."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import tensorflow as tf
from keras import layers

import protocol


def build(chosen):
    """Embedding, LSTM, softmax; on request dropout, a projection, and a softmax that shares the embedding's weights."""
    scale = chosen["initializer_scale"]
    uniform = keras.initializers.RandomUniform(-scale, scale)
    dropout, projection = chosen["dropout"], chosen["projection_size"]
    tied = chosen["tie_weights"]
    ids = keras.Input(batch_shape=(chosen["batch_size"], chosen["sequence_length"]), dtype="int32")
    table = (layers.ReversibleEmbedding if tied else layers.Embedding)(
        chosen["vocabulary"], chosen["embedding_size"], embeddings_initializer=uniform
    )
    x = table(ids)
    if dropout:
        x = layers.SpatialDropout1D(dropout)(x)  # one mask for all words of a window
    x = layers.LSTM(chosen["hidden_size"], return_sequences=True, stateful=True)(x)
    if dropout:
        x = layers.SpatialDropout1D(dropout)(x)
    if projection:
        x = layers.Dense(projection, use_bias=False, kernel_initializer=uniform)(x)
    logits = table(x, reverse=True) if tied else layers.Dense(chosen["vocabulary"], kernel_initializer=uniform)(x)
    return keras.Model(ids, logits)


def main():
    chosen = protocol.settings()
    keras.utils.set_random_seed(1)
    model = build(chosen)
    optimizer = (
        keras.optimizers.AdamW(chosen["learning_rate"], weight_decay=chosen["weight_decay"], global_clipnorm=chosen["clip_norm"])
        if chosen["weight_decay"]
        else keras.optimizers.Adam(chosen["learning_rate"], global_clipnorm=chosen["clip_norm"])
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=chosen["jit"])

    def step(inputs, targets):
        # What train_on_batch returns is a running mean, until it is reset.
        model.reset_metrics()
        return model.train_on_batch(inputs, targets)

    protocol.train(step, chosen, version="Keras " + keras.__version__ + ", TensorFlow " + tf.__version__)


if __name__ == "__main__":
    main()
