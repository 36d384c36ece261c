"""Text files in an object store: S3, Google Cloud Storage, Azure."""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from lstm_lm import paths
from lstm_lm.config.schema import UrlSource
from lstm_lm.errors import SettingError, UserError
from lstm_lm.io import extras, folders
from lstm_lm.io.addresses import mask, mask_all
from lstm_lm.io.downloads import Limits
from lstm_lm.text.sources import archives
from lstm_lm.text.sources.files import Skipped, SourceFile, check_sha256, document_name, local_file, unwanted

KEY = "download.source.url"
BLOCK = 2**23  # bytes, fetched at once


class Store(NamedTuple):
    """A kind of store.

    Attributes:
        extra: of pyproject.toml, with the packages for it.
        options: bound how long it is waited for.
        settings: what the user can set in the environment.
    """

    extra: str
    options: dict[str, Any]
    settings: str


_S3 = Store(
    "s3",
    {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard", "max_attempts": 4}}},
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; AWS_ENDPOINT_URL; FSSPEC_S3_ANON=true if no login is needed",
)
_GS = Store("gs", {"requests_timeout": 60}, "GOOGLE_APPLICATION_CREDENTIALS; FSSPEC_GS_TOKEN=anon if no login is needed")
_AZ = Store(
    "az",
    {"connection_timeout": 10, "read_timeout": 60},
    "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
)
STORES = {"s3": _S3, "gs": _GS, "gcs": _GS, "az": _AZ, "abfs": _AZ}


def is_remote(url: str) -> bool:
    """Whether an address is in an object store."""
    return url.partition("://")[0] in STORES


def read_remote(source: UrlSource, skipped: Skipped) -> Iterator[SourceFile]:
    """Yield a file, the files of a folder, or those that a pattern matches, in order of their documents' names.

    Files that are not text by their names are left out, and files in a zip archive take its place.
    A digest of several files is that of the lines `<sha256>  <name>` in this order, as sha256sum prints them.

    Raises:
        UserError: the store cannot be used, or there is no such file, or it has another digest.
    """
    store, files = _list(source.url, skipped)
    lines = hashlib.sha256()
    room = Limits().bytes
    with folders.temporary(paths.RAW) as folder:
        for name, remote in files:
            path = folder / "download"
            digest = _copy(store, remote, path, source.url, room)
            room -= path.stat().st_size
            if len(files) == 1:
                check_sha256(digest, source.sha256, mask(source.url))
            lines.update(f"{digest}  {name}\n".encode())
            yield from archives.in_order([local_file(name, path)], skipped, alone=len(files) == 1)
    if len(files) > 1:
        check_sha256(lines.hexdigest(), source.sha256, f"{mask(source.url)}: {len(files)} files")


def _list(url: str, skipped: Skipped) -> tuple[Any, list[tuple[str, str]]]:
    """The store of an address, and the files at the address: their names and their paths in the store."""
    scheme, _, path = url.partition("://")
    kind = STORES[scheme]
    path = path.rstrip("/")
    with _explained(url):
        import fsspec  # here, because most text is not in an object store

        logging.getLogger("gcsfs").setLevel(logging.CRITICAL + 1)  # it logs errors with their stack traces before it raises them
        try:
            store = fsspec.filesystem(scheme, skip_instance_cache=True, **kind.options)
        except ImportError:
            raise SettingError(
                KEY,
                f"{mask(url)}: needs packages that are not installed: run {extras.install_command(kind.extra)}",
            ) from None
        if re.search(r"[*?\[]", path):
            found = store.glob(path, detail=True)
            parent = re.split(r"/[^/]*[*?\[]", path, maxsplit=1)[0]
        elif store.info(path)["type"] == "file":
            return store, [(PurePosixPath(path).name.lstrip(".") or "text.txt", path)]
        else:
            found = store.find(path, detail=True)
            parent = path
    files = [file for file, info in found.items() if info["type"] == "file" and not file.endswith("/")]
    names = [(PurePosixPath(file).relative_to(parent).as_posix(), file) for file in files]
    skipped.update({name: what for name, _ in names if (what := unwanted(name))})
    names = [(name, file) for name, file in names if unwanted(name) is None]
    if not names:
        raise SettingError(KEY, f"{mask(url)}: there is no such file, and no file in such a folder or with such a name")
    return store, sorted(names, key=lambda pair: document_name(pair[0]))


def _copy(store: Any, remote: str, path: Path, url: str, room: int) -> str:
    """Copy a file of a store to a path, and return its sha256."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as copy, _explained(url), store.open(remote, "rb", block_size=BLOCK) as file:
        while True:
            data = file.read(BLOCK)
            if not data:
                return digest.hexdigest()
            size += len(data)
            if size > room:
                raise SettingError(KEY, f"{mask(url)}: is larger than {Limits().bytes:,} bytes: download it yourself, to data/own")
            digest.update(data)
            with _not_the_store():
                copy.write(data)


class _LocalError(Exception):
    """An error of this machine's disk, with the OSError as its argument."""


@contextmanager
def _not_the_store() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _LocalError(error) from None


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Raise a store's errors as one line. Each store has its own library, whose errors have no common base."""
    settings = STORES[url.partition("://")[0]].settings
    try:
        yield
    except UserError:
        raise
    except _LocalError as error:
        raise error.args[0] from None
    except FileNotFoundError:
        raise SettingError(KEY, f"{mask(url)}: there is no such bucket, folder or file") from None
    except PermissionError as error:
        raise SettingError(KEY, f"{mask(url)}: access denied ({_first_line(error)}): the environment may set {settings}") from None
    except Exception as error:
        raise SettingError(KEY, f"{mask(url)}: cannot be read: {_first_line(error)}: the environment may set {settings}") from None


def _first_line(error: Exception) -> str:
    return mask_all((str(error).strip() or type(error).__name__).splitlines()[0])
