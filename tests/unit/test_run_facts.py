"""What identifies a run outside of MLflow."""

from pathlib import Path

import pytest

from conftest import PROJECT, run
from lstm_lm.config import keys, loading
from lstm_lm.tracking import run_facts
from lstm_lm.tracking.naming import run_name


def test_the_facts_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = keys.with_changes(loading.read(PROJECT / "params.yaml"), {"download.source": {"url": "https://me:secret@host/text.txt"}})
    settings = loading.check(values)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    facts = run_facts.describe(settings)
    assert (facts["name"], facts["commit"], facts["dirty"]) == (run_name(settings), None, None)
    assert facts["parameters"]["train.epochs"] == settings.train.epochs
    assert "secret" not in str(facts)
    sections = {name.partition(".")[0] for name in facts["parameters"]}
    assert sections == {"download", "vocab", "batching", "model", "train", "evaluate_sample"}

    for name in ("params.yaml", "train.py"):
        (tmp_path / name).write_text("a")
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "a"]):
        run(["git", *command], tmp_path)
    commit = run(["git", "rev-parse", "HEAD"], tmp_path).stdout.strip()
    clean = run_facts.describe(settings)
    (tmp_path / "params.yaml").write_text("b")  # it is an artifact of the run
    assert run_facts.describe(settings)["dirty"] is False
    (tmp_path / "train.py").write_text("b")
    changed = run_facts.describe(settings)
    assert [(found["commit"], found["dirty"]) for found in (clean, changed)] == [(commit, False), (commit, True)]
