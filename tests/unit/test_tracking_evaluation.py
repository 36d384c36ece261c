import json
from dataclasses import replace
from pathlib import Path

from lstm_lm.tracking import store
from lstm_lm.tracking.evaluation import log_evaluation
from lstm_lm.tracking.run import Run, create_run
from lstm_lm.tracking.training_run import TrainingRun
from mlflow_helpers import HELD_OUT_METRICS, ROW, SAMPLES, SETTINGS, artifact_text, latest_metrics


def test_a_repeated_evaluation_replaces_the_values_of_the_earlier_one(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run = Run(client, create_run(client, SETTINGS))
    log_evaluation(run, HELD_OUT_METRICS, 20, SAMPLES, SETTINGS.evaluate_sample)
    changed = SETTINGS.evaluate_sample.model_copy(update={"max_words": 7})
    for _ in range(2):
        log_evaluation(run, {"test": {"perplexity": 99.0}}, 20, [{**SAMPLES[0], "text": "to be queen"}], changed)
    assert latest_metrics(run)["test/perplexity"] == (20, 99.0)
    assert [point.value for point in client.get_metric_history(run.id, "test/perplexity")] == [
        148.4,
        99.0,
    ]  # equal values are logged only once
    assert latest_metrics(run)["test/bits_per_character"] == (20, 1.7)
    assert json.loads(artifact_text(run, "samples.json")) == {
        "columns": ["sample", "text", "prompt", "temperature"],
        "data": [["to be (greedy)", "to be queen", "to be", 0]],
    }
    tags = client.get_run(run.id).data.tags
    assert tags["evaluate_sample.max_words"] == "7"
    assert json.loads(tags["mlflow.loggedArtifacts"]) == [{"path": "samples.json", "type": "table"}]


def test_a_run_shows_the_metrics_of_the_best_weights_even_if_a_later_epoch_was_worse(tracked_project: Path) -> None:
    run = TrainingRun.start(store.connect(SETTINGS.tracking), SETTINGS)
    for step, loss in ((10, 5.0), (20, 5.5)):
        run.row(replace(ROW, step=step, validation_loss=loss, validation_perplexity=loss))
    run.finish()
    # evaluate-sample is another process, which does not queue metrics.
    log_evaluation(Run(run.client, run.id), HELD_OUT_METRICS, 20, SAMPLES, SETTINGS.evaluate_sample)
    metrics = run.client.get_run(run.id).data.metrics
    assert metrics["validation/loss"] == 5.0
    assert metrics["validation/perplexity"] == 148.4
    assert "test/words" not in metrics
