"""The SavedModel: strings in, strings out. Running it takes nothing of this project, and no Python."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from lstm_lm.errors import UserError
from lstm_lm.export.graph_tokenizer import GraphTokenizer
from lstm_lm.generation import decoding, option_tensors
from lstm_lm.generation.beam_search import beam_search
from lstm_lm.generation.decoding import Texts
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.options import sentence_end_ids, served_table
from lstm_lm.generation.random_numbers import uniforms
from lstm_lm.generation.text_history import ends_sentence
from lstm_lm.model import losses
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer

# AutoGraph is off because nothing here is written in the Python that it turns into graphs, and tracing takes a third longer with it.
graph = functools.partial(tf.function, autograph=False)
SIGNATURES = ("initial_state", "score", "step", "generate", "prefill", "decode")
DEFAULT_SIGNATURE = "generate"  # also under the name that serving tools look for
TOKENIZER_FILE = "tokenizer.json"  # an asset: whoever checks a prompt before it is sent splits it as the graph does
OPTIONS_FILE = "generation_options.json"  # an asset: whoever loads the SavedModel finds names, defaults and bounds there
SAMPLE_KEY_STEP = 1_000_003  # between the random-number keys of two samples of a prompt
KEYS = 2**31 - 1


class TextModel(tf.Module):
    """A LanguageModel with its vocabulary and its tokenizer in the graph.

    Every public method but `save` and `signatures` is a signature of the SavedModel. `state` is always float32
    [layers, 2, batch, hidden]. `options` is a dict of scalar tensors, one for each row of the table of generation options; in the
    signatures, each option is a separate argument.
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, vocabulary_file: str | Path) -> None:
        """Build the functions; tracing happens when they are first called or saved.

        Args:
            model: the model whose variables the text model uses.
            tokenizer: how prompts become words.
            vocabulary_file: one word a line, line n is id n. It becomes an asset of the SavedModel, and so do files that are written into
                the same folder: the tokenizer and what it needs, and the table of generation options.
        """
        super().__init__(name="text_model")
        self.model = model
        self.tokenizer = GraphTokenizer(tokenizer, vocabulary_file)
        tokenizer_file = Path(vocabulary_file).with_name(TOKENIZER_FILE)
        tokenizer.save(tokenizer_file)
        self.tokenizer_file = tf.saved_model.Asset(str(tokenizer_file))
        options_file = Path(vocabulary_file).with_name(OPTIONS_FILE)
        options_file.write_text(json.dumps(served_table(), indent=1) + "\n", encoding="utf-8")
        self.options_file = tf.saved_model.Asset(str(options_file))
        self.ends = sentence_end_ids(vocabulary.read_tokens(vocabulary_file))
        layers, hidden = model.shape.layers, model.shape.hidden_size
        state = tf.TensorSpec([layers, 2, None, hidden], tf.float32, "state")
        one_state = tf.TensorSpec([layers, 2, 1, hidden], tf.float32, "state")
        prompts, samples = tf.TensorSpec([None], tf.string, "prompts"), tf.TensorSpec([], tf.int32, "samples")
        ids, targets, history = (tf.TensorSpec([None, None], tf.int32, name) for name in ("ids", "targets", "history"))
        last, keys = (tf.TensorSpec([None], tf.int32, name) for name in ("last", "keys"))
        position, batch = (tf.TensorSpec([], tf.int32, name) for name in ("position", "batch"))
        word_options = option_tensors.specs(option_tensors.of_words)
        self.initial_state = graph(self._initial_state, input_signature=[batch])
        self.score = graph(self._score, input_signature=[ids, targets, state])
        self.step = graph(self._step, input_signature=[tf.TensorSpec([1, 1], tf.int32, "ids"), one_state])
        self.generate = graph(self._generate, input_signature=[prompts, option_tensors.specs()])
        self.prefill = graph(self._prefill, input_signature=[prompts, samples])
        self.decode = graph(self._decode, input_signature=[last, state, keys, history, position, word_options])

    def _initial_state(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the state before the first word, which is all zeros, for `batch` rows."""
        return {"state": self.model.initial_state(batch)}

    def _score(self, ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return -ln P(target | the ids before it) for each target, in nats, and the next state."""
        logits, state = self.model(ids, state)
        return {"nats": losses.nats(logits, targets), "state": state}

    def _step(self, ids: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        """Feed one word of one row: the batch-1 inference step. Return the probabilities of the next word, and the next state."""
        logits, state = self.model(ids, state)
        return {"probabilities": tf.nn.softmax(logits[:, 0]), "state": state}

    def _generate(self, prompts: tf.Tensor, options: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Continue texts.

        Args:
            prompts: string [n], UTF-8. Unknown words become `<unk>`; a prompt without any word starts from `<unk>`.
            options: all of them. The same seed and prompt give the same text, whatever other prompts are in the call. The first
                samples of a prompt stay the same if more are requested. With `beam_width` above 1, nothing is sampled: the texts are
                the `samples` most probable ones of a beam search, at most `beam_width`.
        Returns:
            {"texts": string [n * samples]}, each prompt followed by the generated words; the samples of a prompt are adjacent.
        """
        values = OptionTensors(**options)
        is_beam_search = values.beam_width > 1
        best = tf.minimum(values.samples, values.beam_width)
        start = self.prefill(prompts, tf.where(is_beam_search, 1, values.samples))

        def search() -> tf.Tensor:
            words = beam_search(self.model, Texts(start["last"], start["state"], start["history"]), values, self.ends)
            return self.tokenizer.detokenize(_without_padding(words), tf.repeat(start["last"], best))

        def sample() -> tf.Tensor:
            word_options = {name: options[name] for name in option_tensors.specs(option_tensors.of_words)}
            return self.decode(start["last"], start["state"], start["keys"], start["history"], 0, word_options)["texts"]

        texts = tf.cond(is_beam_search, search, sample)
        beginnings = tf.repeat(self.tokenizer.strip(prompts), tf.where(is_beam_search, best, values.samples))
        return {"texts": tf.strings.strip(tf.strings.join([beginnings, texts]))}

    def _prefill(self, prompts: tf.Tensor, samples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Read prompts. `decode` continues from the result: together they return in pieces what `generate` returns at once.

        Args:
            prompts: string [n], as for `generate`.
            samples: int32 scalar, number of texts for each prompt; they become adjacent rows.
        Returns:
            {"last": int32 [n * samples], the last word of each text; "state": the state before it; "keys": int32 [n * samples], the
            random-number key of each row; "history": int32 [n * samples, longest], the ids of each prompt's words, padded on the left
            with -1; "known": int32 [n], how many words of each prompt are in the vocabulary}
        """
        words = self.tokenizer.split_words(prompts)
        ids = self.tokenizer.encode(words)
        lengths = tf.maximum(tf.cast(ids.row_lengths(), tf.int32), 1)
        padded = ids.to_tensor(default_value=0)
        padded = tf.cond(tf.shape(padded)[1] > 0, lambda: padded, lambda: tf.zeros([tf.shape(prompts)[0], 1], tf.int32))
        # Rows with different prompts get different random numbers, or their texts would echo each other.
        keys = tf.strings.to_hash_bucket_fast(tf.strings.reduce_join(words, axis=1, separator=" "), KEYS)
        sample = tf.range(tf.cast(samples, tf.int64), dtype=tf.int64)
        keys = tf.reshape((keys[:, tf.newaxis] + SAMPLE_KEY_STEP * sample) % KEYS, [-1])
        texts = decoding.prefill(self.model, padded, lengths)
        return {
            "last": tf.repeat(texts.last, samples),
            "state": tf.repeat(texts.state, samples, axis=2),
            "keys": tf.cast(keys, tf.int32),
            "history": tf.repeat(texts.history, samples, axis=0),
            "known": self.tokenizer.count_known(ids),
        }

    def _decode(
        self,
        last: tf.Tensor,
        state: tf.Tensor,
        keys: tf.Tensor,
        history: tf.Tensor,
        position: tf.Tensor,
        options: dict[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Generate the next words of texts.

        Args:
            last, state, keys, history: from `prefill`; in later calls, last, state and history from the previous `decode`.
            position: int32 scalar, number of words requested since `prefill`, including those of rows that have ended.
            options: all but `samples` and `beam_width`.
        Returns:
            {"texts": string [n], to append to the text so far, including any space between them; "words": int32 [n, max_words], their
            ids, 0 after the end of a text; "last", "state", "history": for the next call}
        """
        values = OptionTensors(**options)
        numbers = uniforms(keys, values.seed, position, values.max_words)
        ended = tf.logical_and(position > 0, ends_sentence(last, self.ends))
        words, texts = decoding.generate(self.model, Texts(last, state, history), ended, numbers, values, self.ends)
        return {"texts": self.tokenizer.detokenize(_without_padding(words), last), "words": words, **texts._asdict()}

    def signatures(self) -> dict[str, Any]:
        """{name: tf.function} of the SavedModel.

        They are not traced here: TensorFlow would trace them once more while it saves.
        """
        functions = {name: getattr(self, name) for name in SIGNATURES}
        return {**functions, tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: functions[DEFAULT_SIGNATURE]}

    def save(self, folder: str | Path) -> None:
        """Write the SavedModel."""
        tf.saved_model.save(self, str(folder), signatures=self.signatures())


def load_text_model(folder: str | Path) -> Any:
    """Load the SavedModel that `TextModel.save` wrote.

    Raises:
        UserError: it cannot be loaded.
    """
    try:
        return tf.saved_model.load(str(folder))
    except (tf.errors.OpError, OSError, ValueError, KeyError, IndexError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"the model in {folder} cannot be loaded: {reason[:200]}: restore it with dvc checkout --force, or: make repro"
        ) from None


def save_vocabulary(words: Sequence[str], path: Path) -> Path:
    """Write a vocabulary as `TextModel` reads it, one word a line, and return its path."""
    path.write_bytes(("\n".join(words) + "\n").encode("utf-8"))
    return path


def _without_padding(words: tf.Tensor) -> tf.Tensor:
    """Generated words, int32 [n, words], with -1 in place of the 0 that means no word after the end of a text."""
    return tf.where(words > 0, words, -1)
