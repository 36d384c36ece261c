import io
import itertools
from collections.abc import Iterator

import pytest

from lstm_lm.commands.text_printer import Part, TextPrinter


class Terminal(io.StringIO):
    """Standard output that notes what was on the screen at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.screens: list[str] = []

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        self.screens.append(self.getvalue())


def test_a_text_is_shown_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    TextPrinter().print_all([Part(0, "to be", False), Part(0, " or", False), Part(0, " not", True)])
    assert terminal.screens[:3] == ["to be", "to be or", "to be or not\n"]
    assert terminal.getvalue() == "to be or not\n"


def test_on_a_terminal_lines_break_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "20")
    TextPrinter().print_all([Part(0, "to be", False), Part(0, " or not to be that", False), Part(0, " is", True), Part(1, "the", True)])
    assert terminal.getvalue() == "to be or not to be\nthat is\n\nthe\n"


def test_on_a_terminal_an_empty_line_separates_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    TextPrinter().print_all([Part(0, "a", False), Part(1, "b", True), Part(0, " c", True), Part(2, "", False), Part(2, "d", True)])
    assert terminal.getvalue() == "a c\n\nb\n\nd\n"


@pytest.mark.parametrize("order", set(itertools.permutations([0, 0, 1, 1, 2, 2])))
def test_texts_are_never_mixed(order: tuple[int, ...], capsys: pytest.CaptureFixture[str]) -> None:
    seen = [0, 0, 0]
    parts = []
    for number in order:
        parts.append(Part(number, f" {number}{'ab'[seen[number]]}", seen[number] == 1))
        seen[number] += 1
    TextPrinter().print_all(parts)
    assert capsys.readouterr().out == "0a 0b\n1a 1b\n2a 2b\n"


def test_white_space_around_a_text_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    TextPrinter().print_all(
        [Part(0, " \n", False), Part(0, " a\n", False), Part(0, "\n", False), Part(0, "b\n", False), Part(0, " ", True)]
    )
    assert capsys.readouterr().out == "a\n\nb\n"


def test_an_empty_text_has_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    TextPrinter().print_all([Part(0, "", True), Part(1, "a", True)])
    assert capsys.readouterr().out == "\na\n"


def test_what_was_printed_before_an_interruption_stays_on_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    def parts() -> Iterator[Part]:
        yield Part(0, "to be", False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TextPrinter().print_all(parts())
    assert capsys.readouterr().out == "to be\n"
