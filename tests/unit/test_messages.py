from pathlib import Path

import pytest

from conftest import PROJECT
from lstm_lm.commands.reference import problems, remedies
from lstm_lm.commands.reference.messages import Message, is_complete, messages
from lstm_lm.errors import UserError

MODULE = """
from lstm_lm.errors import SettingError, UserError

KEY = "vocab.test"

def used_line(name):
    return f"{name} is used: choose another"

def check(value, path):
    problem = "too small" if value < 0 else f"above {value}"
    if path:
        raise UserError(f"{path}: {problem}: lower it")
    raise SettingError(KEY, f"{value} is " "odd: change it")

def report_all(report, name):
    report(f"{name} was removed")
    raise UserError(used_line(name))

def count(words, files):
    raise UserError(f"{counted(words, 'word')} in {counted(len(files), 'entry', 'entries')}: add more")
"""
# Their messages are made elsewhere, such as by the checks of the schema, and are found there.
MADE_ELSEWHERE = {
    *("commands/check.py", "commands/serve.py", "config/messages.py", "experiments/ablation/loop.py"),
    *("experiments/search/pruning.py", "text/sources/web.py"),
}


@pytest.fixture(scope="module")
def shown() -> list[Message]:
    return messages(PROJECT / "src/lstm_lm")


def test_messages_are_found_with_their_alternatives_constants_and_helpers(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(MODULE)
    assert [message.template for message in messages(tmp_path)] == [
        "…: too small: lower it",
        "…: above …: lower it",
        "params.yaml: vocab.test: … is odd: change it",
        "warning: … was removed",
        "… is used: choose another",
        "… words in … entries: add more",
    ]


@pytest.mark.slow
def test_every_message_of_the_code_is_found(shown: list[Message]) -> None:
    assert {message.path for message in shown if not is_complete(message)} == MADE_ELSEWHERE
    assert len(shown) > 200


@pytest.mark.slow
@pytest.mark.parametrize("words", ["the training diverged at step", "is already running this training", "there is no model in"])
def test_messages_that_are_formatted_elsewhere_are_found_too(shown: list[Message], words: str) -> None:
    assert any(words in message.template for message in shown)


@pytest.mark.slow
def test_a_message_says_what_to_do_or_has_a_remedy(shown: list[Message], monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems.remedy(Message("port … is taken: choose another, with: …", "x.py")) == "Choose another, with: …"
    assert problems.remedy(Message("x = …: must be above 0", "x.py")) == "The value must be above 0."
    silent = Message("the moon is full", "x.py")
    with pytest.raises(UserError, match="does not say what to do"):
        problems.remedy(silent)
    monkeypatch.setitem(remedies.REMEDIES, "the moon", "Wait.")
    assert problems.remedy(silent) == "Wait."
    monkeypatch.setattr(problems, "messages", lambda: shown)
    with pytest.raises(UserError, match="no message begins with 'the moon'"):
        problems.page()
