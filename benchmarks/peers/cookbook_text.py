"""Generation as in the cookbook: a batch-1 graph that shares the training graph's variables, one session.run per word.

Temperature 0 takes the most probable word, as the book does. Temperature 1 samples with NumPy from the probabilities.
"""

from typing import List

import numpy as np

import protocol
from cookbook import Graph, facts, sizes_of, tf


def main() -> None:
    """Serve generation."""
    config = protocol.settings()
    sizes, scale = sizes_of(config), config["initializer_scale"]
    training = Graph(sizes, scale)
    training.training_op(0.001, 4.5)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        inference = Graph(sizes._replace(batch_size=1, sequence_length=1), scale)
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    # Without any training, the bias makes words as probable as in a text.
    training.bias.load(np.log(protocol.zipf(config["vocabulary"])), session)

    def generate_text(case: protocol.Case, prompt: List[int], words: int, random: np.random.RandomState) -> List[int]:
        c, h = inference.initial_state
        state = session.run(inference.initial_state)
        for word in prompt[:-1]:
            state = session.run(inference.final_state, {inference.inputs: [[word]], c: state[0], h: state[1]})
        word, text = prompt[-1], []
        for _ in range(words):
            # The book stops at the unknown word. Here all systems generate equally many words.
            feed = {inference.inputs: [[word]], c: state[0], h: state[1]}
            probabilities, state = session.run([inference.probabilities, inference.final_state], feed)
            word = protocol.draw(probabilities[0], random) if case["temperature"] else int(np.argmax(probabilities[0]))
            text.append(word)
        return text

    def generate_texts(case: protocol.Case, prompts: protocol.Prompts, words: int) -> List[List[int]]:
        random = np.random.RandomState(1)
        return [generate_text(case, prompt, words, random) for prompt in prompts]

    protocol.generate(generate_texts, config, **facts())


if __name__ == "__main__":
    main()
