import bz2
import codecs
import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import pytest

from lstm_lm.errors import UserError
from lstm_lm.text.sources import formats

WORDS = "Shall I compare thee to a summer's day?\nThou art more lovely.\n"


def make_zip(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


def make_tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    return stream.getvalue()


PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + bytes(13)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", "a PDF document"),
        (b"{\\rtf1\\ansi Some words\\par}", "an RTF document"),
        (make_zip("word/document.xml"), "a zip archive or a document like docx, odt and epub"),
        (make_tar(), "a tar archive"),
        (gzip.compress(b"words", mtime=0), "compressed"),
        (PNG, "an image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "an image"),
        (b"SQLite format 3\x00" + bytes(80), "binary"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), "binary"),
        (zlib.compress(WORDS.encode() * 9) * 9, "binary"),
        (bz2.compress(WORDS.encode() * 99)[20:], "binary"),
    ],
)
def test_binary_files_are_recognized_whatever_the_encoding(content: bytes, what: str, encoding: str) -> None:
    if encoding == "utf-16" and what == "binary":
        return  # nearly every sequence of bytes is text in UTF-16
    assert formats.recognize(content, encoding, "a") == what


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html>\n<html><body>words</body></html>",
        "\n  <HTML lang=en>",
        "<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0'>",
        "<!-- saved from url -->\n<!-- \n -->\n<html>",
        "<head><title>Not found</title></head>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_web_pages_are_recognized(page: str, encoding: str) -> None:
    assert formats.recognize(page.encode(encoding), encoding, "a") == "a web page (HTML)"
    assert formats.recognize(codecs.BOM_UTF8 + page.encode(), encoding, "a") == "a web page (HTML)"
    assert formats.recognize(page.encode() + b"\xff caf\xe9", "utf-8", "a") == "a web page (HTML)"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (WORDS, "utf-8"),
        ("", "utf-8"),
        ("x", "utf-8"),
        ("<doc id=1 title=x>\nwords\n</doc>", "utf-8"),  # of wikiextractor
        ("<p align=center>A README</p>\n\n# Title", "utf-8"),
        ("<headline> is no tag\n", "utf-8"),
        ("If <html> is in the text\n", "utf-8"),
        ("page one\fpage two\x1b[1mbold\x1b[0m\vend\n\x1a", "utf-8"),  # DOS ends texts like that
        ("学而时习之,不亦说乎\n", "gb18030"),
        ("Привет, мир\n", "koi8-r"),
        ("こんにちは\n", "iso2022_jp"),
        ("Привет, мир\n", "utf-16-le"),
        ("Zażółć gęślą jaźń\n", "cp1250"),
        ("words in EBCDIC\n", "cp037"),
        ("naïve 😀 \u2018so\u2019", "utf-8"),
    ],
)
def test_texts_are_texts(text: str, encoding: str) -> None:
    assert formats.recognize(text.encode(encoding), encoding, "a") is None
    for marked in ("utf-8-sig", "utf-16", "utf-32"):
        assert formats.recognize(text.encode(marked), encoding, "a") is None


def test_a_character_that_the_head_ends_in_is_no_error() -> None:
    assert formats.recognize("\u00e9".encode()[:1], "utf-8", "a") is None
    assert formats.recognize(b"caf\xe9 au lait", "utf-8", "a") is None  # in another encoding, which is reported with the byte


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("configured", ["utf-8", "latin-1"])
@pytest.mark.parametrize("text", [WORDS, "Привет, мир и все остальные\n"])
def test_utf16_without_a_mark_is_named(encoding: str, configured: str, text: str) -> None:
    with pytest.raises(
        UserError, match=f"a.txt: seems to be {encoding} without a byte-order mark: name it in params.yaml: download.encoding"
    ):
        formats.recognize(text.encode(encoding), configured, "a.txt")
    assert formats.recognize(text.encode(encoding), encoding, "a.txt") is None


@pytest.mark.parametrize(
    ("content", "command"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        (b"/annex/objects/SHA256E-s12--0a1b.txt\n", "git annex get"),
    ],
)
def test_a_pointer_that_git_holds_in_place_of_the_text_is_an_error(content: bytes, command: str) -> None:
    with pytest.raises(UserError, match=f"a.txt: only a pointer to the text, which is not here: fetch it with: {command}"):
        formats.recognize(content, "utf-8", "a.txt")
