"""The cookbook's way to write a text: a batch-1 graph that shares the training graph's variables, one session.run a word.

The case's temperature 0 takes the most probable word, as the book does; 1 draws with NumPy from the probabilities.
"""

import protocol
from cookbook import Graph, facts, tf


def main():
    chosen = protocol.settings()
    sizes = chosen["vocabulary"], chosen["embedding_size"], chosen["hidden_size"]
    scale = chosen["initializer_scale"]
    initializer = tf.random_uniform_initializer(-scale, scale)
    training = Graph(*sizes, chosen["batch_size"], chosen["sequence_length"], initializer)
    training.training_op(0.001, 4.5)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        one = Graph(*sizes, 1, 1, initializer)
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    # So that words are as probable as in a text, without any training.
    training.bias.load(protocol.np.log(protocol.zipf(chosen["vocabulary"])), session)

    def write_one(case, prompt, words, random):
        c, h = one.initial_state
        state = session.run(one.initial_state)
        for word in prompt[:-1]:
            state = session.run(one.final_state, {one.inputs: [[word]], c: state[0], h: state[1]})
        word, written = prompt[-1], []
        for _ in range(words):
            # The book stops at the unknown word; here all write equally many.
            found, state = session.run([one.probabilities, one.final_state], {one.inputs: [[word]], c: state[0], h: state[1]})
            word = protocol.draw(found[0], random) if case["temperature"] else int(protocol.np.argmax(found[0]))
            written.append(word)
        return written

    def write(case, prompts, words):
        random = protocol.np.random.RandomState(1)
        return [write_one(case, prompt, words, random) for prompt in prompts]

    protocol.texts(write, chosen, **facts())


if __name__ == "__main__":
    main()
