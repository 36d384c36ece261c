"""Generation in a minimal tf.while_loop over the weights as constants, sampled by one long cumulative sum."""

from typing import Any, Dict, List

import numpy as np
import tensorflow as tf

import protocol


def build(config: protocol.Settings, greedy: bool) -> Any:
    """Return a function from (prompts int32 [rows, words], int32 scalar number of words) to int32 [rows, words]."""
    weights = {name: tf.constant(value) for name, value in protocol.random_weights(config).items()}
    hidden = config["hidden_size"]

    def step(words: Any, h: Any, c: Any) -> Any:
        z = tf.gather(weights["embedding"], words) @ weights["kernel"] + h @ weights["recurrent"] + weights["bias"]
        i, f, g, o = tf.split(z, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    def next_words(h: Any) -> Any:
        x = h @ weights["projection"] if "projection" in weights else h
        logits = tf.matmul(x, weights["softmax"], transpose_b=True) + weights["softmax_bias"]
        logits = logits[:, 1:]  # <unk> is never generated
        if greedy:
            return 1 + tf.argmax(logits, axis=1, output_type=tf.int32)
        cumulative = tf.cumsum(tf.exp(logits - tf.reduce_max(logits, axis=1, keepdims=True)), axis=1)
        bounds = tf.random.uniform([tf.shape(h)[0], 1]) * cumulative[:, -1:]
        return 1 + tf.searchsorted(cumulative, bounds)[:, 0]

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, protocol.PROMPT_WORDS], tf.int32), tf.TensorSpec([], tf.int32)])
    def generate(prompts: Any, count: Any) -> Any:
        h = c = tf.zeros([tf.shape(prompts)[0], hidden])
        for t in range(protocol.PROMPT_WORDS - 1):
            h, c = step(prompts[:, t], h, c)

        def body(t: Any, last: Any, h: Any, c: Any, texts: Any) -> Any:
            h, c = step(last, h, c)
            word = next_words(h)
            return t + 1, word, h, c, texts.write(t, word)

        last = prompts[:, -1]
        texts = tf.TensorArray(tf.int32, size=count, element_shape=last.shape)
        loop = tf.while_loop(lambda t, *_: t < count, body, (0, last, h, c, texts), parallel_iterations=1)
        return tf.transpose(loop[-1].stack())

    return generate


def main() -> None:
    """Serve generation."""
    config = protocol.settings()
    tf.config.threading.set_intra_op_parallelism_threads(config["threads"])
    loops = {greedy: build(config, greedy) for greedy in (False, True)}

    def generate_texts(case: Dict[str, Any], prompts: protocol.Prompts, words: int) -> List[List[int]]:
        return loops[case["temperature"] == 0](tf.constant(np.array(prompts, np.int32)), tf.constant(words)).numpy().tolist()

    protocol.generate(generate_texts, config, version="TensorFlow " + tf.__version__)


if __name__ == "__main__":
    main()
