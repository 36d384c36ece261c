import io
import re

import pytest

from lstm_lm.ui import terminal
from lstm_lm.ui.terminal import Column
from terminal_stream import Tty, replace_stdout

COLUMNS = [Column("name", align="left"), Column("loss", drop_order=2), Column("perplexity"), Column("words", drop_order=1)]
ROWS = [["test", "5.109", "165.50", "43,628"], ["  another model of the same text, too", "", "250.66", ""]]


def test_a_table_has_all_columns_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.table(COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:2]] == [["name", "loss", "perplexity", "words"], ["test", "5.109", "165.50", "43,628"]]
    assert lines[2].split()[-1] == "250.66"
    assert lines[1].index("165.50") + len("165.50") == lines[0].index("perplexity") + len("perplexity")  # numbers are right-aligned


def test_a_narrow_window_shows_fewer_columns_and_names_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = replace_stdout(monkeypatch, Tty())
    terminal.table(COLUMNS, ROWS, where="reports/metrics.json")
    lines = re.sub(r"\x1b\[\d*m", "", tty.getvalue()).splitlines()  # removes bold and dim
    assert lines[0].split() == ["name", "loss", "perplexity"]
    assert " ".join(" ".join(lines[3:]).split()) == "(this window is too narrow for words: see reports/metrics.json)"
    assert all(len(line) <= 60 for line in lines)


def test_text_is_wrapped_on_a_terminal_and_not_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = replace_stdout(monkeypatch, Tty())
    text = "word " * 30
    terminal.print(text)
    assert all(set(line.split()) == {"word"} and len(line) <= 60 for line in tty.getvalue().splitlines())
    pipe = replace_stdout(monkeypatch, io.StringIO())
    terminal.print(text)
    assert pipe.getvalue() == f"{text}\n"


def test_text_is_printed_literally(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = replace_stdout(monkeypatch, Tty())
    terminal.print("[red] :smile: 1.5 [/]")
    assert tty.getvalue() == "[red] :smile: 1.5 [/]\n"


def test_colors_require_a_terminal_even_with_force_color(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = replace_stdout(monkeypatch, io.StringIO())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal.heading("next steps")
    terminal.table(COLUMNS, ROWS)
    assert "\x1b" not in pipe.getvalue()


def test_notes_and_warnings_go_to_stderr_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.note("x " * 100)
    terminal.warning("y")
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"note: {'x ' * 100}\nwarning: y\n")


def test_commands_are_never_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = replace_stdout(monkeypatch, Tty())
    terminal.commands([("make ui", "the pages"), ("make sample PROMPT=x", "a text")])
    terminal.commands([("make " + "x" * 70, "a long one")])
    assert tty.getvalue().splitlines() == [
        "  make ui               the pages",
        "  make sample PROMPT=x  a text",
        f"  make {'x' * 70}",
        "      a long one",
    ]


def test_descriptions_are_wrapped_beside_their_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = replace_stdout(monkeypatch, Tty())
    terminal.commands([("make sample PROMPT=x", "a text that takes more than one line"), ("make ui", "the pages")])
    assert tty.getvalue().splitlines() == [
        "  make sample PROMPT=x  a text that takes more than one line",
        "  make ui               the pages",
    ]
    tty = replace_stdout(monkeypatch, Tty())
    terminal.commands([("make sample PROMPT=x", "a text that takes more than one line, word by word"), ("make ui", "the pages")])
    assert tty.getvalue().splitlines() == [
        "  make sample PROMPT=x  a text that takes more than one",
        "                        line, word by word",
        "  make ui               the pages",
    ]


def test_a_paragraph_is_indented_and_cut_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = replace_stdout(monkeypatch, Tty())
    terminal.paragraph("word " * 30, "  ", max_lines=2)
    assert tty.getvalue().splitlines() == ["  " + " ".join(["word"] * 11), "  " + " ".join(["word"] * 11) + " ..."]
    tty = replace_stdout(monkeypatch, Tty())
    terminal.paragraph("x" * 200, "  ", max_lines=2)  # a text without spaces
    assert tty.getvalue().splitlines() == ["  " + "x" * 58, "  " + "x" * 54 + " ..."]
    pipe = replace_stdout(monkeypatch, io.StringIO())
    terminal.paragraph("word " * 30, "  ", max_lines=2)
    assert pipe.getvalue() == f"  {'word ' * 30}\n"


def test_further_lines_of_a_text_start_under_its_first_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = replace_stdout(monkeypatch, Tty())
    terminal.console().print(terminal.hanging("  greedy   ", "word " * 15))
    assert [line.rstrip() for line in tty.getvalue().splitlines()] == [
        "  greedy   " + " ".join(["word"] * 10),
        "           " + " ".join(["word"] * 5),
    ]


def test_small_perplexities_have_more_decimals() -> None:
    assert [terminal.perplexity(value) for value in (166.366, 10.0, 1.8734, None)] == ["166.4", "10.0", "1.873", "-"]
