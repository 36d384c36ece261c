import pytest

from lstm_lm.tracking.registry import Outcome
from lstm_lm.ui import evaluation_messages


def shown(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> str:
    evaluation_messages.show_logged_model("lstm_lm", outcome)
    return capsys.readouterr().out


def test_an_experiments_model_is_promoted_by_the_experiments_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "slower")
    assert shown(Outcome("m-1", None), capsys) == (
        "MLflow model models:/m-1 (not registered as a version; make promote RUN=slower does that)\n"
    )


def test_a_new_champion_is_said_to_reach_servers_at_their_next_reload(capsys: pytest.CaptureFixture[str]) -> None:
    champion = "models:/lstm_lm@champion is version"
    printed = shown(Outcome("m-1", 2, is_new=True, is_champion=True), capsys)
    assert printed.endswith(f"\n{champion} 2 now: a running make serve takes it at its next reload\n")
    assert shown(Outcome("m-1", 1, is_new=True, is_champion=True), capsys).endswith(f"\n{champion} 1\n")  # no server has another one
    assert shown(Outcome("m-1", 2, is_new=False, is_champion=True), capsys).endswith(f"\n{champion} 2\n")
