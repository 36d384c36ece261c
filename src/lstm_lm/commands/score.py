"""Command `score`: how well this checkout's model predicts a text."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_lm.commands import remote_model
from lstm_lm.commands.remote_model import ApiKey, RemoteModel, Url
from lstm_lm.errors import UserError
from lstm_lm.wording import counted_tokens

if TYPE_CHECKING:
    import numpy as np

    from lstm_lm.data.dataset import HeldOut
    from lstm_lm.text.tokenization.tokenizer import Tokenizer
    from lstm_lm.ui.results import Surprisal

STDIN = "-"


def score(
    file: Annotated[str, typer.Argument(help="text file, or - for standard input")],
    words: Annotated[bool, typer.Option("--words", help="also print each word with its surprisal in bits")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Score a text with the model in models/saved_model, or with that of a running server: loss, perplexity and bits per character.

    The text is scored like a held-out document: every word but the first, once, in order, starting from the zero state.
    It is read, cleaned and tokenized like the pipeline's own text.
    """
    from lstm_lm.config import loading
    from lstm_lm.ui import results

    server = remote_model.named(url, api_key)
    download = loading.load().download
    text = read_text(file, download.encoding, download.clean)
    scored = score_locally(text, file) if server is None else score_remotely(text, file, server)
    if words:
        results.show_surprisal(scored.words, scored.unit)
    results.show_text_score(scored.metrics, scored.unknown_words, scored.unit)


@dataclass(frozen=True)
class ScoredText:
    """How well a text is predicted.

    Attributes:
        metrics: of a held-out split.
        unknown_words: number of scored words that the model does not know.
        words: (word, surprisal in bits or None for the first word, whether the model knows it).
        unit: `vocab.unit` of the model, or None if it is unknown.
    """

    metrics: dict[str, float]
    unknown_words: int
    words: "Sequence[Surprisal]"
    unit: str | None = None


def score_locally(text: str, file: str) -> ScoredText:
    """Score a text with the model in models/saved_model.

    Args:
        text: to score.
        file: name of the text, for messages.

    Raises:
        UserError: there is no model, or nothing to score.
    """
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.io import memory, quiet
    from lstm_lm.text.tokenization import vocabulary
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

    folder = find_saved_model()
    words = vocabulary.read_tokens(folder / "assets/vocabulary.txt")
    tokenizer = Tokenizer.load(folder / "assets/tokenizer.json")
    ids, about = index_text(text, tokenizer, words, file)
    memory.keep_freed()
    with quiet.tensorflow_import():
        from lstm_lm.evaluation.metrics import split_metrics
        from lstm_lm.evaluation.saved_model_scoring import score_saved_model
        from lstm_lm.export.text_model import load_text_model
    nats = score_saved_model(load_text_model(folder), [ids], len(words))
    bits = [None, *(nats[0] / math.log(2)).tolist()]
    surprisal = [(word, each, bool(number)) for word, each, number in zip(tokenizer.tokenize(text), bits, ids, strict=True)]
    return ScoredText(split_metrics(nats, about), about.unknown_words, surprisal, tokenizer.unit)


def score_remotely(text: str, file: str, server: RemoteModel) -> ScoredText:
    """Score a text with the model of a server; arguments and errors are those of `score_locally`."""
    if not text.strip():
        raise _too_short(file, 0)
    answer = server.score(text)
    if not answer.scored_words:
        raise _too_short(file, answer.words)
    surprisal, *others = (
        math.inf if value is None else value
        for value in (answer.surprisal, answer.perplexity, answer.adjusted_perplexity, answer.bits_per_character)
    )
    metrics = {
        "words": answer.scored_words,
        "oov_rate": answer.unknown_rate or 0.0,
        "loss": surprisal * math.log(2),
        **dict(zip(("perplexity", "adjusted_perplexity", "bits_per_character"), others, strict=True)),
    }
    words = [(each.token, each.surprisal, not each.unknown) for each in answer.tokens]
    return ScoredText(metrics, sum(not is_known for _, _, is_known in words[1:]), words)


def read_text(file: str, encoding: str, clean: bool) -> str:
    """Read a text and clean it as the pipeline does.

    Args:
        file: name of a file, or - for standard input.
        encoding: of its bytes, a Python codec name.
        clean: as `download.clean` of params.yaml.

    Raises:
        UserError: the file cannot be read, is no text, or is in another encoding.
    """
    from lstm_lm.text.sources import archives, cleaning, formats
    from lstm_lm.text.sources.files import local_file
    from lstm_lm.ui import terminal

    if file == STDIN and sys.stdin.isatty():
        terminal.note("type the text, and end it with Ctrl-D; or name a file: make score FILE=my.txt")
    content = sys.stdin.buffer.read() if file == STDIN else b"".join(archives.read_blocks(local_file(file, Path(file))))
    what = formats.recognize(content[: formats.HEAD_BYTES], encoding, _shown(file))
    if what:
        raise UserError(f"{_shown(file)}: is {what}: only plain text and Markdown can be scored")
    return cleaning.clean_text(content, encoding, _shown(file), clean)


def index_text(text: str, tokenizer: "Tokenizer", words: list[str], file: str) -> "tuple[np.ndarray, HeldOut]":
    """Tokenize a text and turn it into ids.

    Args:
        text: to score.
        tokenizer: that of the model.
        words: the model's vocabulary, in the order of its ids.
        file: name of the text, for messages.

    Returns:
        (int32 [words] with the id of `<unk>` for unknown words; what the metrics need to know about the text)

    Raises:
        UserError: there are fewer than two words, so that none is scored.
    """
    import numpy as np

    from lstm_lm.data import description
    from lstm_lm.text import units
    from lstm_lm.text.encoded import Part, Range, replace_unknown

    tokens = tokenizer.tokenize(text)
    if len(tokens) < 2:
        raise _too_short(file, len(tokens), tokenizer.unit)
    # Each distinct unknown word has its own id, as in data/vocab: the metrics depend on how many different ones there are.
    id_of = {word: i for i, word in enumerate(words)}
    ids = np.array([id_of.setdefault(token, len(id_of)) for token in tokens], np.int32)
    part = Part(ids, [Range(_shown(file), 0, len(ids))])
    about = description.describe_held_out(part, units.characters(tokenizer, list(id_of)), len(words))
    return replace_unknown(ids, len(words)), about


def _too_short(file: str, words: int, unit: str | None = None) -> UserError:
    return UserError(f"{_shown(file)}: has {counted_tokens(words, unit)}: at least 2 are needed, because the first is not scored")


def _shown(file: str) -> str:
    return "standard input" if file == STDIN else file
