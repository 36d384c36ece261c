"""What a file is, by its first bytes: text, a web page, or a binary format."""

import codecs
import re

from lstm_lm.errors import UserError

HEAD_BYTES = 2**13  # that are looked at, as by Git
MAX_CONTROLS = 0.01  # fraction of control characters in a text
MIN_ZEROS = 0.02  # fraction of zeros in a text in UTF-16

BYTE_ORDER_MARKS = (  # UTF-32 first: its mark starts with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
MAX_MARK = 4  # bytes
# Formats that might pass for text, and those that people put among their texts. Others are known by their control characters.
SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\x03\x04", "a zip archive or a document like docx, odt and epub"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document like doc and xls"),
    (b"\x1f\x8b", "compressed"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\x89PNG\r\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
)
TAR_OFFSET, TAR = 257, b"ustar"
POINTERS = (  # what Git holds in place of a large file
    (b"version https://git-lfs.github.com/spec/", "git lfs pull"),
    (b"/annex/objects/", "git annex get"),
)
WEB_PAGE = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
# Not among them: tab, newline, vertical tab, form feed, carriage return, escape.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte-order mark at the start of a file says, or None if there is no mark."""
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def recognize(head: bytes, encoding: str, name: str) -> str | None:
    """What a file is if it is not text, such as "a PDF document"; None for text.

    Args:
        head: its first HEAD_BYTES, or all of a shorter file.
        encoding: of text without a byte-order mark.
        name: for messages.
    Raises:
        UserError: the text is elsewhere, or in UTF-16 that nothing says.
    """
    for start, command in POINTERS:
        if head.startswith(start):
            raise UserError(f"{name}: only a pointer to the text, which is not here: fetch it with: {command}")
    for signature, description in SIGNATURES:
        if head.startswith(signature):
            return description
    if head[TAR_OFFSET:].startswith(TAR):
        return "a tar archive"
    marked = marked_encoding(head)
    text = _decode(head, marked or encoding)
    if text is None or "\0" in text:
        likely = None if marked else _unmarked_utf16(head)
        if likely:
            raise UserError(f"{name}: seems to be {likely} without a byte-order mark: name it in params.yaml: download.encoding")
    characters = head.decode("latin-1") if text is None else text
    if "\0" in characters or _has_many_controls(characters):
        return "binary"
    return "a web page (HTML)" if WEB_PAGE.match(characters) else None


def _has_many_controls(text: str) -> bool:
    return len(CONTROL_CHARACTERS.findall(text)) > max(1, MAX_CONTROLS * len(text))


def _decode(head: bytes, encoding: str) -> str | None:
    """The text in the first bytes of a file, or None if they are in another encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError:
        return None


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 in one order of bytes, if a file seems to be that: its spaces and newlines have a zero at every other byte."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if min(even, odd) > 0 or max(even, odd) < MIN_ZEROS * len(head):
        return None
    encoding = "utf-16-le" if odd else "utf-16-be"
    text = _decode(head, encoding)
    return encoding if text and not _has_many_controls(text) else None
