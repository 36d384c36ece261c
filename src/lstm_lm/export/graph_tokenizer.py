"""Text to token ids and back in TensorFlow's graph. It does what Tokenizer does, and running it takes no code of this project.

The vocabulary is an asset of the SavedModel, and so are the merges of subwords.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import tensorflow as tf

from lstm_lm.export.graph_normalization import make_graph_normalization
from lstm_lm.text.tokenization import bpe, surface, vocabulary
from lstm_lm.text.tokenization.symbols import BOUNDARY, NEWLINE_TOKEN, UNKNOWN, UNKNOWN_MARKER, WHITE_SPACE, Rule
from lstm_lm.text.tokenization.tokenizer import Tokenizer

NO_MERGE = 2**62


class GraphTokenizer(tf.Module):
    """Does with tensors what a Tokenizer does with Python's strings, for one vocabulary."""

    def __init__(self, tokenizer: Tokenizer, vocabulary_file: str | Path) -> None:
        """Read the vocabulary.

        Args:
            tokenizer: the rules.
            vocabulary_file: one token a line, line n is id n; it becomes an asset of the SavedModel. The merges of subwords are written
                into the same folder and become one too.
        """
        super().__init__(name="graph_tokenizer")
        self.tokenizer = tokenizer
        self.vocabulary_file = tf.saved_model.Asset(str(vocabulary_file))
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        path = self.vocabulary_file.asset_path
        self.id_of = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(path, tf.string, line, tf.int64, number), default_value=0)
        self.word_of = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(path, tf.int64, number, tf.string, line), default_value="")
        tokens = vocabulary.read_tokens(vocabulary_file)
        self._spaces = [i for i, token in enumerate(tokens) if token in (" ", bpe.SPACE)]
        if tokenizer.unit == "subword":
            self._load_merges(tokens, vocabulary_file)

    def split_words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """As Tokenizer.split_words: string [n] -> ragged string [n, words]."""
        # Bytes that are not UTF-8 become U+FFFD, and so do control characters, at a zero byte of which some operations would end a text.
        if self.tokenizer.rules_before_normalization:
            texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
            texts = _replace(texts, self.tokenizer.rules_before_normalization)
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", replace_control_characters=True)
        normalize = make_graph_normalization(lowercase=self.tokenizer.lowercase, keep_unassigned=self.tokenizer.keeps_unassigned_characters)
        return tf.strings.split(_replace(normalize(texts), self.tokenizer.rules_after_normalization))

    def encode(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """The ids of the tokens of words: ragged string [n, words] -> ragged int32 [n, tokens]."""
        if self.tokenizer.unit == "word":
            return tf.cast(self.id_of.lookup(words), tf.int32)
        pretokens = self._pretokens(words)
        if self.tokenizer.unit == "char":
            return tf.cast(self._character_ids(tf.strings.regex_replace(pretokens, BOUNDARY, "")), tf.int32)
        chunks = tf.strings.split(pretokens, BOUNDARY)  # ragged [n, chunks]
        return chunks.with_values(self._merge(chunks.values)).merge_dims(1, 2)

    @property
    def is_of_words(self) -> bool:
        """Whether a token is a word, as `split_words` returns it."""
        return self.tokenizer.unit == "word"

    def tokens_of(self, ids: tf.Tensor) -> tf.Tensor:
        """Tokens by their ids: int32 [...] -> string [...]."""
        return self.word_of.lookup(tf.cast(ids, tf.int64))

    def detokenize(self, ids: tf.Tensor, previous: tf.Tensor) -> tf.Tensor:
        """As Tokenizer.detokenize: the text of ids, with a space in front if it needs one after the text before it.

        Args:
            ids: int32 [n, tokens], below 0 for no token.
            previous: int32 [n], the id before them.
        Returns:
            string [n]
        """
        tokens = self.word_of.lookup(tf.cast(ids, tf.int64))
        before = self.word_of.lookup(tf.cast(previous, tf.int64))
        if self.tokenizer.unit == "word":
            texts = tf.strings.reduce_join(tf.where(ids >= 0, self._delimit(tokens), ""), axis=1)
            if self.tokenizer.plain_words:
                return texts
            texts = _replace(tf.strings.join([BOUNDARY, before, BOUNDARY, texts]), self._detokenization_rules)
            return _replace(texts, [(f"^{BOUNDARY}[^{BOUNDARY}]*{BOUNDARY}", ""), (BOUNDARY, "")])
        texts = tf.strings.reduce_join(tf.where(tokens == NEWLINE_TOKEN, "\n", tokens), axis=1)
        if self.tokenizer.unit == "char":
            return texts
        texts = _replace(texts, [(bpe.SPACE, " "), ("\n ", "\n")])
        return tf.where(before == NEWLINE_TOKEN, tf.strings.regex_replace(texts, "^ ", ""), texts)

    def strip(self, texts: tf.Tensor) -> tf.Tensor:
        """Remove the white space around texts, string [n], but not a newline at the end where newlines are words."""
        if not self.tokenizer.newlines:
            return tf.strings.strip(texts)
        return tf.strings.regex_replace(texts, f"^[{WHITE_SPACE}]+|[{WHITE_SPACE.replace(chr(10), '')}]+$", "")

    def count_known(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Count the tokens other than `<unk>` and single spaces: ragged int32 [n, tokens] -> int32 [n]."""
        is_known = tf.reduce_all(ids.values[:, tf.newaxis] != [[0, *self._spaces]], axis=1)
        return tf.reduce_sum(ids.with_values(tf.cast(is_known, tf.int32)), axis=1)

    @property
    def _detokenization_rules(self) -> list[Rule]:
        return surface.detokenization_rules(self.tokenizer.punctuation, self.tokenizer.newlines, self.tokenizer.unit)

    def _delimit(self, words: tf.Tensor) -> tf.Tensor:
        """Put a space before each word and, where rules need them, BOUNDARY characters around it."""
        boundary = "" if self.tokenizer.plain_words and self.tokenizer.unit == "word" else BOUNDARY
        return tf.strings.join([f" {boundary}", words, boundary])

    def _pretokens(self, words: tf.RaggedTensor) -> tf.Tensor:
        """Ragged string [n, words] -> string [n], Tokenizer.pretokens with BOUNDARY characters between them.

        With subwords, pre-tokens are split into chunks, as by bpe.chunks.
        """
        texts = tf.strings.reduce_join(self._delimit(words), axis=1)
        if self.tokenizer.newlines:
            texts = tf.strings.join([f"{BOUNDARY}{NEWLINE_TOKEN}{BOUNDARY}", texts])
        texts = _replace(texts, self._detokenization_rules)
        if self.tokenizer.newlines:
            texts = tf.strings.regex_replace(texts, f"^{BOUNDARY}\n{BOUNDARY}", "")
        if self.tokenizer.unit == "char":
            return texts
        return _replace(
            texts,
            [
                (f" {BOUNDARY}{UNKNOWN}{BOUNDARY}", f"{BOUNDARY}{UNKNOWN_MARKER}{BOUNDARY}"),
                (f" {BOUNDARY}", f"{BOUNDARY}{bpe.SPACE}"),
                (f"([^{BOUNDARY}]{{{bpe.MAX_LENGTH}}})", rf"\1{BOUNDARY}"),
                (f"{BOUNDARY}+", BOUNDARY),
                (f"^{BOUNDARY}|{BOUNDARY}$", ""),
            ],
        )

    def _character_ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """string [n] -> ragged int64 [n, characters]."""
        characters = tf.strings.unicode_split(texts, "UTF-8")
        return self.id_of.lookup(characters.with_values(tf.where(characters.values == "\n", NEWLINE_TOKEN, characters.values)))

    def _load_merges(self, tokens: Sequence[str], vocabulary_file: str | Path) -> None:
        """Make the table of merges: a pair of ids, as one number -> the pair's rank and the merged id, as one number."""
        ids = {token: i for i, token in enumerate(tokens)}
        self._size = len(tokens)
        lines = [
            f"{left * self._size + right}\t{rank * self._size + merged}\n"
            for left, right, rank, merged in bpe.merges({subword: ids[subword] for subword in self.tokenizer.subwords})
        ]
        path = Path(vocabulary_file).with_name("merges.txt")
        path.write_text("".join(lines), encoding="utf-8")
        self.merges_file = tf.saved_model.Asset(str(path))
        columns = tf.lookup.TextFileInitializer(self.merges_file.asset_path, tf.int64, 0, tf.int64, 1, delimiter="\t")
        self.merge_of = tf.lookup.StaticHashTable(columns, default_value=NO_MERGE)

    def _merge(self, chunks: tf.Tensor) -> tf.RaggedTensor:
        """As bpe.split: string [chunks], at most bpe.MAX_LENGTH characters each -> ragged int32 [chunks, subwords]."""
        characters = self._character_ids(chunks)
        lengths = characters.row_lengths()
        ids = tf.pad(characters.to_tensor(default_value=0), [[0, 0], [0, 2]])  # [chunks, characters + 2]: never too narrow for a pair
        places = tf.range(tf.shape(ids, tf.int64)[1])[tf.newaxis]  # [1, characters + 2]
        never = tf.constant(NO_MERGE, tf.int64)

        def merge_best_pair(ids: tf.Tensor, lengths: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            """In every chunk, merge the pair with the best rank."""
            pairs = ids[:, :-1] * self._size + ids[:, 1:]
            is_pair = places[:, 1:] < lengths[:, tf.newaxis]
            ranked = tf.where(is_pair, self.merge_of.lookup(pairs), never)
            best = tf.reduce_min(ranked, axis=1, keepdims=True)  # [chunks, 1]
            merges = best < never
            at = tf.reduce_min(tf.where(ranked == best, places[:, :-1], never), axis=1, keepdims=True)  # the leftmost
            shifted = tf.pad(ids[:, 1:], [[0, 0], [0, 1]])
            after = tf.where(places < at, ids, tf.where(places == at, best % self._size, shifted))
            return tf.where(merges, after, ids), lengths - tf.cast(merges[:, 0], tf.int64), tf.reduce_any(merges)

        shapes = tf.TensorShape([None, None]), tf.TensorShape([None]), tf.TensorShape([])
        ids, lengths, _ = tf.while_loop(lambda *loop: loop[-1], merge_best_pair, (ids, lengths, True), shapes, parallel_iterations=1)
        return tf.RaggedTensor.from_tensor(tf.cast(ids, tf.int32), lengths)


def _replace(texts: tf.Tensor, rules: Iterable[Rule | tuple[str, str]]) -> tf.Tensor:
    """Apply rules in order."""
    for pattern, replacement in rules:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return texts
