"""Texts of published results, which this project cannot ship: where their files belong, and how many tokens they have."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from lstm_lm.config.schema import Params, PathSource, PypiSource, UrlSource
from lstm_lm.errors import SettingError
from lstm_lm.wording import joined

PAGE = "docs/how-to/standard-corpora.md"
SPLITS = ("train", "validation", "test")
HELD_OUT = (["*valid*"], ["*test*"])  # vocab.validation and vocab.test of their presets


@dataclass(frozen=True)
class Corpus:
    """A text of published results.

    Attributes:
        name: what people call it.
        folder: in which its presets look for it.
        files: for training, validation and test.
        archive: name of the zip archive that it is published as, which may be there in place of the files; None: it is not.
        tokens: in each of the files, with `<unk>` and one `<eos>` a line, as published.
        vocabulary: distinct ones in the training text, as published.
    """

    name: str
    folder: str
    files: tuple[str, str, str]
    archive: str | None
    tokens: tuple[int, int, int]
    vocabulary: int


CORPORA = (
    Corpus(
        "the Penn Treebank", "data/own/ptb", ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"), None, (929_589, 73_760, 82_430), 10_000
    ),
    Corpus(
        "WikiText-2",
        "data/own/wikitext-2",
        ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
        "wikitext-2-v1.zip",
        (2_088_628, 217_646, 245_569),
        33_278,
    ),
)


def find(source: PypiSource | PathSource | UrlSource) -> Corpus | None:
    """Return the corpus that a source should hold, by its folder or by the name of its archive, or None for any other text."""
    if isinstance(source, PathSource):
        path = PurePosixPath(source.path)
        return next((corpus for corpus in CORPORA if path.is_relative_to(corpus.folder)), None)
    if isinstance(source, UrlSource):
        name = PurePosixPath(urlsplit(source.url).path).name
        return next((corpus for corpus in CORPORA if name == corpus.archive), None)
    return None


def missing_text_line(source: PypiSource | PathSource | UrlSource) -> str | None:
    """Return a sentence on files in data/own that the source needs and that are not there, and None if they all are.

    Of another text than the known ones, only its file or folder is looked for.
    """
    if not isinstance(source, PathSource):
        return None
    path, corpus = Path(source.path), find(source)
    if corpus is None or path.is_file():
        return None if path.exists() else f"{path}: no such file or folder: put your text there, or change download.source"
    there = [entry.name for entry in path.rglob("*")] if path.is_dir() else []
    # A compressed file has an ending more.
    missing = [name for name in corpus.files if not any(entry.startswith(name) for entry in there)]
    if not missing or corpus.archive in there:
        return None
    what = joined(corpus.files) + (f", or the archive {corpus.archive}," if corpus.archive else "")
    return f"{path} lacks {joined(missing)} of {corpus.name}, which this project cannot ship: put {what} there ({PAGE})"


def check_counts(settings: Params, tokens: Mapping[str, int], vocabulary: int) -> str | None:
    """Compare a text with what it should be, if it is one of these corpora and is read as in published results.

    Args:
        settings: all parameters.
        tokens: {split: number of tokens}.
        vocabulary: number of known words, `<unk>` included.
    Returns:
        A sentence that it is as published, or None if it is another text or read in another way.
    Raises:
        SettingError: its counts are others, so that its results would not compare with published ones.
    """
    corpus = find(settings.download.source)
    if corpus is None or not is_read_as_published(settings):
        return None
    found = {f"{split} tokens": tokens[split] for split in SPLITS} | {"distinct tokens": vocabulary}
    published = dict(zip(found, (*corpus.tokens, corpus.vocabulary), strict=True))
    differing = [f"{found[what]:,} {what} (published: {published[what]:,})" for what in found if found[what] != published[what]]
    if not differing:
        return f"token counts and vocabulary are those of {corpus.name} as published"
    if isinstance(settings.download.source, UrlSource):
        advice = "check that the address has the whole published archive, and set download.source.sha256 to the digest of that one"
    else:
        advice = f"put {joined(corpus.files)} and no other files into {corpus.folder}, or another text into another folder of data/own"
    raise SettingError(
        "download.source", f"this is not {corpus.name} as published, because there are {joined(differing)}: {advice} ({PAGE})"
    )


def is_read_as_published(settings: Params) -> bool:
    """Return whether tokens, held-out files and cleaning are those of the presets of these corpora, so that counts compare."""
    vocab = settings.vocab
    if (vocab.validation, vocab.test) != HELD_OUT:
        return False
    as_words = (vocab.unit, vocab.punctuation, vocab.newlines, settings.download.clean) == ("word", "as_is", True, False)
    return as_words and (vocab.min_count, vocab.max_size, vocab.lowercase) == (1, None, False)
