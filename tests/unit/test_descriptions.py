from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card_inputs import card_inputs
from lstm_lm.tracking import descriptions, operations, registry, store
from lstm_lm.tracking.logged_model import DIGEST_TAG
from lstm_lm.tracking.outbox import Outbox
from lstm_lm.tracking.run import Run, create_run
from lstm_lm.tracking.store import DESCRIPTION_TAG
from lstm_lm.ui.report import card
from mlflow_helpers import SETTINGS, log_small_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

CARD = card.build(card_inputs())
TABLE = """Before.

|  | test | file |
| --- | ---: | --- |
| words | 43,628 | a b |
| loss, in nats | 5 | |

After."""


@pytest.fixture
def client(tracked_project: Path) -> "MlflowClient":
    return store.connect(SETTINGS.tracking)


def note_of(client: "MlflowClient", run_id: str) -> str:
    return str(client.get_run(run_id).data.tags[DESCRIPTION_TAG])


def test_a_text_of_ours_is_replaceable_until_it_is_edited() -> None:
    text = descriptions.signed("Perplexity 166.4.\n\nMore.")
    assert descriptions.is_replaceable(text)
    assert descriptions.is_replaceable(text.replace("\n", "\r\n") + "\n")
    assert descriptions.is_replaceable("")
    assert descriptions.is_replaceable(None)
    assert not descriptions.is_replaceable(text.replace("More", "Much more"))
    assert not descriptions.is_replaceable("my own note")
    assert not descriptions.is_replaceable(f"{text}\nmy own note")


def test_tables_are_spaced_and_links_lead_to_the_pages_of_the_run() -> None:
    shown = descriptions.for_pages(f"{TABLE}\n\nSee [a](run:artifacts/my report.html).", "1", "abc")
    lines = shown.splitlines()
    assert lines[4].replace(descriptions.FIGURE_SPACE, "_") == "|words|&emsp;43,628|&emsp;a b|"
    assert lines[5].replace(descriptions.FIGURE_SPACE, "_") == "|loss, in nats|&emsp;_____5||"
    assert lines[7] == "&nbsp;"
    assert lines[9] == "After."
    assert shown.endswith("See [a](#/experiments/1/runs/abc/artifacts/my%20report.html?workflowType=machine_learning).")


def test_code_is_left_as_it_is() -> None:
    code = "```\nprint('| a | b |')\n```"
    assert descriptions.for_pages(code, "1", "abc") == code


def test_a_note_replaces_ours_and_leaves_the_users(client: "MlflowClient", tmp_path: Path) -> None:
    run_id = create_run(client, SETTINGS)
    target = operations.Target(Run(client, run_id), Outbox(tmp_path, run_id), is_uncertain=False)
    note = {"kind": "note", "text": "Training: step 1. See the [curves](run:model-metrics)."}
    for _ in range(2):  # sent again after a lost answer
        assert operations.apply(target, note) is True
        assert note_of(client, run_id).startswith("Training: step 1. See the [curves](#/experiments/1/runs/")
    assert operations.apply(target, {"kind": "note", "text": "Perplexity 166.4."}) is True
    assert note_of(client, run_id) == descriptions.signed("Perplexity 166.4.")
    client.set_tag(run_id, DESCRIPTION_TAG, "mine")
    assert operations.apply(target, note) is False
    assert note_of(client, run_id) == "mine"


def test_a_long_note_fits_into_a_tag(client: "MlflowClient") -> None:
    run_id = create_run(client, SETTINGS)
    assert descriptions.set_note(client, run_id, "wörd " * 5_000)
    assert len(note_of(client, run_id).encode()) <= descriptions.MAX_NOTE
    assert descriptions.is_replaceable(note_of(client, run_id))


def test_a_version_is_described_by_its_card_until_a_user_describes_it(client: "MlflowClient") -> None:
    run_id = create_run(client, SETTINGS)
    tags = registry.ModelToLog("", "", "lstm_lm", True, 9.0, "t").tags(run_id) | {DIGEST_TAG: "d"}
    model_id = log_small_model(client, tags)
    description = descriptions.of_version(client, run_id, CARD)
    assert len(description.encode()) <= descriptions.MAX_DESCRIPTION
    assert description.startswith("Perplexity 166.4 per word on the test text (95% interval 158.7 to 174.4)")
    assert f"[model_card.md](#/experiments/1/runs/{run_id}/artifacts/model_card.md?{descriptions.MODE})" in description

    def register(text: str | None) -> str:
        registry.register(client, "lstm_lm", model_id, tags, text)
        return str(client.get_model_version("lstm_lm", "1").description)

    assert register(description) == description
    newer = descriptions.of_version(client, run_id, CARD.replace("Perplexity 166.4", "Perplexity 160.0"))
    assert register(newer) == newer
    assert register(None) == newer
    client.update_model_version("lstm_lm", "1", "mine")
    assert register(description) == "mine"


def test_promoting_a_run_describes_the_version_and_its_model_by_the_runs_card(client: "MlflowClient") -> None:
    run_id = create_run(client, SETTINGS)
    model_id = log_small_model(client, registry.ModelToLog("", "", "lstm_lm", True, 9.0, "t").tags(run_id) | {DIGEST_TAG: "d"})
    assert descriptions.card_of_run(client, run_id) is None
    client.log_text(run_id, CARD, descriptions.CARD)
    number = registry.register_run(client, "lstm_lm", run_id)
    assert client.get_model_version("lstm_lm", str(number)).description == descriptions.of_version(client, run_id, CARD)
    first, link = client.get_logged_model(model_id).tags[DESCRIPTION_TAG].splitlines()[0].split(" More: ")
    assert first == CARD.splitlines()[0]
    assert link == f"[model_card.md](#/experiments/1/runs/{run_id}/artifacts/model_card.md?{descriptions.MODE})."
    client.set_logged_model_tags(model_id, {DESCRIPTION_TAG: "mine"})
    registry.register_run(client, "lstm_lm", run_id)
    assert client.get_logged_model(model_id).tags[DESCRIPTION_TAG] == "mine"


def test_the_registered_model_says_how_the_champion_is_chosen_unless_a_user_describes_it(client: "MlflowClient") -> None:
    [old] = descriptions.OLD_MODEL_DESCRIPTIONS
    client.create_registered_model("lstm_lm", description=old)

    def described() -> str:
        descriptions.describe_model(client, "lstm_lm", client.get_registered_model("lstm_lm").description)
        return str(client.get_registered_model("lstm_lm").description)

    assert "champion" in described()
    assert described() == descriptions.of_model("lstm_lm")
    assert len(described()) <= descriptions.MAX_DESCRIPTION
    client.update_registered_model("lstm_lm", "mine")
    assert described() == "mine"
