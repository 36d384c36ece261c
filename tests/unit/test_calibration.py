import numpy as np
import pytest

from lstm_lm.evaluation.details.calibration import Predictions, calibration


def plain_calibration(distributions, targets):
    """Compute calibration from whole distributions, one word at a time."""
    bins, hits = {}, dict.fromkeys((1, 5, 10), 0)
    for p, target in zip(distributions, targets, strict=True):
        order = sorted(range(len(p)), key=lambda i: -p[i])
        bins.setdefault(min(int(p[order[0]] * 10), 9), []).append((p[order[0]], order[0] == target))
        for k in hits:
            hits[k] += target in order[:k]
    error = sum(abs(sum(p for p, _ in words) - sum(correct for _, correct in words)) for words in bins.values())
    return bins, error / len(targets), {k: hit / len(targets) for k, hit in hits.items()}


def test_calibration_matches_a_plain_loop():
    rng = np.random.default_rng(0)
    distributions = rng.dirichlet(np.full(30, 0.05), 500)
    targets = [rng.choice(30, p=p) if rng.random() < 0.7 else rng.integers(30) for p in distributions]
    rank = np.array([np.sum(p > p[target]) for p, target in zip(distributions, targets, strict=True)])
    result = calibration(Predictions(distributions.max(axis=1), rank))
    bins, error, hits = plain_calibration(distributions, targets)
    assert [round(row["low"] * 10) for row in result["bins"]] == sorted(bins)
    for row in result["bins"]:
        words = bins[round(row["low"] * 10)]
        assert row["high"] == pytest.approx(row["low"] + 0.1)
        assert row["words"] == len(words)
        assert row["mean_probability"] == pytest.approx(np.mean([p for p, _ in words]))
        assert row["fraction_correct"] == pytest.approx(np.mean([correct for _, correct in words]))
    assert result["expected_calibration_error"] == pytest.approx(error)
    assert {k: result[f"top_{k}"] for k in hits} == pytest.approx(hits)
    assert result["words"] == 500


def test_a_certain_model_is_in_the_last_bin():
    result = calibration(Predictions(np.ones(4), np.array([0, 0, 0, 1])))
    assert [(row["low"], row["high"], row["fraction_correct"]) for row in result["bins"]] == [(0.9, 1.0, 0.75)]
    assert result["expected_calibration_error"] == pytest.approx(0.25)


def test_without_words_there_is_none():
    assert calibration(Predictions(np.zeros(0), np.zeros(0))) is None
