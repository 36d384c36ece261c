"""The loops over words, from the fastest to the one that can do everything: one for each option that is often used alone.

The choice is made once for a call, not for each word. Programs that load the SavedModel make it outside of the graph, from `served_loops`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from lstm_lm.generation.decoding_loop import Features
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.options import by_name
from lstm_lm.generation.sampling import Filters

NO_FILTERS = Filters(greedy=False, sorted=False, top_p=False, min_p=False, typical_p=False)
FILTERS = ("top_k", "top_p", "min_p", "typical_p")


@dataclass(frozen=True)
class Loop:
    """A loop, and what it can do. The general one can do everything.

    Attributes:
        features: how it is traced.
        greedy: all rows are greedy, or none is.
        may_be_on: options that may be on in some rows; the others must be off in all of them.
        on_in_all: options that must be on in all rows.
    """

    features: Features
    greedy: bool = False
    may_be_on: tuple[str, ...] = ()
    on_in_all: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """The options that it reads, but for `max_words`, which all loops read. Those that may be on in greedy rows change nothing."""
        return [] if self.greedy else ["temperature", "seed", *self.may_be_on]

    def can_do(self, options: OptionTensors) -> tf.Tensor:
        """Whether it can do what the options of all rows ask for: bool scalar."""
        off = [options.is_on(name) for name in switches() if name not in self.may_be_on]
        on = [tf.reduce_all(getattr(options, name) != by_name()[name].off) for name in self.on_in_all]
        greedy = tf.reduce_all(options.greedy == self.greedy)
        return tf.reduce_all([greedy, tf.logical_not(tf.reduce_any(off)), *on])


GENERAL = "general"
LOOPS = {
    "greedy": Loop(Features(None), greedy=True, may_be_on=FILTERS),
    "sampled": Loop(Features(NO_FILTERS)),
    "top_k": Loop(Features(replace(NO_FILTERS, sorted=True)), may_be_on=("top_k", "top_p", "min_p"), on_in_all=("top_k",)),
    "top_p": Loop(Features(replace(NO_FILTERS, top_p=True)), may_be_on=("top_p",)),
    "min_p": Loop(Features(replace(NO_FILTERS, min_p=True)), may_be_on=("min_p",)),
    "repetition_penalty": Loop(Features(NO_FILTERS, penalty=True), may_be_on=("repetition_penalty",)),
    GENERAL: Loop(Features(Filters(), general=True)),
}


def switches() -> list[str]:
    """The options of words that can be switched off."""
    return [row.name for row in by_name().values() if row.off is not None and not row.sets_rows]


def switch(options: OptionTensors, is_general: tf.Tensor, run: Callable[[str], Any]) -> Any:
    """Run the first loop that can do what is asked for.

    Args:
        options: vectors, those that apply to words.
        is_general: bool scalar, something besides the options needs the general loop.
        run: from the name of a loop to what it returns.
    """
    counts = options.max_words
    is_general = tf.logical_or(is_general, tf.reduce_any(counts != counts[:1]))
    can_do = [tf.logical_not(is_general) & loop.can_do(options) for name, loop in LOOPS.items() if name != GENERAL]
    place = tf.argmax(tf.cast(tf.stack([*can_do, True]), tf.int32), output_type=tf.int32)
    return tf.switch_case(place, [lambda name=name: run(name) for name in LOOPS])


def served_loops() -> list[Mapping[str, Any]]:
    """The loops but for the general one, ready for JSON: those without bias and log probabilities.

    In all rows they run for the largest `max_words`. Words that a row did not ask for are dropped, but its `last` and `state` are then
    those after them.
    """
    return [
        {"name": name, "greedy": loop.greedy, "may_be_on": loop.may_be_on, "on_in_all": loop.on_in_all}
        for name, loop in LOOPS.items()
        if name != GENERAL
    ]
