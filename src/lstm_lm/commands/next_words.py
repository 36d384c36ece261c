"""Command `next`: the most probable next words after a prompt."""

import math
from typing import Annotated

import typer

from lstm_lm.commands import remote_model
from lstm_lm.commands.remote_model import ApiKey, Url
from lstm_lm.commands.sample import PROMPT_HELP, check_prompt, find_model, note_unknown_words
from lstm_lm.commands.server_answers import NextWord, NextWords
from lstm_lm.wording import unit_name


def next_words(
    prompt: Annotated[str | None, typer.Argument(help=PROMPT_HELP, show_default=False)] = None,
    k: Annotated[int, typer.Option("--k", help="number of words; a server returns at most 100", min=1)] = 10,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show the most probable next words after a prompt, with their probabilities under the model itself (at temperature 1)."""
    from lstm_lm.config import loading

    if prompt is None:
        prompt = loading.load().evaluate_sample.prime_texts[0]
    check_prompt(prompt)
    server = remote_model.named(url, api_key)
    if server is None:
        show(*_find_locally(prompt, k))
        return
    note_unknown_words(server.tokens(prompt))
    show(server.next_words(prompt, k), None)


def _find_locally(prompt: str, k: int) -> tuple[NextWords, str]:
    """Return what `RemoteModel.next_words` returns, from the model in models/saved_model, and the model's `vocab.unit`."""
    from lstm_lm.commands import local_model

    folder, known_words, unit = find_model(prompt)
    local_model.import_tensorflow()
    import tensorflow as tf

    from lstm_lm.export.text_model import load_text_model

    text_model = load_text_model(folder)  # its functions live only as long as it does
    found = text_model.next_words(tf.constant([prompt]), tf.constant(min(k, len(known_words))))
    words, log_probabilities = found["words"].numpy()[0], found["log_probabilities"].numpy()[0]
    next_words = [
        NextWord(word=word.decode("utf-8"), probability=math.exp(value)) for word, value in zip(words, log_probabilities, strict=True)
    ]
    return NextWords(words=next_words, unknown=math.exp(found["unknown"].numpy()[0])), unit


def show(found: NextWords, unit: str | None) -> None:
    """Print the table of next words, and the probability of all others.

    Args:
        found: the words.
        unit: `vocab.unit` of the model, or None if it is unknown.
    """
    from lstm_lm.ui import terminal
    from lstm_lm.ui.terminal import Column

    rows = [[shown_token(each.word), f"{each.probability:.2%}"] for each in found.words]
    rest = max(1 - found.unknown - sum(each.probability for each in found.words), 0.0)
    rows += [[f"(other known {unit_name(unit)})", f"{rest:.2%}"], [f"(unknown {unit_name(unit)})", f"{found.unknown:.2%}"]]
    terminal.table([Column(f"next {unit_name(unit, 1)}", align="left"), Column("probability")], rows)


def shown_token(token: str) -> str:
    """Return a token as a table shows it: white space in quotes."""
    return token if token.strip() else repr(token)
