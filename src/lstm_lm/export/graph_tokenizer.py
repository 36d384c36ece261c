"""Text <-> token ids in TensorFlow's graph: what Tokenizer does, with no code of its own needed to run it.

Ids are those of one vocabulary, which is an asset of the SavedModel; so are the merges of subwords.
"""

from pathlib import Path

import tensorflow as tf

from lstm_lm.text.tokenization import bpe, surface, vocabulary
from lstm_lm.text.tokenization.symbols import BOUNDARY, NEWLINE_TOKEN, UNKNOWN, UNKNOWN_MARKER, WHITE_SPACE

NO_MERGE = 2**62


class GraphText(tf.Module):
    """The words, the ids and the writing of a Tokenizer."""

    def __init__(self, tokenizer, vocabulary_file):
        """vocabulary_file: path of one token a line, line n is id n; it becomes an asset of the SavedModel."""
        super().__init__(name="graph_text")
        self.tokenizer = tokenizer
        self.vocabulary_file = tf.saved_model.Asset(str(vocabulary_file))
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        path = self.vocabulary_file.asset_path
        self.id_of = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(path, tf.string, line, tf.int64, number), default_value=0)
        self.word_of = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(path, tf.int64, number, tf.string, line), default_value="")
        tokens = vocabulary.read_tokens(vocabulary_file)
        self._spaces = [i for i, token in enumerate(tokens) if token in (" ", bpe.SPACE)]
        if tokenizer.unit == "subword":
            self._read_merges(tokens, vocabulary_file)

    def words(self, texts):
        """string [n] -> ragged string [n, words], by the rules of Tokenizer."""
        # Bytes that are not UTF-8 and control characters become U+FFFD; lower() would end a text at a zero byte.
        if self.tokenizer.rules_before_lowercasing:
            texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
            texts = _replaced(texts, self.tokenizer.rules_before_lowercasing)
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", replace_control_characters=True)
        if self.tokenizer.lowercase:
            texts = tf.strings.lower(texts, encoding="utf-8")
        return tf.strings.split(_replaced(texts, self.tokenizer.rules_after_lowercasing))

    def ids(self, words):
        """What `words` gave -> ragged int32 [n, tokens]."""
        if self.tokenizer.unit == "word":
            return tf.cast(self.id_of.lookup(words), tf.int32)
        pieces = self._pieces(words)
        if self.tokenizer.unit == "char":
            return tf.cast(self._ids_of_characters(tf.strings.regex_replace(pieces, BOUNDARY, "")), tf.int32)
        pieces = tf.strings.split(pieces, BOUNDARY)  # ragged [n, pieces]
        return pieces.with_values(self._merged(pieces.values)).merge_dims(1, 2)

    def join(self, ids, after):
        """The text of ids, to be put right behind what it goes on from: with a space in front if one goes there.

        Args:
            ids: int32 [n, tokens], below 0 for nothing. after: int32 [n], the id before them.
        Returns:
            string [n]
        """
        tokens = self.word_of.lookup(tf.cast(ids, tf.int64))
        after = self.word_of.lookup(tf.cast(after, tf.int64))
        if self.tokenizer.unit == "word":
            texts = tf.strings.reduce_join(tf.where(ids >= 0, self._marked(tokens), ""), axis=1)
            if self.tokenizer.plain_words:
                return texts
            texts = _replaced(tf.strings.join([BOUNDARY, after, BOUNDARY, texts]), self._joining)
            return _replaced(texts, [(f"^{BOUNDARY}[^{BOUNDARY}]*{BOUNDARY}", ""), (BOUNDARY, "")])
        texts = tf.strings.reduce_join(tf.where(tokens == NEWLINE_TOKEN, "\n", tokens), axis=1)
        if self.tokenizer.unit == "char":
            return texts
        texts = _replaced(texts, [(bpe.SPACE, " "), ("\n ", "\n")])
        return tf.where(after == NEWLINE_TOKEN, tf.strings.regex_replace(texts, "^ ", ""), texts)

    def begun(self, texts):
        """string [n] -> the same without white space around it; a line end that stands at its end is a word, and stays."""
        if not self.tokenizer.newlines:
            return tf.strings.strip(texts)
        return tf.strings.regex_replace(texts, f"^[{WHITE_SPACE}]+|[{WHITE_SPACE.replace(chr(10), '')}]+$", "")

    def known(self, ids):
        """Ragged int32 [n, tokens] -> int32 [n]: how many are no `<unk>`; a space alone says nothing."""
        is_known = tf.reduce_all(ids.values[:, tf.newaxis] != [[0, *self._spaces]], axis=1)
        return tf.reduce_sum(ids.with_values(tf.cast(is_known, tf.int32)), axis=1)

    @property
    def _joining(self):
        return surface.detokenization_rules(self.tokenizer.punctuation, self.tokenizer.newlines, self.tokenizer.unit)

    def _marked(self, words):
        """Words as they are put together: each with a space before it and, where rules will look for them, between BOUNDARY characters."""
        edge = "" if self.tokenizer.plain_words and self.tokenizer.unit == "word" else BOUNDARY
        return tf.strings.join([f" {edge}", words, edge])

    def _pieces(self, words):
        """Ragged string [n, words] -> string [n], Tokenizer.pretokens with BOUNDARY characters between them."""
        texts = tf.strings.reduce_join(self._marked(words), axis=1)
        if self.tokenizer.newlines:
            texts = tf.strings.join([f"{BOUNDARY}{NEWLINE_TOKEN}{BOUNDARY}", texts])
        texts = _replaced(texts, self._joining)
        if self.tokenizer.newlines:
            texts = tf.strings.regex_replace(texts, f"^{BOUNDARY}\n{BOUNDARY}", "")
        if self.tokenizer.unit == "char":
            return texts
        return _replaced(
            texts,
            [
                (f" {BOUNDARY}{UNKNOWN}{BOUNDARY}", f"{BOUNDARY}{UNKNOWN_MARKER}{BOUNDARY}"),
                (f" {BOUNDARY}", f"{BOUNDARY}{bpe.SPACE}"),
                (f"([^{BOUNDARY}]{{{bpe.MAX_LENGTH}}})", rf"\1{BOUNDARY}"),
                (f"{BOUNDARY}+", BOUNDARY),
                (f"^{BOUNDARY}|{BOUNDARY}$", ""),
            ],
        )

    def _ids_of_characters(self, texts):
        """string [n] -> ragged int64 [n, characters]"""
        characters = tf.strings.unicode_split(texts, "UTF-8")
        return self.id_of.lookup(characters.with_values(tf.where(characters.values == "\n", NEWLINE_TOKEN, characters.values)))

    def _read_merges(self, tokens, vocabulary_file):
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

    def _merged(self, pieces):
        """string [pieces], at most bpe.MAX_LENGTH characters each -> ragged int32 [pieces, subwords], as bpe.split."""
        characters = self._ids_of_characters(pieces)
        lengths = characters.row_lengths()
        ids = tf.pad(characters.to_tensor(default_value=0), [[0, 0], [0, 2]])  # [pieces, characters + 2]: never too narrow for a pair
        places = tf.range(tf.shape(ids, tf.int64)[1])[tf.newaxis]  # [1, characters + 2]

        never = tf.constant(NO_MERGE, tf.int64)

        def body(ids, lengths, _):
            """Of every piece, put the two together that come first."""
            pairs = ids[:, :-1] * self._size + ids[:, 1:]
            there = places[:, 1:] < lengths[:, tf.newaxis]
            ranked = tf.where(there, self.merge_of.lookup(pairs), never)
            best = tf.reduce_min(ranked, axis=1, keepdims=True)  # [pieces, 1]
            found = best < never
            at = tf.reduce_min(tf.where(ranked == best, places[:, :-1], never), axis=1, keepdims=True)  # the leftmost
            shifted = tf.pad(ids[:, 1:], [[0, 0], [0, 1]])
            after = tf.where(places < at, ids, tf.where(places == at, best % self._size, shifted))
            return tf.where(found, after, ids), lengths - tf.cast(found[:, 0], tf.int64), tf.reduce_any(found)

        shapes = tf.TensorShape([None, None]), tf.TensorShape([None]), tf.TensorShape([])
        ids, lengths, _ = tf.while_loop(lambda _, __, going: going, body, (ids, lengths, True), shapes, parallel_iterations=1)
        return tf.RaggedTensor.from_tensor(tf.cast(ids, tf.int32), lengths)


def _replaced(texts, rules):
    for pattern, replacement in rules:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return texts
