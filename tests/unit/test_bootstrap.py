import math

import numpy as np
import pytest

from lstm_lm.data.dataset import HeldOut
from lstm_lm.evaluation import bootstrap
from lstm_lm.evaluation.bootstrap import Resampling, ScoredText
from lstm_lm.evaluation.metrics import split_metrics


def intervals(nats, unknown=None, characters=None, unknown_types=0, samples=2000, seed=1):
    unknown = unknown or [np.zeros(len(document), bool) for document in nats]
    characters = characters or [np.full(len(document), 5) for document in nats]
    return bootstrap.metric_intervals(ScoredText(nats, unknown, characters, unknown_types), Resampling(samples, seed))


def test_equal_nats_have_an_interval_of_zero_width():
    metrics = intervals([np.full(3000, math.log(8)), np.full(2000, math.log(8))])
    for bound in ("low", "high"):
        assert metrics[f"loss_{bound}"] == pytest.approx(math.log(8))
        assert metrics[f"perplexity_{bound}"] == pytest.approx(8)
        assert metrics[f"adjusted_perplexity_{bound}"] == pytest.approx(8)
        assert metrics[f"bits_per_character_{bound}"] == pytest.approx(3 / 5)


def test_independent_nats_have_the_interval_of_the_normal_distribution():
    rng = np.random.default_rng(0)
    for lengths in ((40_000, 60_000), (2000,) * 50):  # resampled by blocks, by documents
        nats = [rng.exponential(2, length) for length in lengths]
        metrics, mean = intervals(nats), np.concatenate(nats).mean()
        half_width = 1.96 * 2 / math.sqrt(100_000)
        assert metrics["loss_low"] == pytest.approx(mean - half_width, abs=half_width / 3)
        assert metrics["loss_high"] == pytest.approx(mean + half_width, abs=half_width / 3)
        assert metrics["perplexity_low"] == pytest.approx(math.exp(metrics["loss_low"]))


def test_correlated_nats_widen_the_interval():
    # Every 100 consecutive words have the same value, so 400 values are independent, not 40,000.
    nats = np.repeat(np.random.default_rng(0).exponential(2, 400), 100)
    metrics = intervals([nats])
    assert (metrics["loss_high"] - metrics["loss_low"]) / 2 == pytest.approx(1.96 * 2 / math.sqrt(400), rel=0.3)
    # Resampling single words would give a much narrower interval.
    assert metrics["loss_high"] - metrics["loss_low"] > 5 * 2 * 1.96 * 2 / math.sqrt(40_000)


def test_intervals_match_resampling_block_by_block():
    # The slow, obvious version with the same resampled blocks.
    rng = np.random.default_rng(7)
    lengths = [1700, 0, 900, 1]
    nats = [rng.exponential(3, length) for length in lengths]
    unknown = [rng.random(length) < 0.1 for length in lengths]
    characters = [rng.integers(2, 12, length) for length in lengths]
    edges = bootstrap.stretch_edges(lengths)
    counts_by_sample = np.random.default_rng(5).multinomial(len(edges) - 1, np.full(len(edges) - 1, 1 / (len(edges) - 1)), 300)
    concatenated = [np.concatenate(values) for values in (nats, unknown, characters)]
    rows = []
    for counts in counts_by_sample:
        blocks = [i for i, count in enumerate(counts) for _ in range(count)]
        parts = [[values[edges[i] : edges[i + 1]] for i in blocks] for values in concatenated]
        description = HeldOut([], sum(map(len, parts[0])), sum(int(p.sum()) for p in parts[1]), 7, sum(int(p.sum()) for p in parts[2]))
        rows.append(split_metrics(parts[0], description))
    metrics = intervals(nats, unknown, characters, unknown_types=7, samples=300, seed=5)
    assert len(metrics) == 8
    for name in ("loss", "perplexity", "adjusted_perplexity", "bits_per_character"):
        low, high = np.percentile([row[name] for row in rows], [2.5, 97.5])
        assert (metrics[f"{name}_low"], metrics[f"{name}_high"]) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ((1200, 1800), {150}),  # 3,000 words are split into at least 20 blocks
        ((40_000, 3_400), {1000, 1133, 1134}),  # blocks have about 1,000 words and equal sizes within a document
        ((0, 7, 0), {1}),
        ((3,) * 29, {3}),  # a block does not cross a document boundary
        ((9, 8) * 20, {9, 8}),  # whole documents
        ((9, 8, 0) * 20, {9, 8}),  # documents without scored words are skipped
    ],
)
def test_blocks_lie_within_documents(lengths, expected):
    edges = bootstrap.stretch_edges(lengths)
    assert set(np.diff(edges).tolist()) == expected
    assert (edges[0], edges[-1]) == (0, sum(lengths))
    assert set(np.cumsum(lengths).tolist()) <= set(edges.tolist())


def test_many_short_documents_are_resampled_in_groups():
    edges = bootstrap.stretch_edges([3] * 50_000)
    assert len(edges) == bootstrap.MAX_STRETCHES + 1
    assert set(np.diff(edges).tolist()) == {75}


def test_the_intervals_depend_on_the_seed_alone():
    nats = [np.random.default_rng(0).exponential(2, 5000)]
    assert intervals(nats, seed=1) == intervals(nats, seed=1) != intervals(nats, seed=2)


def test_a_paired_comparison_detects_a_small_difference():
    rng = np.random.default_rng(0)
    nats = [rng.exponential(3, length) for length in (8000, 12_000)]
    worse = [part + rng.normal(0.05, 0.1, len(part)) for part in nats]
    gain, low, high = bootstrap.loss_difference(nats, worse, Resampling(2000, 1))
    assert gain == pytest.approx(np.mean(np.concatenate(worse) - np.concatenate(nats)))
    assert 0.04 < low < gain < high < 0.06
    assert (high - low) / 2 == pytest.approx(1.96 * 0.1 / math.sqrt(20_000), rel=0.35)
    better_interval, worse_interval = intervals(nats), intervals(worse)
    assert better_interval["loss_high"] > worse_interval["loss_low"]  # unpaired, the intervals overlap
    assert bootstrap.loss_difference(worse, nats, Resampling(2000, 1)) == tuple(pytest.approx(-bound) for bound in (gain, high, low))
    assert bootstrap.loss_difference(nats, nats, Resampling(100, 1)) == (0, 0, 0)
    with pytest.raises(ValueError, match="costs of other documents"):
        bootstrap.loss_difference(nats, worse[::-1], Resampling(100, 1))


def test_blocks_of_characters_and_of_words_cover_as_much_text():
    words = [np.full(400, 6), np.full(300, 4)]
    assert bootstrap.block_words(words) == bootstrap.BLOCK_WORDS
    assert bootstrap.block_words([np.ones(9000, int), np.ones(500, int)]) == bootstrap.MIN_BLOCK_CHARACTERS
    assert bootstrap.block_words([np.full(100, 2)]) == bootstrap.MIN_BLOCK_CHARACTERS // 2
    assert np.diff(bootstrap.stretch_edges([200_000], bootstrap.MIN_BLOCK_CHARACTERS)).tolist() == [5000] * 40
