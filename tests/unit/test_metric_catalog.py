from lstm_lm.ui.metric_catalog import CURVES, LOGGED, METRICS, OTHER_PREDICTORS


def test_a_run_has_few_metrics_and_those_of_the_test_text_come_first() -> None:
    usual = [name for name in LOGGED if not name.startswith(("test/dynamic_evaluation_", "test/neural_cache_"))]
    assert usual[0] == "test/perplexity"
    assert [name.startswith("test/") for name in usual] == sorted((name.startswith("test/") for name in usual), reverse=True)
    assert len(usual) == len(set(usual)) == 15
    assert not [name for name in LOGGED if name.endswith(("_low", "_high")) or "unigram" in name or "test_text" in name]
    assert set(CURVES) <= set(LOGGED)


def test_what_is_logged_is_reported() -> None:
    for metric in METRICS:
        names = {metric.name, *(f"{predictor}_{metric.name}" for predictor in OTHER_PREDICTORS if metric.of_predictors)}
        assert set(metric.in_mlflow) <= {f"{section}/{name}" for section in metric.sections for name in names}
