import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lstm_lm.config.schema import EvaluateSample
from lstm_lm.errors import UserError
from lstm_lm.io.extras import python
from lstm_lm.tracking import operations, store
from lstm_lm.tracking.evaluation import check_store, log_evaluation, settings_json
from lstm_lm.tracking.queued_run import QueuedRun
from lstm_lm.tracking.run import Run, create_run
from lstm_lm.tracking.training_run import TrainingRun
from mlflow_helpers import HELD_OUT_METRICS, ROW, SAMPLES, SETTINGS, artifact_text, latest_metrics


def test_a_repeated_evaluation_replaces_the_values_of_the_earlier_one(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run = Run(client, create_run(client, SETTINGS))

    def log(metrics: dict[str, dict[str, float]], samples: list[dict[str, Any]], settings: EvaluateSample) -> None:
        queued = QueuedRun(SETTINGS.tracking, run.id, client)
        log_evaluation(queued, metrics, 20, samples, settings)
        assert not queued.send().pending

    log(HELD_OUT_METRICS, SAMPLES, SETTINGS.evaluate_sample)
    changed = SETTINGS.evaluate_sample.model_copy(update={"max_words": 7})
    for _ in range(2):
        log({"test": {"perplexity": 99.0}}, [{**SAMPLES[0], "text": "to be queen"}], changed)
    assert latest_metrics(run)["test/perplexity"] == (0, 99.0)
    # Equal values are logged only once.
    assert [point.value for point in client.get_metric_history(run.id, "test/perplexity")] == [148.4, 99.0]
    # What the later evaluation does not make is no longer shown; other splits, and what is not of an evaluation, stay.
    latest = client.get_run(run.id).data.metrics
    assert math.isnan(latest["test/bits_per_character"])
    assert len(client.get_metric_history(run.id, "test/bits_per_character")) == 2
    assert latest["validation/perplexity"] == 148.4
    log(HELD_OUT_METRICS, SAMPLES, changed)
    assert latest_metrics(run)["test/bits_per_character"] == (0, 1.7)
    log({"test": {"perplexity": 99.0}}, [{**SAMPLES[0], "text": "to be queen"}], changed)
    assert json.loads(artifact_text(run, "samples.json")) == {
        "columns": ["sample", "text", "prompt", "temperature"],
        "data": [["T=0: to be", "to be queen", "to be", 0]],
    }
    tags = client.get_run(run.id).data.tags
    assert json.loads(tags["evaluate_sample"]) == changed.model_dump()
    assert not [key for key in tags if key.startswith("evaluate_sample.")]
    assert json.loads(tags["mlflow.loggedArtifacts"]) == [{"path": "samples.json", "type": "table"}]


def test_a_run_shows_the_metrics_of_the_best_weights_even_if_a_later_epoch_was_worse(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run = TrainingRun.start(client, SETTINGS)
    for step, loss in ((10, 5.0), (20, 5.5)):
        run.row(replace(ROW, step=step, validation_loss=loss, validation_perplexity=loss))
    run.finish()
    evaluation = QueuedRun(SETTINGS.tracking, run.id, client)
    log_evaluation(evaluation, HELD_OUT_METRICS, 20, SAMPLES, SETTINGS.evaluate_sample)
    evaluation.send()
    metrics = client.get_run(run.id).data.metrics
    assert metrics["validation/loss"] == 5.0
    assert metrics["validation/perplexity"] == 148.4
    assert "test/words" not in metrics
    assert {name: step for name, (step, _) in latest_metrics(Run(client, run.id)).items() if not name.startswith("train/")} == {
        **{f"validation/{name}": 20 for name in ("loss", "perplexity")},
        **{f"validation/{name}": 0 for name in ("oov_rate", "adjusted_perplexity", "bits_per_character")},
        **{f"test/{name}": 0 for name in ("loss", "perplexity", "oov_rate", "adjusted_perplexity", "bits_per_character")},
    }


def test_a_run_of_an_earlier_version_is_evaluated_again(tracked_project: Path) -> None:
    """Its outbox is sent: all metrics at the last step, one tag for each setting, one dataset."""
    client = store.connect(SETTINGS.tracking)
    run = Run(client, create_run(client, SETTINGS))
    before = QueuedRun(SETTINGS.tracking, run.id, client)
    fields = {"source_type": "lstm_lm.download", "source": "{}", "schema": "{}", "profile": "{}"}
    before.record({"kind": "dataset", "name": "data/batches", "digest": "0123", **fields})
    former = {"test/perplexity": 148.4, "test/perplexity_low": 140.0, "test/unigram_loss": 6.0, "validation/perplexity": 150.0}
    before.record(operations.metrics(former, 20))
    before.set_tags({"evaluate_sample.max_words": "40", "data.raw": "0123456789abcdef" * 4, "data.vocab": "0123"})
    before.record({"kind": "adopt", "name": "mine", "tags": {"git.dirty": "false"}})
    before.record({"kind": "evaluation", "values": former, "step": 20})
    before.record(operations.status("FINISHED"))
    delivery = before.send()
    assert (delivery.pending, delivery.refused) == (0, ())
    assert latest_metrics(run) == {name: (20, value) for name, value in former.items()}

    Path("data/batches/batches.json").write_text('{"raw": "0123456789abcdef", "source": {"path": "data/own"}}')
    queued = QueuedRun(SETTINGS.tracking, run.id, client)
    metrics = {"test": {"perplexity": 99.0, "perplexity_low": 90.0, "perplexity_high": 110.0}, "validation": {"perplexity": 98.0}}
    log_evaluation(queued, metrics, 20, SAMPLES, SETTINGS.evaluate_sample)
    assert not queued.send().pending
    # What it has is up to date, although new runs no longer have it; what is new is not added.
    shown = client.get_run(run.id).data.metrics
    assert math.isnan(shown.pop("test/unigram_loss"))
    assert shown == {"test/perplexity": 99.0, "test/perplexity_low": 90.0, "validation/perplexity": 98.0}
    data = client.get_run(run.id).data
    assert {key for key in data.tags if not key.startswith("mlflow.")} == {"evaluate_sample", "git.dirty"}
    assert data.params == {"text_digest": "0123456789abcdef", "text": "own text 0123"}


def test_many_prompts_are_left_out_of_the_tag_of_the_settings() -> None:
    settings = SETTINGS.evaluate_sample.model_copy(update={"prime_texts": ["to be or not to be"] * 500})
    values = json.loads(settings_json(settings))
    assert values["prime_texts"] == "500 texts, see samples.json"
    assert values["max_words"] == settings.max_words


def test_an_evaluation_goes_on_while_the_store_does_not_answer(
    tracked_project: Path, free_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    assert check_store(SETTINGS.tracking, "x") == (None, None)
    warning = f"no MLflow server answers at http://127.0.0.1:{free_port}: connection refused"
    assert warning in capsys.readouterr().err


def test_no_evaluation_starts_with_a_store_that_is_set_up_wrong(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mysql://me:secret@127.0.0.1/db")
    command = rf"{re.escape(python())} -m pip install mysqlclient"
    with pytest.raises(UserError, match=rf"mysql://\*\*\*@127\.0\.0\.1/db cannot be used: .* MySQLdb is not installed: run {command}"):
        check_store(SETTINGS.tracking, "x")
