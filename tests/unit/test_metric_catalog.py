from lstm_lm.ui.metric_catalog import CURVES, LOGGED, METRICS, OTHER_PREDICTORS, summarize


def test_a_run_has_few_metrics_and_those_of_the_test_text_come_first() -> None:
    usual = [name for name in LOGGED if not name.startswith(("test/ngram_mixture_", "test/dynamic_evaluation_", "test/neural_cache_"))]
    assert usual[0] == "test/perplexity"
    assert [name.startswith("test/") for name in usual] == sorted((name.startswith("test/") for name in usual), reverse=True)
    assert len(usual) == len(set(usual)) == 15
    assert not [name for name in LOGGED if name.endswith(("_low", "_high")) or "unigram" in name or "test_text" in name]
    assert set(CURVES) <= set(LOGGED)


def test_what_is_logged_is_reported() -> None:
    for metric in METRICS:
        names = {metric.name, *(f"{predictor}_{metric.name}" for predictor in OTHER_PREDICTORS if metric.of_predictors)}
        assert set(metric.in_mlflow) <= {f"{section}/{name}" for section in metric.sections for name in names}


def test_the_summary_has_the_same_metrics_in_the_sections_of_the_report() -> None:
    metrics = {
        "validation": {"loss": 5.0, "perplexity": 148.4, "perplexity_low": 140.0, "words": 100},
        "test": {"kneser_ney_perplexity": 250.0, "perplexity": 166.4, "neural_cache_perplexity": 160.0},
    }
    summary = summarize(metrics)
    assert summary == {"test": {"perplexity": 166.4, "neural_cache_perplexity": 160.0}, "validation": {"loss": 5.0, "perplexity": 148.4}}
    assert next(iter(summary)) == "test"
