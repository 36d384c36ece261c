from lstm_lm.text.sources.cleaning import clean_text, strip_gutenberg, strip_markdown

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
    words = strip_markdown(text)
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
    assert strip_gutenberg(GUTENBERG) == "First line,\nsecond line.\n"
    assert strip_gutenberg("*** Not a marker ***\n") == "*** Not a marker ***\n"


def test_clean_text_removes_markup_according_to_the_file_suffix():
    assert clean_text(b"*so*\r\n", "utf-8", "a.md", clean=True).strip() == "so"
    assert clean_text(b"*so*\r\n", "utf-8", "a.txt", clean=True) == "*so*\n"
    assert clean_text(b"*so*\r\n", "utf-8", "a.md", clean=False) == "*so*\n"
