"""The bytes of a file -> clean text, a block at a time: the memory does not depend on the file's size.

The blocks may be of any size: the text is the same.
"""

import codecs
import io
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator

from lstm_lm.errors import SettingError, UserError
from lstm_lm.text.sources import formats
from lstm_lm.text.sources.files import uncompressed_name

STRAIGHT_QUOTES = {**dict.fromkeys("\u2018\u2019\u201b", "'"), **dict.fromkeys("\u201c\u201d\u201f", '"')}
GUTENBERG_START = re.compile(r"\n\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG")
GUTENBERG_END = re.compile(r"\n\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG")
LINE_END = re.compile(r"(?=\n)")
MAX_MARKER = 40  # characters of what these patterns match
GUTENBERG_HEADER = 100_000  # characters within which the text of an e-book starts
MARKDOWN_PIECE = 1_000_000  # characters of a long Markdown file that are parsed together
CODE_FENCE_OR_BLANK_LINE = re.compile(r"^ {0,3}(`{3,}|~{3,})|\n\n(?=\S)", re.MULTILINE)
# A text up to the last character that surely does not combine with the one before, so that both sides can be composed on their own.
UP_TO_STARTER = re.compile("(?s:.*)[\x00-\u02ff\u3000-\u3029\u3400-\u9fff\uac00-\ud7a3]")


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
    """The clean text of a file that is held in memory: see `clean_blocks`."""
    return "".join(clean_blocks([content], encoding, name, clean))


def clean_blocks(blocks: Iterable[bytes], encoding: str, name: str, clean: bool) -> Iterator[str]:
    """Decode a file and normalize its text.

    Args:
        blocks: the file's bytes in order.
        encoding: a Python codec name. A byte-order mark takes precedence.
        name: the file's, whose ending says whether it is Markdown.
        clean: whether to straighten quotes, compose accents (NFC) and remove markup and licenses; if not, only newlines become LF,
            and byte-order marks at the start are removed.
    Raises:
        UserError: the file is in another encoding.
    """
    texts = decode(blocks, encoding, name)
    if not clean:
        return texts
    if uncompressed_name(name).endswith(".md"):
        texts = strip_markdown(texts)
    return normalize(strip_gutenberg(texts))


def decode(blocks: Iterable[bytes], encoding: str, name: str) -> Iterator[str]:
    """Yield the text in a file's bytes, with LF for CR LF and CR, and without byte-order marks at its start.

    Raises:
        UserError: they are in another encoding.
    """
    head, blocks = b"", iter(blocks)
    while len(head) < formats.MAX_MARK and (block := next(blocks, None)) is not None:
        head += block
    encoding = formats.marked_encoding(head) or encoding
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    position, at_start = 0, True
    for block in itertools.chain([head], blocks, [None]):
        position += len(block or b"")
        try:
            text = decoder.decode(block or b"", final=block is None)
        except UnicodeDecodeError as error:
            # Its positions are those in the bytes that were not decoded yet, of which the block is the end.
            raise UserError(
                f"{name}: byte {position - len(error.object) + error.start} is not {encoding}: if the file is in another encoding, "
                "name it in params.yaml: download.encoding"
            ) from None
        if at_start:  # the codec of a marked encoding has removed one mark, and others none
            text = text.lstrip("\ufeff")
        if text:
            at_start = False
            yield text


def normalize(texts: Iterable[str]) -> Iterator[str]:
    """Yield the text in NFC and with straight quotes."""
    rest = ""
    for text in texts:
        joined = rest + text
        # The last character waits, because what follows may combine with it.
        match = UP_TO_STARTER.match(joined, len(rest))
        end = match.end() - 1 if match else 0
        yield _normalize(joined[:end])
        rest = joined[end:]
    yield _normalize(rest)


def _normalize(text: str) -> str:
    if text.isascii():
        return text
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    for quote, straight in STRAIGHT_QUOTES.items():  # several times faster than str.translate
        text = text.replace(quote, straight)
    return text


def strip_markdown(texts: Iterable[str]) -> Iterator[str]:
    """Yield the words of a CommonMark text without its markup; newlines are kept.

    A text of more than MARKDOWN_PIECE characters is parsed in pieces that end with a paragraph, so that a link in one of them does
    not find its address in another.
    """
    for piece in _markdown_pieces(texts):
        yield _strip_markdown(piece)


def _markdown_pieces(texts: Iterable[str]) -> Iterator[str]:
    rest = ""
    for text in texts:
        rest += text
        while len(rest) > MARKDOWN_PIECE:
            end = _end_of_markdown_piece(rest)
            yield rest[:end]
            rest = rest[end:]
    yield rest


def _end_of_markdown_piece(text: str) -> int:
    """Where a piece of at most MARKDOWN_PIECE characters ends: after a blank line outside a code block, else after any line."""
    fence, end = "", 0
    for match in CODE_FENCE_OR_BLANK_LINE.finditer(text, 0, MARKDOWN_PIECE):
        if not match[1]:
            end = end if fence else match.end()
        elif not fence:
            fence = match[1]
        elif match[1].startswith(fence):
            fence = ""
    return end or text.rfind("\n", 0, MARKDOWN_PIECE) + 1 or MARKDOWN_PIECE


def _strip_markdown(text: str) -> str:
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


def strip_gutenberg(texts: Iterable[str]) -> Iterator[str]:
    """Yield the text of Project Gutenberg e-books without their headers, licenses and footers; any other text unchanged."""
    texts = iter(texts)
    head = "\n"  # a marker is a line of its own
    while len(head) < GUTENBERG_HEADER + MAX_MARKER and (text := next(texts, None)) is not None:
        head += text
    start = GUTENBERG_START.search(head, 0, GUTENBERG_HEADER + MAX_MARKER)
    if not start:
        yield head[1:]
        yield from texts
        return
    scanner = _Scanner(itertools.chain([head[start.end() :]], texts))
    while scanner.found:
        scanner.skip(LINE_END)
        yield from _ebook(scanner)
        scanner.skip(GUTENBERG_START)


def _ebook(scanner: "_Scanner") -> Iterator[str]:
    """Yield the text up to the footer, without empty lines around it; up to the end if there is no footer."""
    started, spaces = False, ""
    for part in scanner.until(GUTENBERG_END):
        text = spaces + part
        if not started:
            text = text.lstrip("\n")
            started = bool(text)
        stripped = text.rstrip()
        yield stripped
        spaces = text[len(stripped) :]
    yield "\n" if scanner.found else spaces


class _Scanner:
    """Finds patterns in a text that comes in blocks.

    Attributes:
        found: whether the last pattern was found.
    """

    def __init__(self, texts: Iterator[str]) -> None:
        self.found = True
        self._texts = texts
        self._buffer = ""

    def until(self, pattern: re.Pattern[str]) -> Iterator[str]:
        """Yield the text before the next match, else all. pattern: matches at most MAX_MARKER characters."""
        while True:
            match = pattern.search(self._buffer)
            if match:
                yield self._buffer[: match.start()]
                self._buffer = self._buffer[match.end() :]
                self.found = True
                return
            text = next(self._texts, None)
            if text is None:
                yield self._buffer
                self._buffer, self.found = "", False
                return
            yield self._buffer[:-MAX_MARKER]
            self._buffer = self._buffer[-MAX_MARKER:] + text

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Skip what `until` yields."""
        for _ in self.until(pattern):
            pass
