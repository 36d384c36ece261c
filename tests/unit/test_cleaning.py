import random
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lstm_lm.errors import UserError
from lstm_lm.text.sources import cleaning
from lstm_lm.text.sources.cleaning import clean_blocks, clean_text, strip_gutenberg, strip_markdown

GUTENBERG = """The Project Gutenberg eBook of A Book
Licence.

*** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***

First line,
second line.

*** END OF THE PROJECT GUTENBERG EBOOK A BOOK ***
More licence.
"""


def test_markdown_markup_is_removed_and_words_and_newlines_are_kept():
    text = "# ACT I\n\n_Enter the KING_\n\n**KING**  \nSo shaken as we are,  \nso *wan* with `care` [here](http://x)\n\n- one\n- two\n"
    words = "".join(strip_markdown([text]))
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


def test_gutenberg_header_and_footer_are_removed():
    assert "".join(strip_gutenberg([GUTENBERG])) == "First line,\nsecond line.\n"
    assert "".join(strip_gutenberg(["*** Not a marker ***\n"])) == "*** Not a marker ***\n"


def test_clean_text_removes_markup_according_to_the_file_suffix():
    assert clean_text(b"*so*\r\n", "utf-8", "a.md", clean=True).strip() == "so"
    assert clean_text(b"*so*\r\n", "utf-8", "a.md.GZ", clean=True).strip() == "so"
    assert clean_text(b"*so*\r\n", "utf-8", "a.txt", clean=True) == "*so*\n"
    assert clean_text(b"*so*\r\n", "utf-8", "a.md", clean=False) == "*so*\n"


def clean_whole(content: bytes, encoding: str) -> str:
    """The plain version of `clean_blocks` for a file that is no Markdown, with the whole text in one string."""
    text = content.decode(encoding).lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    start = re.search(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.*$", text, re.MULTILINE)
    if start:
        text = text[start.end() :].lstrip("\n")
        end = re.search(r"^\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG.*$", text, re.MULTILINE)
        text = text[: end.start()].rstrip() + "\n" if end else text
    text = unicodedata.normalize("NFC", text)
    return text.translate(str.maketrans("\u2018\u2019\u201b\u201c\u201d\u201f", "'''\"\"\""))


def in_blocks(content: bytes, sizes: list[int]) -> list[bytes]:
    """The bytes in blocks of these sizes, which repeat."""
    blocks = []
    while content:
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(content[:size])
        content = content[size:]
    return blocks


# What a boundary between two blocks can lie in.
PARTS = st.sampled_from(
    [
        "\r\n",
        "\r",
        "\n",
        "\n\n",
        " ",
        "e\u0301",  # composed: 1 character
        "\u0301\u0323",  # marks that change places
        "a\u0323\u0301",
        "\u1112\u1161\u11ab",  # 3 letters that are composed to 1 syllable
        "\uac00\u11a8",
        "\u0915\u093c",  # decomposed by NFC
        "\u09c7\u09be",  # composed, although neither is a mark above or below
        "\u2018so\u2019 \u201cit\u201d",
        "\U0001f600",
        "\ufeff",
        "\u5b66\u800c",
        "*** START OF THE PROJECT GUTENBERG EBOOK A ***",
        "***START OF THIS PROJECT GUTENBERG EBOOK A ***",
        "*** END OF THE PROJECT GUTENBERG EBOOK A ***",
        "*** END",
        "words",
    ]
)
TEXTS = st.lists(st.one_of(PARTS, st.text(max_size=3)), max_size=30).map("".join)
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=4)


@pytest.mark.slow
@given(text=TEXTS, sizes=SIZES, encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "utf-32-le", "gb18030"]))
@example(text="\n*** START OF THE PROJECT GUTENBERG\n\n\na \n \n*** END OF THE PROJECT GUTENBERG", sizes=[1], encoding="utf-8")
@example(text="\ufeff\ufeff", sizes=[1], encoding="utf-8")
@example(text="\ufeff\ufeff\ufeffa\ufeff", sizes=[1, 5], encoding="utf-32-le")
@settings(max_examples=150, deadline=None)
def test_a_text_in_blocks_of_any_size_is_cleaned_like_the_whole(text: str, sizes: list[int], encoding: str) -> None:
    content = text.encode(encoding, "replace")
    whole = clean_whole(content, encoding)
    if text.count("START OF") < 2:  # the plain version knows no file of several e-books
        assert clean_text(content, encoding, "a.txt", clean=True) == whole
    assert "".join(clean_blocks(in_blocks(content, sizes), encoding, "a.txt", clean=True)) == clean_text(content, encoding, "a.txt", True)
    without = "".join(clean_blocks(in_blocks(content, sizes), encoding, "a.txt", clean=False))
    assert without == content.decode(encoding).lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


@given(
    content=st.binary(max_size=40), sizes=SIZES, encoding=st.sampled_from(["utf-8", "ascii", "cp1252", "gb18030", "shift_jis", "euc_kr"])
)
@settings(max_examples=150, deadline=None)
def test_the_first_byte_in_another_encoding_is_named_whatever_the_blocks(content: bytes, sizes: list[int], encoding: str) -> None:
    try:
        content.decode(encoding)
        expected = None
    except UnicodeDecodeError as error:
        expected = error.start
    if cleaning.formats.marked_encoding(content):
        return
    try:
        "".join(clean_blocks(in_blocks(content, sizes), encoding, "a.txt", clean=False))
        assert expected is None
    except UserError as error:
        assert f"a.txt: byte {expected} is not {encoding}: " in str(error)


def test_composed_pieces_are_the_composed_whole_for_every_character() -> None:
    """Every character of Unicode, in random orders with those that combine, which a block may end before."""
    characters = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
    changing = [c for c in characters if unicodedata.combining(c) or unicodedata.decomposition(c) or 0x1100 <= ord(c) < 0x1200]
    generator = random.Random(1)
    text = "".join(generator.choices(changing, k=60_000)) + "".join(generator.sample(characters, 60_000)) + "a" * 10
    for size in (1, 7, 1000):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        assert "".join(cleaning.normalize(pieces)) == clean_whole(text.encode(), "utf-8")


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])
@pytest.mark.parametrize("clean", [True, False])
def test_a_byte_order_mark_says_the_encoding_and_is_removed(encoding: str, mark: bytes, clean: bool) -> None:
    content = mark + "na\u00efve\r\n".encode(encoding)
    for configured in ("utf-8", "latin-1", encoding):
        assert clean_text(content, configured, "a.txt", clean) == "na\u00efve\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32-le", "gb18030"])
@pytest.mark.parametrize("marks", [0, 1, 2, 3])
def test_all_byte_order_marks_at_the_start_are_removed_and_no_others(encoding: str, marks: int) -> None:
    content = ("\ufeff" * marks + "so\ufeff it").encode(encoding)
    assert clean_text(content, encoding, "a.txt", True) == "so\ufeff it"


def test_only_headers_of_ebooks_near_the_start_are_removed_but_of_all_books_in_a_file() -> None:
    assert clean_text((GUTENBERG + GUTENBERG).encode(), "utf-8", "a.txt", True) == "First line,\nsecond line.\n" * 2
    own = "my own words\n" * 10_000
    assert clean_text((own + GUTENBERG).encode(), "utf-8", "a.txt", True) == own + GUTENBERG


def test_a_long_markdown_file_is_parsed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    paragraph = "# A *title*\n\nsome **bold** words\nand [a link](http://x)\n\n```\n*code*\n\n# code\n```\n\n> quoted\n\n"
    text = paragraph * 40
    whole = "".join(strip_markdown([text]))
    for size in (150, 400, 1000):
        monkeypatch.setattr(cleaning, "MARKDOWN_PIECE", size)
        assert "".join(strip_markdown(in_blocks_of_text(text, 97))) == whole
    assert "".join(strip_markdown(["a" * 2500])).replace("\n", "") == "a" * 2500


def in_blocks_of_text(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]
