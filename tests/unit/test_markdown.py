from pathlib import Path

import pytest

from lstm_lm.ui import markdown


def test_replacing_a_section_keeps_the_text_around_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table:a -->\nold\n<!-- /table:a -->\nafter\n")
    markdown.write(page, "a", "new")
    assert page.read_text() == "before\n<!-- table:a -->\nnew\n<!-- /table:a -->\nafter\n"
    with pytest.raises(ValueError, match="no markers"):
        markdown.write(page, "b", "new")


def test_a_table_is_aligned_and_has_no_separator_in_a_cell() -> None:
    assert markdown.table(["name", "loss"], [["a|b", 1.5], ["c", None]]) == "| name | loss |\n| --- | ---: |\n| a/b | 1.5 |\n| c |  |"
