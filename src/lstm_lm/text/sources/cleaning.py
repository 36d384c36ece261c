"""The bytes of a file -> clean text."""

import re
import unicodedata

from lstm_lm.errors import SettingError, UserError

STRAIGHT_QUOTES = str.maketrans({**dict.fromkeys("\u2018\u2019\u201b", "'"), **dict.fromkeys("\u201c\u201d\u201f", '"')})
GUTENBERG_START = re.compile(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.*$", re.MULTILINE)
GUTENBERG_END = re.compile(r"^\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG.*$", re.MULTILINE)


def check_encoding(encoding: str) -> None:
    """Check that Python knows an encoding.

    Raises:
        SettingError: it does not.
    """
    try:
        "".encode(encoding)
    except (LookupError, UnicodeError):
        raise SettingError("download.encoding", f"{encoding!r} is not an encoding that Python knows, such as utf-8 or latin-1") from None


def clean_text(content: bytes, encoding: str, name: str, clean: bool) -> str:
    """Decode a file and normalise its text.

    Args:
        content: the file's bytes.
        encoding: a Python codec name.
        name: the file's, whose ending says whether it is Markdown.
        clean: whether to straighten quotes, compose accents (NFC) and remove markup and licenses; if not, only newlines become LF.
    Raises:
        UserError: the file is in another encoding.
    """
    text = decode(content, encoding, name)
    if not clean:
        return unix_newlines(text)
    if name.endswith(".md"):
        text = strip_markdown(text)
    return normalize(strip_gutenberg(text))


def decode(content: bytes, encoding: str, name: str) -> str:
    """The text in a file's bytes.

    Raises:
        UserError: they are in another encoding.
    """
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name}: byte {error.start} is not {encoding}: if the file is in another encoding, name it in params.yaml: download.encoding"
        ) from None


def normalize(text: str) -> str:
    """The text with LF newlines, NFC, straight quotes and no byte-order mark; every newline is kept."""
    text = unix_newlines(text.removeprefix("\ufeff"))
    return unicodedata.normalize("NFC", text).translate(STRAIGHT_QUOTES)


def unix_newlines(text: str) -> str:
    """The text with LF for CR LF and CR."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def strip_markdown(text: str) -> str:
    """The words of a CommonMark text without its markup; newlines are kept."""
    from markdown_it import MarkdownIt  # here, because most text has no markup

    pieces = []
    for block in MarkdownIt("commonmark").parse(text):
        if block.type == "inline":
            for part in block.children or ():
                if part.type in ("softbreak", "hardbreak"):
                    pieces.append("\n")
                elif part.type != "html_inline":
                    pieces.append(part.content)
            pieces.append("\n")
        elif block.type in ("fence", "code_block"):
            pieces.append(block.content)
        elif block.type.endswith("_close"):
            pieces.append("\n")
    return "".join(pieces)


def strip_gutenberg(text: str) -> str:
    """A Project Gutenberg e-book without its header, license and footer; any other text unchanged."""
    start = GUTENBERG_START.search(text)
    if not start:
        return text
    text = text[start.end() :].lstrip("\r\n")
    end = GUTENBERG_END.search(text)
    return text[: end.start()].rstrip() + "\n" if end else text
