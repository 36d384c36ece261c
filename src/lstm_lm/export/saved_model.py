"""What a trained model is kept as: plain weights, and the SavedModel, which needs nothing of this project and no Python to run."""

import functools
import json
import unicodedata
from pathlib import Path

import numpy as np
import tensorflow as tf

from lstm_lm.errors import UserError
from lstm_lm.export.graph_tokenizer import GraphText
from lstm_lm.generation import decoding
from lstm_lm.generation.decoding import Settings
from lstm_lm.model import losses
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.model.shape import Shape
from lstm_lm.text.tokenization import vocabulary

# Nothing here is written in the Python that AutoGraph turns into graphs: without it, tracing takes a third of the time.
graph = functools.partial(tf.function, autograph=False)
SIGNATURES = ("initial_state", "score", "step", "generate", "prime", "write")
SENTENCE_ENDS = (".", "!", "?", "<eos>")
APART = 1_000_003  # of the random numbers' keys of two samples of a prompt


class TextModel(tf.Module):
    """A LanguageModel with its vocabulary and its tokeniser in the graph.

    State is one float32 tensor [layers, 2, batch, hidden]. Every method is a signature of the SavedModel.
    """

    def __init__(self, model, tokenizer, vocabulary_file):
        """vocabulary_file: one word a line, line n is id n; an asset of the SavedModel, as is what may be made beside it."""
        super().__init__(name="text_model")
        self.model = model
        self.text = GraphText(tokenizer, vocabulary_file)
        self.ends = sentence_ends(vocabulary.read_tokens(vocabulary_file))
        shape = model.shape
        state = tf.TensorSpec([shape.layers, 2, None, shape.hidden_size], tf.float32, "state")
        many = tf.TensorSpec([None, None], tf.int32, "ids")
        self.initial_state = graph(self._initial_state, input_signature=[tf.TensorSpec([], tf.int32, "batch")])
        self.score = graph(self._score, input_signature=[many, tf.TensorSpec([None, None], tf.int32, "targets"), state])
        one = tf.TensorSpec([shape.layers, 2, 1, shape.hidden_size], tf.float32, "state")
        self.step = graph(self._step, input_signature=[tf.TensorSpec([1, 1], tf.int32, "ids"), one])
        prompts = tf.TensorSpec([None], tf.string, "prompts")
        settings = [
            tf.TensorSpec([], tf.int32, "max_words"),
            tf.TensorSpec([], tf.float32, "temperature"),
            tf.TensorSpec([], tf.int32, "top_k"),
            tf.TensorSpec([], tf.float32, "top_p"),
            tf.TensorSpec([], tf.int32, "seed"),
            tf.TensorSpec([], tf.float32, "min_p"),
            tf.TensorSpec([], tf.float32, "repetition_penalty"),
            tf.TensorSpec([], tf.int32, "no_repeat_ngram"),
            tf.TensorSpec([], tf.bool, "stop_at_sentence_end"),
        ]
        samples, beam_width = tf.TensorSpec([], tf.int32, "samples"), tf.TensorSpec([], tf.int32, "beam_width")
        self.generate = graph(self._generate, input_signature=[prompts, *settings, samples, beam_width])
        self.prime = graph(self._prime, input_signature=[prompts, samples])
        last, keys = tf.TensorSpec([None], tf.int32, "last"), tf.TensorSpec([None], tf.int32, "keys")
        history = tf.TensorSpec([None, None], tf.int32, "history")
        position = tf.TensorSpec([], tf.int32, "position")
        self.write = graph(self._write, input_signature=[last, state, keys, history, position, *settings])

    def _initial_state(self, batch):
        """int32 scalar -> {"state": zeros float32 [layers, 2, batch, hidden]}."""
        return {"state": self.model.initial_state(batch)}

    def _score(self, ids, targets, state):
        """int32 [batch, time] twice, state -> {"nats": float32 [batch, time], "state": next state}."""
        logits, state = self.model(ids, state)
        return {"nats": losses.nats(logits, targets), "state": state}

    def _step(self, ids, state):
        """The batch-1 inference step: int32 [1, 1], state -> {"probabilities": float32 [1, vocabulary], "state": next state}."""
        logits, state = self.model(ids, state)
        return {"probabilities": tf.nn.softmax(logits[:, 0]), "state": state}

    def _generate(
        self,
        prompts,
        max_words,
        temperature,
        top_k,
        top_p,
        seed,
        min_p,
        repetition_penalty,
        no_repeat_ngram,
        stop_at_sentence_end,
        samples,
        beam_width,
    ):
        """Continue texts.

        Args:
            prompts: string [n], UTF-8. Unknown words become `<unk>`; a prompt without any word starts from `<unk>`.
            max_words: int32 scalar, words written after each prompt, at least 0.
            temperature: float32 scalar, 0 is greedy. top_k: int32 scalar, 0 is all. top_p: float32 scalar in (0, 1], 1 is all.
            seed: int32 scalar: the same seed and prompt give the same text, whatever else is in the call.
            min_p, repetition_penalty: float32 scalars, 0 is all and 1 is none. no_repeat_ngram: int32 scalar, 0 is off.
            stop_at_sentence_end: bool scalar; a text ends with the first of SENTENCE_ENDS written, if one of them is a word.
            samples: int32 scalar, texts of each prompt. The first of them are the same, however many there are.
            beam_width: int32 scalar. Above 1, nothing is drawn: the texts are the `samples` best ones of a beam search, at most all of it.
        Returns:
            {"texts": string [n * samples]}, each prompt as it came and the words after it; a prompt's samples are neighbours.
        """
        beam = beam_width > 1
        first = self.prime(prompts, tf.where(beam, 1, samples))
        settings = Settings(temperature, top_k, top_p, min_p, repetition_penalty, no_repeat_ngram, stop_at_sentence_end)

        def searched():
            found = (first["last"], first["state"], first["history"], max_words, beam_width, tf.minimum(samples, beam_width))
            words = decoding.beam_search(self.model, *found, settings, self.ends)
            return self.text.join(_written(words), tf.repeat(first["last"], tf.minimum(samples, beam_width)))

        def written():
            more = max_words, temperature, top_k, top_p, seed, min_p, repetition_penalty, no_repeat_ngram, stop_at_sentence_end
            return self.write(first["last"], first["state"], first["keys"], first["history"], 0, *more)["texts"]

        texts = tf.cond(beam, searched, written)
        begun = tf.repeat(self.text.begun(prompts), tf.where(beam, tf.minimum(samples, beam_width), samples))
        return {"texts": tf.strings.strip(tf.strings.join([begun, texts]))}

    def _prime(self, prompts, samples):
        """Read prompts, for `write` to go on from: what comes after them bit by bit is what `generate` gives at once.

        Args:
            prompts: string [n], as for `generate`.
            samples: int32 scalar, texts to write after each prompt: as many neighbouring rows are its.
        Returns:
            {"last": int32 [n * samples], the last word of each; "state": the state before it; "keys": int32 [n * samples], of their random
            numbers; "history": int32 [n * samples, longest], the ids of each prompt's words, -1 at the left of shorter ones;
            "known": int32 [n], how many of each prompt's words the model knows}
        """
        words = self.text.words(prompts)
        ids = self.text.ids(words)
        lengths = tf.maximum(tf.cast(ids.row_lengths(), tf.int32), 1)
        padded = ids.to_tensor(default_value=0)
        padded = tf.cond(tf.shape(padded)[1] > 0, lambda: padded, lambda: tf.zeros([tf.shape(prompts)[0], 1], tf.int32))
        # Rows with other prompts get other random numbers, or their texts would echo each other.
        keys = tf.strings.to_hash_bucket_fast(tf.strings.reduce_join(words, axis=1, separator=" "), 2**31 - 1)
        sample = tf.range(tf.cast(samples, tf.int64), dtype=tf.int64)
        keys = tf.reshape((keys[:, tf.newaxis] + APART * sample) % (2**31 - 1), [-1])
        last, state = decoding.prime(self.model, padded, lengths)
        return {
            "last": tf.repeat(last, samples),
            "state": tf.repeat(state, samples, axis=2),
            "keys": tf.cast(keys, tf.int32),
            "history": tf.repeat(decoding.text_of(padded, lengths), samples, axis=0),
            "known": self.text.known(ids),
        }

    def _write(
        self,
        last,
        state,
        keys,
        history,
        position,
        max_words,
        temperature,
        top_k,
        top_p,
        seed,
        min_p,
        repetition_penalty,
        no_repeat_ngram,
        stop_at_sentence_end,
    ):
        """Write the next words of texts.

        Args:
            last, state, keys, history: of `prime`; then last, state and history of the `write` before.
            position: int32 scalar, words that were written since `prime`; for a row that has ended, as if it had not.
            max_words, temperature, ...: as for `generate`.
        Returns:
            {"texts": string [n], what goes right behind the text so far, with the space between them; "words": int32 [n, max_words],
            their ids, 0 after a text's end; "last", "state", "history": for the next call}
        """
        settings = Settings(temperature, top_k, top_p, min_p, repetition_penalty, no_repeat_ngram, stop_at_sentence_end)
        noise = decoding.noise(keys, seed, position, max_words)
        ended = tf.logical_and(position > 0, decoding.is_end(last, self.ends))
        written, end, state, history = decoding.write(self.model, last, state, history, ended, noise, settings, self.ends)
        return {"texts": self.text.join(_written(written), last), "words": written, "last": end, "state": state, "history": history}

    def signatures(self):
        """{name: concrete function} of the SavedModel."""
        return {name: getattr(self, name).get_concrete_function() for name in SIGNATURES}

    def save(self, folder):
        """Write the SavedModel."""
        tf.saved_model.save(self, str(folder), signatures=self.signatures())


def _written(ids):
    """What generation wrote, int32 [n, words], where 0 stands for nothing after a text's end: with -1 there."""
    return tf.where(ids > 0, ids, -1)


def sentence_ends(words):
    """The ids of the words that end a sentence, if the vocabulary, in the order of its ids, has any."""
    return [number for number, word in enumerate(words) if word in SENTENCE_ENDS]


def write_words(words, path):
    """Write a vocabulary as `TextModel` reads it, one word a line."""
    Path(path).write_bytes(("\n".join(words) + "\n").encode("utf-8"))
    return path


def save_weights(model, folder, about):
    """Write weights.npz and config.json into `folder`: enough to load the model again, here or in plain NumPy.

    Args:
        model: LanguageModel.
        about: further facts to keep with the weights, such as the precision they were trained in.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "weights.npz", **{name: variable.numpy() for name, variable in model.weights.items()})
    config = {"shape": model.shape.__dict__, **about}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def load_weights(folder):
    """The LanguageModel that `save_weights` wrote."""
    folder = Path(folder)
    model = LanguageModel(Shape(**json.loads((folder / "config.json").read_text(encoding="utf-8"))["shape"]))
    with np.load(folder / "weights.npz") as saved:
        for name, variable in model.weights.items():
            variable.assign(saved[name])
    return model


def load_text_model(folder):
    """The SavedModel that `TextModel.save` wrote.

    Raises:
        UserError: it cannot be loaded.
    """
    try:
        return tf.saved_model.load(str(folder))
    except (tf.errors.OpError, OSError, ValueError, KeyError, IndexError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"the model in {folder} cannot be loaded: {why[:200]}: restore it with dvc checkout --force, or: make repro"
        ) from None


class Generator:
    """Plain Python calls of `generate`, over a TextModel or a loaded SavedModel."""

    def __init__(self, text_model):
        self.text_model = text_model

    def __call__(
        self,
        prompts,
        max_words,
        temperature=0.0,
        top_k=0,
        top_p=1.0,
        seed=0,
        *,
        min_p=0.0,
        repetition_penalty=1.0,
        no_repeat_ngram=0,
        stop_at_sentence_end=False,
        samples=1,
        beam_width=1,
    ):
        """list of str -> list of str, `samples` of each prompt as neighbours. All as in `TextModel.generate`."""
        texts = self.text_model.generate(
            _normalized(prompts),
            tf.constant(max_words, tf.int32),
            tf.constant(temperature, tf.float32),
            tf.constant(top_k, tf.int32),
            tf.constant(top_p, tf.float32),
            tf.constant(seed, tf.int32),
            tf.constant(min_p, tf.float32),
            tf.constant(repetition_penalty, tf.float32),
            tf.constant(no_repeat_ngram, tf.int32),
            tf.constant(stop_at_sentence_end, tf.bool),
            tf.constant(samples, tf.int32),
            tf.constant(beam_width, tf.int32),
        )["texts"]
        return [text.decode("utf-8", errors="replace") for text in texts.numpy()]

    def words(self, first, max_words, temperature, seed):
        """Write texts from one word each, all by the model's own distribution at a temperature.

        Args:
            first: int32 [n], ids. Texts from the same word differ by their place among the n.
            max_words, temperature, seed: as for `generate`.
        Returns:
            int32 [n, max_words], ids of the words after the first.
        """
        state = self.text_model.initial_state(tf.constant(len(first)))["state"]
        last = tf.constant(first, tf.int32)
        plain = (tf.constant(0.0), tf.constant(1.0), tf.constant(0), tf.constant(False))  # min_p and what follows it, off
        wrote = self.text_model.write(
            last,
            state,
            tf.range(len(first)),
            last[:, tf.newaxis],
            tf.constant(0),
            tf.constant(max_words, tf.int32),
            tf.constant(temperature, tf.float32),
            tf.constant(0),
            tf.constant(1.0),
            tf.constant(seed, tf.int32),
            *plain,
        )
        return wrote["words"].numpy()

    def known(self, prompts):
        """How many words of each prompt the model knows, a list of int."""
        return self.text_model.prime(_normalized(prompts), tf.constant(1))["known"].numpy().tolist()


def _normalized(prompts):
    return tf.constant([unicodedata.normalize("NFC", prompt) for prompt in prompts], tf.string)
