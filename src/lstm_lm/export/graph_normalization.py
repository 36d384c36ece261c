"""Lower case and Unicode's form NFC in TensorFlow's graph, which has operations for neither of them that suit.

`tf.strings.lower` follows the locale of the process (a Turkish I becomes a dotless i) and an old version of Unicode. Here, all data comes
from the tables of `unicode_tables`, which become constants of the graph. So a SavedModel does the same on every machine.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lstm_lm.text.tokenization import unicode_tables
from lstm_lm.text.tokenization.unicode_tables import (
    CAPITAL_SIGMA,
    CASE_IGNORABLE,
    CASED,
    FINAL_SIGMA,
    HANGUL,
    HANGUL_SYLLABLES,
    LEADING,
    LEADING_COUNT,
    PAIR,
    TRAILING,
    TRAILING_COUNT,
    VOWEL,
    VOWEL_COUNT,
    Intervals,
    Mapping,
)


class Characters(NamedTuple):
    """The characters of texts, one text after the other.

    Attributes:
        points: int32 [characters], code points.
        rows: int64 [characters], which text each is of; rising.
    """

    points: tf.Tensor
    rows: tf.Tensor

    def where(self, mask: tf.Tensor) -> "Characters":
        """Those for which `mask`, bool [characters], is true."""
        return Characters(tf.boolean_mask(self.points, mask), tf.boolean_mask(self.rows, mask))

    @property
    def starts_row(self) -> tf.Tensor:
        """Whether each is the first of its text: bool [characters]."""
        return tf.concat([tf.ones_like(self.rows[:1], tf.bool), self.rows[1:] != self.rows[:-1]], axis=0)


@functools.cache
def make_graph_normalization(*, lowercase: bool, keep_unassigned: bool) -> "GraphNormalization":
    """The same object for the same arguments, so that it is traced once."""
    return GraphNormalization(lowercase=lowercase, keep_unassigned=keep_unassigned)


class GraphNormalization:
    """As `normalization.normalize`, with tensors."""

    def __init__(self, *, lowercase: bool, keep_unassigned: bool) -> None:
        """Make the tables. The arguments are those of `normalization.normalize`."""
        self.lowercase, self.keep_unassigned = lowercase, keep_unassigned
        self.tables = unicode_tables.load()
        # Not inlined: TensorFlow would visit each of its hundreds of operations even where it is not called.
        self._not_ascii = tf.function(
            self._unicode, [tf.TensorSpec([None], tf.string)], autograph=False, experimental_attributes={"_noinline": True}
        )

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Normalize texts: string [n], valid UTF-8 -> string [n]."""
        is_ascii = tf.reduce_all(tf.strings.regex_full_match(texts, r"[\x00-\x7f]*"))
        return tf.cond(is_ascii, lambda: self._ascii(texts), lambda: self._not_ascii(texts))

    def _ascii(self, texts: tf.Tensor) -> tf.Tensor:
        # Without an encoding, it lower-cases the letters of ASCII only, in every locale.
        return tf.strings.lower(texts) if self.lowercase else tf.identity(texts)

    def _unicode(self, texts: tf.Tensor) -> tf.Tensor:
        if self.lowercase:
            texts = tf.strings.regex_replace(texts, chr(unicode_tables.CAPITAL_I_WITH_DOT), "i\u0307")
        decoded = tf.strings.unicode_decode(texts, "UTF-8")
        characters = Characters(decoded.values, decoded.value_rowids())
        if not self.keep_unassigned:
            is_assigned = _property(self.tables.assigned, characters.points) == 1
            characters = characters._replace(points=tf.where(is_assigned, characters.points, ord(" ")))
        if self.lowercase:
            characters = characters._replace(points=self._lower(characters))
        may_change = tf.reduce_any(_property(self.tables.may_change, characters.points) == 1)
        points, rows = tf.cond(may_change, lambda: tuple(self._compose(self._decompose(characters))), lambda: tuple(characters))
        return tf.strings.unicode_encode(tf.RaggedTensor.from_value_rowids(points, rows, decoded.nrows(), validate=False), "UTF-8")

    def _lower(self, characters: Characters) -> tf.Tensor:
        """The lower case of characters: int32 [characters]."""
        lower = _look_up(self.tables.lower, characters.points, default=-1)
        lower = tf.where(lower >= 0, lower, characters.points)
        is_sigma = characters.points == CAPITAL_SIGMA
        return tf.cond(tf.reduce_any(is_sigma), lambda: tf.where(self._is_final(characters) & is_sigma, FINAL_SIGMA, lower), lambda: lower)

    def _is_final(self, characters: Characters) -> tf.Tensor:
        """Whether a sigma at each place would be the last letter of a word: bool [characters]."""
        context = _property(self.tables.case_context, characters.points)
        places = tf.where(context != CASE_IGNORABLE)  # int64 [others, 1]; the ignorable ones do not count
        rows = tf.gather(characters.rows, places[:, 0])
        is_cased = tf.gather(context, places[:, 0]) == CASED
        same_row, edge = rows[1:] == rows[:-1], tf.zeros_like(is_cased[:1])
        cased_before = tf.concat([edge, is_cased[:-1] & same_row], axis=0)
        cased_after = tf.concat([is_cased[1:] & same_row, edge], axis=0)
        final = tf.cast(cased_before & ~cased_after, tf.int32)
        return tf.scatter_nd(places, final, tf.shape(context, tf.int64)) == 1

    def _decompose(self, characters: Characters) -> Characters:
        """Decompose characters, and sort the combining ones after each starter by their combining class: form NFD."""
        points, rows = characters
        syllable = points - HANGUL
        trailing = tf.where(syllable % TRAILING_COUNT > 0, TRAILING + syllable % TRAILING_COUNT, -1)
        vowel = VOWEL + syllable // TRAILING_COUNT % VOWEL_COUNT
        leading = LEADING + syllable // (TRAILING_COUNT * VOWEL_COUNT)
        nothing = tf.fill(tf.shape(points), -1)
        hangul = tf.stack([leading, vowel, trailing, nothing], axis=1)
        unchanged = tf.stack([points, nothing, nothing, nothing], axis=1)
        table = _look_up(self.tables.decompositions, points, default=-1)  # [characters, MAX_DECOMPOSITION]
        parts = tf.where(_is_hangul(points)[:, tf.newaxis], hangul, tf.where(table[:, :1] >= 0, table, unchanged))
        is_part = parts >= 0
        characters = Characters(
            tf.boolean_mask(parts, is_part), tf.boolean_mask(tf.broadcast_to(rows[:, tf.newaxis], tf.shape(parts)), is_part)
        )
        combining_class = _property(self.tables.combining_class, characters.points)
        run = tf.cumsum(tf.cast((combining_class == 0) | characters.starts_row, tf.int64))
        # The place makes the keys unique, so that the sorting is stable.
        size = tf.size(run, tf.int64)
        order = tf.argsort((run * 256 + tf.cast(combining_class, tf.int64)) * size + tf.range(size))
        return characters._replace(points=tf.gather(characters.points, order))

    def _compose(self, characters: Characters) -> Characters:
        """Compose decomposed characters: from form NFD to NFC.

        The standard goes through the text once. Here, every starter takes one step at a time, all of them at once: it composes with the
        first character after it that it can. It never returns to one that it has passed by.
        """
        tried = tf.zeros_like(characters.points, tf.bool)
        shapes = (tf.TensorShape([None]), tf.TensorShape([None]), tf.TensorShape([None]), tf.TensorShape([]))

        def step(points: tf.Tensor, rows: tf.Tensor, tried: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
            starter, composite = self._pairs(Characters(points, rows))
            can_compose = (composite >= 0) & ~tried
            can_compose &= ~tf.gather(can_compose, starter)  # what becomes a part of another starter has to wait
            earlier = tf.cumsum(tf.cast(can_compose, tf.int32), exclusive=True)
            composes = can_compose & (earlier == tf.gather(earlier, tf.minimum(starter + 1, tf.size(starter) - 1)))
            places = tf.where(composes)
            starters = tf.gather(starter, places)
            points = tf.tensor_scatter_nd_update(points, starters, tf.gather(composite, places[:, 0]))
            composed_at = tf.scatter_nd(starters, tf.cast(places[:, 0], tf.int32), tf.shape(points))
            tried |= tf.range(tf.size(points)) < tf.gather(composed_at, starter)
            kept = Characters(points, rows).where(~composes)
            return kept.points, kept.rows, tf.boolean_mask(tried, ~composes), tf.reduce_any(composes)

        points, rows, _, _ = tf.while_loop(lambda *loop: loop[-1], step, (*characters, tried, True), shapes, parallel_iterations=1)
        return Characters(points, rows)

    def _pairs(self, characters: Characters) -> tuple[tf.Tensor, tf.Tensor]:
        """What each character is a pair with.

        Returns:
            (int32 [characters], the place of the starter before each, or its own where there is none;
            int32 [characters], what the two compose to, or -1 where they do not or another character blocks the way)
        """
        points, rows = characters
        combining_class = _property(self.tables.combining_class, points)
        places = tf.range(tf.size(points))
        is_starter = combining_class == 0
        starters = tf.concat([[0], tf.boolean_mask(places, is_starter)], axis=0)
        starter = tf.gather(starters, tf.cumsum(tf.cast(is_starter, tf.int32), exclusive=True))
        is_pair = (starter < places) & (tf.gather(rows, starter) == rows) & tf.gather(is_starter, starter)
        class_before = tf.concat([[0], combining_class[:-1]], axis=0)[: tf.size(points)]
        is_pair &= (starter == places - 1) | ((class_before > 0) & (class_before < combining_class))
        first, second = tf.gather(points, starter), points
        pair = tf.cast(first, tf.int64) * PAIR + tf.cast(second, tf.int64)
        composite = _look_up(self.tables.compositions, pair, default=-1)
        composite = tf.where(is_pair, tf.maximum(composite, _compose_hangul(first, second)), -1)
        return tf.where(is_pair, starter, places), composite


def _is_hangul(points: tf.Tensor) -> tf.Tensor:
    return (points >= HANGUL) & (points < HANGUL + HANGUL_SYLLABLES)


def _compose_hangul(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The syllables that pairs of characters compose to, or -1: int32 [characters]."""
    leading, vowel, trailing = first - LEADING, second - VOWEL, second - TRAILING
    is_leading = (leading >= 0) & (leading < LEADING_COUNT) & (vowel >= 0) & (vowel < VOWEL_COUNT)
    is_open = _is_hangul(first) & ((first - HANGUL) % TRAILING_COUNT == 0) & (trailing > 0) & (trailing < TRAILING_COUNT)
    two_letters = HANGUL + (leading * VOWEL_COUNT + vowel) * TRAILING_COUNT
    return tf.where(is_leading, two_letters, tf.where(is_open, first + trailing, -1))


def _property(intervals: Intervals, points: tf.Tensor) -> tf.Tensor:
    """The property of code points: int32 [characters]."""
    interval = tf.searchsorted(tf.constant(intervals.starts), points, side="right") - 1
    return tf.gather(tf.constant(intervals.values), interval)


def _look_up(mapping: Mapping, numbers: tf.Tensor, default: int) -> tf.Tensor:
    """The values of numbers, int32 [characters, ...], or the default where there is none."""
    keys = tf.constant(mapping.keys.astype(numbers.dtype.as_numpy_dtype))
    place = tf.minimum(tf.searchsorted(keys, numbers), len(mapping.keys) - 1)
    values = tf.gather(tf.constant(mapping.values), place)
    is_key = tf.gather(keys, place) == numbers
    return tf.where(tf.reshape(is_key, [-1] + [1] * (np.ndim(mapping.values) - 1)), values, default)
