"""One text file over http(s)."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from lstm_lm import paths
from lstm_lm.config.schema import UrlSource
from lstm_lm.errors import SettingError, UserError
from lstm_lm.io import folders
from lstm_lm.io.addresses import mask
from lstm_lm.io.downloads import download
from lstm_lm.text.sources import archives
from lstm_lm.text.sources.files import Skipped, SourceFile, check_sha256, local_file

KEY = "download.source.url"


def read_url(source: UrlSource, skipped: Skipped) -> Iterator[SourceFile]:
    """Yield the file at an address, or those in a zip archive there, after retries.

    Raises:
        UserError: it cannot be fetched, is incomplete, or has another digest.
    """
    with folders.temporary(paths.RAW) as folder:
        path = folder / "download"
        try:
            digest = download(source.url, path)
        except UserError as error:
            raise SettingError(KEY, str(error)) from None
        check_sha256(digest, source.sha256, mask(source.url))
        name = unquote(PurePosixPath(urlsplit(source.url).path).name).lstrip(".")
        yield from archives.in_order([local_file(name or "text.txt", path)], skipped, alone=True)
