"""The SavedModel: strings in, strings out. Running it takes nothing of this project, and no Python."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from lstm_lm.errors import UserError
from lstm_lm.export.graph_tokenizer import GraphTokenizer
from lstm_lm.generation import decoding, logits, option_tensors, text_history
from lstm_lm.generation.beam_search import beam_search
from lstm_lm.generation.decoding import Extras, Generation, Texts
from lstm_lm.generation.decoding_loop import Generated
from lstm_lm.generation.loops import GENERAL, LOOPS, served_loops
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.options import sentence_end_ids, served_table
from lstm_lm.model import losses
from lstm_lm.model.mixture import Predictor, state_spec
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer

# AutoGraph is off because nothing here is written in the Python that it turns into graphs, and tracing takes a third longer with it.
graph = partial(tf.function, autograph=False)
# Without inlining, TensorFlow optimizes a function when it first runs.
lazy = partial(graph, experimental_attributes={"_noinline": True})
SIGNATURES = ("initial_state", "score", "step", "generate", "prefill", "decode", "score_texts", "next_words")
DEFAULT_SIGNATURE = "generate"  # also under the name that serving tools look for
TOKENIZER_FILE = "tokenizer.json"  # an asset: whoever checks a prompt before it is sent splits it as the graph does
OPTIONS_FILE = "generation_options.json"  # an asset: whoever loads the SavedModel finds names, defaults and bounds there
SAMPLE_KEY_STEP = 1_000_003  # between the random-number keys of two samples of a prompt
KEYS = 2**53 - 111  # a prime number; JSON has no larger whole numbers


class TextModel(tf.Module):
    """A language model, an ensemble of some, or a mixture with n-grams, with its vocabulary and its tokenizer in the graph.

    Every public method but `prepare`, `prefill_prepared`, `save` and `signatures` is a signature of the SavedModel. `state` is always
    float32 [layers, 2, batch, hidden], with the layers of all members, and one for n-grams. `options` is a dict of vectors, one for each
    row of the table of generation options, with one value for each prompt or text; in the signatures, each one is a separate argument.

    `prepare`, `prefill_prepared` and `loops` are functions of the loaded SavedModel, for programs that call it many times: what depends
    on the weights alone is computed once, and the loop over words is chosen outside of the graph.

    Attributes:
        loops: a function for each loop over words, by its name; see `_run_loop`.
    """

    def __init__(self, model: Predictor, tokenizer: Tokenizer, vocabulary_file: str | Path) -> None:
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
        options_file.write_text(json.dumps({**served_table(), "loops": served_loops()}, indent=1) + "\n", encoding="utf-8")
        self.options_file = tf.saved_model.Asset(str(options_file))
        self.ends = sentence_end_ids(vocabulary.read_tokens(vocabulary_file))
        state, one_state = state_spec(model, None), state_spec(model, 1)
        prompts, samples = tf.TensorSpec([None], tf.string, "prompts"), tf.TensorSpec([None], tf.int32, "samples")
        ids, targets, history = (tf.TensorSpec([None, None], tf.int32, name) for name in ("ids", "targets", "history"))
        last, position = (tf.TensorSpec([None], tf.int32, name) for name in ("last", "position"))
        keys, batch, k = tf.TensorSpec([None], tf.int64, "keys"), tf.TensorSpec([], tf.int32, "batch"), tf.TensorSpec([], tf.int32, "k")
        word_options = option_tensors.specs(option_tensors.of_words)
        texts = [last, state, keys, history, position, word_options]
        self.initial_state = graph(self._initial_state, input_signature=[batch])
        self.score = graph(self._score, input_signature=[ids, targets, state])
        self.step = graph(self._step, input_signature=[tf.TensorSpec([1, 1], tf.int32, "ids"), one_state])
        self.generate = graph(self._generate, input_signature=[prompts, option_tensors.specs()])
        self.prefill = graph(self._prefill, input_signature=[prompts, samples])
        self.decode = graph(self._decode, input_signature=texts)
        self.score_texts = graph(self._score_texts, input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        self.next_words = graph(self._next_words, input_signature=[prompts, k])
        self.prepare = graph(self._prepare, input_signature=[])
        self.prepared = logits.specs(model)
        self.prefill_prepared = graph(self._prefill_prepared, input_signature=[prompts, samples, self.prepared])
        inputs = {tensor.name: tensor for tensor in texts[:-1]} | self.prepared | word_options | _extras_specs()
        self.loops = {
            name: lazy(partial(self._run_loop, name), input_signature=[{key: inputs[key] for key in self._loop_inputs(name)}])
            for name in LOOPS
        }

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
            options: all of them, vectors [n]. The same seed and prompt give the same text, whatever other prompts are in the call. The
                first samples of a prompt stay the same if more are requested. With `beam_width` above 1, nothing is sampled: the texts
                are the `samples` most probable ones of a beam search, at most `beam_width`; `beam_width`, `samples` and `max_words` must
                then be the same for all prompts, and texts that differ in probability by a rounding error may come in another order.
        Returns:
            {"texts": string [sum of samples]}, each prompt followed by the generated words; the samples of a prompt are adjacent.
        """
        values = OptionTensors(**options)
        is_beam_search = tf.reduce_any(values.beam_width > 1)
        samples = tf.where(is_beam_search, tf.minimum(values.samples, values.beam_width), values.samples)
        start = self.prefill(prompts, tf.where(is_beam_search, 1, samples))

        def search() -> tf.Tensor:
            words = beam_search(self.model, Texts(start["last"], start["state"], start["history"]), values, self.ends)
            return self._detokenize(words, tf.repeat(start["last"], samples))

        def sample() -> tf.Tensor:
            repeated = {name: tf.repeat(options[name], samples) for name in option_tensors.specs(option_tensors.of_words)}
            start_position = tf.zeros_like(start["last"])
            return self.decode(start["last"], start["state"], start["keys"], start["history"], start_position, repeated)["texts"]

        texts = tf.cond(is_beam_search, lazy(search), lazy(sample))
        beginnings = tf.repeat(self.tokenizer.strip(prompts), samples)
        return {"texts": tf.strings.strip(tf.strings.join([beginnings, texts]))}

    def _prefill(self, prompts: tf.Tensor, samples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Read prompts. `decode` continues from the result: together they return in pieces what `generate` returns at once.

        Args:
            prompts: string [n], as for `generate`.
            samples: int32 [n], number of texts for each prompt; they become adjacent rows.
        Returns:
            {"last": int32 [rows], the last word of each text; "state": the state before it; "keys": int64 [rows], the random-number key
            of each row; "history": int32 [rows, longest], the ids of each prompt's words, padded on the left with -1; "known" and
            "words": int32 [n], how many words of each prompt are in the vocabulary, and how many there are}
        """
        return self._prefill_prepared(prompts, samples, None)

    def _prefill_prepared(self, prompts: tf.Tensor, samples: tf.Tensor, prepared: dict[str, tf.Tensor] | None) -> dict[str, tf.Tensor]:
        """Read prompts as `prefill` does.

        Args:
            prompts, samples: as for `prefill`.
            prepared: from `prepare`; None computes what is needed of it.
        """
        words = self.tokenizer.split_words(prompts)
        ids = self.tokenizer.encode(words)
        padded, lengths = _padded(ids)
        # Rows with different prompts get different random numbers, or their texts would echo each other.
        keys = tf.strings.to_hash_bucket_fast(tf.strings.reduce_join(words, axis=1, separator=" "), KEYS)
        sample = tf.cast(tf.ragged.range(samples).flat_values, tf.int64)
        texts = decoding.prefill(self.model, padded, lengths, prepared)
        return {
            "last": tf.repeat(texts.last, samples),
            "state": tf.repeat(texts.state, samples, axis=2),
            "keys": (tf.repeat(keys, samples) + SAMPLE_KEY_STEP * sample) % KEYS,
            "history": tf.repeat(texts.history, samples, axis=0),
            "known": self.tokenizer.count_known(ids),
            "words": tf.cast(ids.row_lengths(), tf.int32),
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
            position: int32 [rows], number of words generated in each text since `prefill`.
            options: all but `samples` and `beam_width`, vectors [rows].
        Returns:
            {"texts": string [rows], to append to the text so far, including any space between them; "words": int32 [rows, words], as many
            as the largest `max_words`, their ids, 0 after the end of a text; "last", "state", "history": for the next call}
        """
        extras, prepared = Extras.none(tf.shape(last)[0]), logits.prepare(self.model, tf.shape(last)[0])
        texts = {"last": last, "state": state, "keys": keys, "history": history, "position": position}
        inputs = texts | prepared | options | vars(extras)

        def run(name: str) -> Generated:
            outputs = self.loops[name]({key: inputs[key] for key in self._loop_inputs(name)})
            return Generated(**{field: outputs[field] for field in Generated._fields})

        generation = Generation(self.model, prepared, self.ends)
        values = OptionTensors(**options)
        generated, history = generation.generate(Texts(last, state, history), keys, position, values, extras, run)
        return {
            "texts": self._detokenize(generated.words, last),
            "words": generated.words,
            "last": generated.last,
            "state": generated.state,
            "history": history,
        }

    def _prepare(self) -> dict[str, tf.Tensor]:
        """Compute what depends on the weights alone: tensors by name."""
        return logits.prepare(self.model)

    def _run_loop(self, name: str, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Generate the next words of texts, as `decode` does, with one of the loops.

        Args:
            name: of the loop. The table of options says what each can do.
            inputs: what `prepare` returns; "last", "state", "keys", "position" as for `decode`; "max_words" and the options of the loop.
                Loops that look back take the "history", the general loop "bias_ids", int32 [rows, any], words whose logits get a bias, 0
                for none, "bias_values", float32 [rows, any], and "top", int32 scalar: return log probabilities, those of this many most
                probable words too; below 0, none.
        Returns:
            What `decode` returns but "history", and {"log_probabilities": float32 [rows, words], of the words under the model alone (at
            temperature 1, without penalties and filters); "top_words": int32 [rows, words, top]; "top_log_probabilities": float32
            [rows, words, top]}. These have no words if `top` is below 0. "history" is returned by loops that look back. But for the
            general loop, "last" and "state" are those after the largest `max_words` in all rows.
        """
        rows = tf.shape(inputs["last"])[0]
        options = option_tensors.with_others_off({option: inputs[option] for option in _loop_options(name)}, rows)
        extras = Extras(**{extra: inputs[extra] for extra in _extras_specs()}) if name == GENERAL else Extras.none(rows)
        history = inputs.get("history", tf.zeros([rows, 0], tf.int32))
        keys, position = inputs.get("keys", tf.zeros([rows], tf.int64)), inputs.get("position", tf.zeros([rows], tf.int32))
        texts = Texts(inputs["last"], inputs["state"], history)
        prepared = {key: inputs[key] for key in self.prepared}
        generated = Generation(self.model, prepared, self.ends).run_loop(name, texts, keys, position, options, extras)
        outputs = {"texts": self._detokenize(generated.words, texts.last), **generated._asdict()}
        return outputs | ({"history": text_history.join(history, generated.words)} if "history" in inputs else {})

    def _loop_inputs(self, name: str) -> list[str]:
        """The inputs that a loop takes: no others, because each one takes time in a call."""
        features = LOOPS[name].features
        inputs = ["last", "state", *_loop_options(name), *self.prepared]
        inputs += ["keys", "position"] if features.filters is not None else []
        inputs += ["history"] if features.general or features.penalty else []
        return inputs + (list(_extras_specs()) if features.general else [])

    def _detokenize(self, words: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        return self.tokenizer.detokenize(_without_padding(words), last)

    def _score_texts(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score texts: how surprising the model finds each of their words.

        Args:
            texts: string [n], UTF-8.
        Returns:
            {"tokens": string [n, longest], the words as the model sees them, padded with ""; "ids": int32 [n, longest], 0 for unknown
            words, padded with -1; "nats": float32 [n, longest], -ln P(word | the words before it), NaN for the first word of each text,
            which is given, and in the padding}
        """
        words = self.tokenizer.split_words(texts)
        encoded = self.tokenizer.encode(words)
        ids = encoded.to_tensor(default_value=-1)
        tokens = words if self.tokenizer.is_of_words else encoded.with_values(self.tokenizer.tokens_of(encoded.values))
        return {"tokens": tokens.to_tensor(default_value=""), "ids": ids, "nats": decoding.score(self.model, ids)}

    def _next_words(self, prompts: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the most probable next words after prompts, under the model alone.

        Args:
            prompts: string [n], as for `generate`.
            k: int32 scalar, how many words, at most the number of words of the vocabulary.
        Returns:
            {"words": string [n, k], the most probable first, `<unk>` left out; "ids": int32 [n, k]; "log_probabilities": float32 [n, k];
            "unknown": float32 [n], the log probability of `<unk>`}
        """
        padded, lengths = _padded(self.tokenizer.encode(self.tokenizer.split_words(prompts)))
        texts = decoding.prefill(self.model, padded, lengths)
        hidden, _ = self.model.step(texts.last, self.model.states(texts.state))
        log_probabilities = tf.nn.log_softmax(self.model.logits(hidden))
        values, ids = tf.math.top_k(log_probabilities[:, 1:], tf.minimum(k, self.model.shape.vocabulary_size - 1))
        return {
            "words": self.tokenizer.tokens_of(ids + 1),
            "ids": ids + 1,
            "log_probabilities": values,
            "unknown": log_probabilities[:, 0],
        }

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


def _padded(ids: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Tokens, ragged int32 [n, any], as `decoding.prefill` takes them. A text without any token becomes a single `<unk>`."""
    lengths = tf.maximum(tf.cast(ids.row_lengths(), tf.int32), 1)
    padded = ids.to_tensor(default_value=0)
    padded = tf.cond(tf.shape(padded)[1] > 0, lambda: padded, lambda: tf.zeros([ids.nrows(), 1], tf.int32))
    return padded, lengths


def _loop_options(name: str) -> list[str]:
    """The options that a loop takes: the general one takes all."""
    return list(option_tensors.specs(option_tensors.of_words)) if name == GENERAL else ["max_words", *LOOPS[name].options]


def _extras_specs() -> dict[str, tf.TensorSpec]:
    return {
        "bias_ids": tf.TensorSpec([None, None], tf.int32, "bias_ids"),
        "bias_values": tf.TensorSpec([None, None], tf.float32, "bias_values"),
        "top": tf.TensorSpec([], tf.int32, "top"),
    }


def _without_padding(words: tf.Tensor) -> tf.Tensor:
    """Generated words, int32 [n, words], with -1 in place of the 0 that means no word after the end of a text."""
    return tf.where(words > 0, words, -1)
