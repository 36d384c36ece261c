"""Command `score`: how well this checkout's model predicts a text."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_lm.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from lstm_lm.data.dataset import HeldOut
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

STDIN = "-"


def score(file: Annotated[str, typer.Argument(help="text file, or - for standard input")]) -> None:
    """Score a text with the model in models/saved_model: loss, perplexity and bits per character.

    The text is scored like a held-out document: every word but the first, once, in order, starting from the zero state.
    It is read, cleaned and tokenized like the pipeline's own text.
    """
    from lstm_lm.config import loading
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.io import memory, quiet
    from lstm_lm.text.tokenization import vocabulary
    from lstm_lm.text.tokenization.tokenizer import Tokenizer
    from lstm_lm.ui import results

    download = loading.load().download
    text = read_text(file, download.encoding, download.clean)
    folder = find_saved_model()
    words = vocabulary.read_tokens(folder / "assets/vocabulary.txt")
    ids, about = index_text(text, Tokenizer.load(folder / "assets/tokenizer.json"), words, file)
    memory.keep_freed()
    with quiet.tensorflow_import():
        from lstm_lm.export.text_model import load_text_model
    metrics = evaluate(load_text_model(folder), ids, about, len(words))
    results.show_text_score(metrics, unknown_words=about.unknown_words)


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
        raise UserError(f"{_shown(file)}: has {len(tokens)} word(s): at least 2 are needed, because the first is not scored")
    # Each distinct unknown word has its own id, as in data/vocab: the metrics depend on how many different ones there are.
    id_of = {word: i for i, word in enumerate(words)}
    ids = np.array([id_of.setdefault(token, len(id_of)) for token in tokens], np.int32)
    part = Part(ids, [Range(_shown(file), 0, len(ids))])
    about = description.describe_held_out(part, units.characters(tokenizer, list(id_of)), len(words))
    return replace_unknown(ids, len(words)), about


def evaluate(text_model: Any, ids: "np.ndarray", about: "HeldOut", vocabulary_size: int) -> dict[str, float]:
    """Score a document with a loaded SavedModel.

    Args:
        text_model: with the methods `initial_state` and `score`.
        ids: int32 [words].
        about: the document, as of `index_text`.
        vocabulary_size: number of ids.

    Returns:
        The metrics of a held-out split.
    """
    from lstm_lm.evaluation.metrics import split_metrics
    from lstm_lm.evaluation.saved_model_scoring import score_saved_model

    return split_metrics(score_saved_model(text_model, [ids], vocabulary_size), about)


def _shown(file: str) -> str:
    return "standard input" if file == STDIN else file
