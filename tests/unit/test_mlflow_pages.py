import json

import pytest

from lstm_lm.commands.ui import announce
from lstm_lm.tracking import mlflow_pages

REMOTE = "http://192.0.2.1:5000/#/page"
LOCAL = "http://127.0.0.1:5000/#/page"


def test_a_page_begins_with_the_defaults() -> None:
    page = mlflow_pages.with_defaults("<!doctype html><html><head><title>x</title></head></html>", {"a": '"b"'})
    assert page.startswith("<!doctype html><html><head><script>try { for (const [name, value] of ")
    assert json.dumps({"a": '"b"'}) in page
    assert page.endswith("</script><title>x</title></head></html>")


def test_the_address_on_this_machine_is_printed_last(capsys: pytest.CaptureFixture[str]) -> None:
    announce([LOCAL, REMOTE], is_empty=True, sends_usage_data=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"  {LOCAL}"
    assert f"  {REMOTE}" in lines[:-1]
    assert lines[0].startswith("There is no training yet. In another terminal, run: make repro.")
    assert "MLflow sends no usage data" in lines[1]
    announce([LOCAL], is_empty=False, sends_usage_data=True)
    assert capsys.readouterr().out == f"Ready (Ctrl-C stops). The leaderboard of all trainings:\n  {LOCAL}\n"
