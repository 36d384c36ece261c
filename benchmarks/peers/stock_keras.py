"""The same model from Keras' own layers, trained with `train_on_batch`. The setting "jit" compiles it with XLA."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import numpy as np
import tensorflow as tf
from keras import layers

import protocol


def build(config: protocol.Settings) -> keras.Model:
    """Build embedding, LSTM and softmax, with dropout, a projection and tied weights as the settings require."""
    scale = config["initializer_scale"]
    uniform = keras.initializers.RandomUniform(-scale, scale)
    dropout, projection = config["dropout"], config["projection_size"]
    tied = config["tie_weights"]
    ids = keras.Input(batch_shape=(config["batch_size"], config["sequence_length"]), dtype="int32")
    embedding = (layers.ReversibleEmbedding if tied else layers.Embedding)(
        config["vocabulary"], config["embedding_size"], embeddings_initializer=uniform
    )
    x = embedding(ids)
    if dropout:
        x = layers.SpatialDropout1D(dropout)(x)  # one mask for all words of a window
    x = layers.LSTM(config["hidden_size"], return_sequences=True, stateful=True)(x)
    if dropout:
        x = layers.SpatialDropout1D(dropout)(x)
    if projection:
        x = layers.Dense(projection, use_bias=False, kernel_initializer=uniform)(x)
    logits = embedding(x, reverse=True) if tied else layers.Dense(config["vocabulary"], kernel_initializer=uniform)(x)
    return keras.Model(ids, logits)


def main() -> None:
    """Serve a training."""
    config = protocol.settings()
    keras.utils.set_random_seed(1)
    model = build(config)
    optimizer = (
        keras.optimizers.AdamW(config["learning_rate"], weight_decay=config["weight_decay"], global_clipnorm=config["clip_norm"])
        if config["weight_decay"]
        else keras.optimizers.Adam(config["learning_rate"], global_clipnorm=config["clip_norm"])
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=config["jit"])

    def step(inputs: np.ndarray, targets: np.ndarray) -> float:
        # train_on_batch returns a running mean until the metrics are reset.
        model.reset_metrics()
        return float(model.train_on_batch(inputs, targets))

    protocol.train(step, config, version="Keras " + keras.__version__ + ", TensorFlow " + tf.__version__)


if __name__ == "__main__":
    main()
