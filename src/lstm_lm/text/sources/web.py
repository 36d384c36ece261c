"""One text file over http(s)."""

import hashlib
import io
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from lstm_lm.config.schema import UrlSource
from lstm_lm.errors import SettingError
from lstm_lm.text.sources.files import SourceFile, check_sha256

KEY = "download.source.url"
TIMEOUT = (10, 60)  # seconds: to connect, and between two parts of the response
RETRIES = 3
RETRY_STATUSES = (429, 500, 502, 503, 504)


def read_url(source: UrlSource) -> Iterator[SourceFile]:
    """Yield the file at an address, after retries. It is held in memory.

    Raises:
        UserError: it cannot be fetched, is incomplete, or has another digest.
    """
    content = _get(source.url)
    check_sha256(hashlib.sha256(content).hexdigest(), source.sha256, source.url)
    name = unquote(PurePosixPath(urlsplit(source.url).path).name).lstrip(".")
    yield SourceFile(name or "text.txt", partial(io.BytesIO, content))


def _get(url: str) -> bytes:
    """The content at an address."""
    import requests  # here, because most text is not fetched from an address
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    adapter = HTTPAdapter(max_retries=Retry(total=RETRIES, backoff_factor=0.5, status_forcelist=RETRY_STATUSES))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    try:
        with session.get(url, timeout=TIMEOUT) as response:
            response.raise_for_status()
            content = response.content
    except requests.HTTPError as error:
        raise SettingError(KEY, f"{url}: the server answered {error.response.status_code} {error.response.reason}") from None
    except requests.RequestException as error:
        reason = getattr(error.args[0], "reason", error) if error.args else error
        raise SettingError(KEY, f"{url}: could not be fetched: {str(reason).splitlines()[0]}") from None
    # requests does not always notice that a connection was closed early. A compressed response has another length.
    expected = response.headers.get("Content-Length")
    if expected and "Content-Encoding" not in response.headers and len(content) != int(expected):
        raise SettingError(KEY, f"{url}: only {len(content)} of {expected} bytes arrived: try again")
    return content
