"""An ensemble with n-grams under a real dvc: trained from a single model, evaluated, described and served as one SavedModel."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from conftest import change_params, client, run, run_id
from lstm_lm.evaluation.ngrams import KneserNey
from lstm_lm.text import encoded, splits
from plain import PlainEnsemble, PlainMixture, PlainModel

pytestmark = pytest.mark.slow


def with_ngrams(base: PlainModel, folder: Path) -> PlainMixture:
    """The model with n-grams that are counted here, and the weight that the training chose."""
    text, _, words = encoded.load(folder / "data/vocab")
    part = text.part(splits.load(folder / "data/vocab/splits.json")["train"])
    counted = KneserNey([encoded.replace_unknown(part.ids[start:stop], words) for _, start, stop in part.ranges], words, 3)
    config = json.loads((folder / "models/weights/config.json").read_text())["ngrams"]
    assert config["order"] == 3
    return PlainMixture(base, lambda context: counted.probabilities(context[-2:]), config["weight"])


def test_an_ensemble_with_ngrams_is_one_model_from_training_to_serving(project: Path) -> None:
    folder, single = project, run_id(project)
    before = dict(np.load(folder / "models/weights/weights.npz"))
    changes = {"model.ensemble_size": 2, "train.init_from": f"runs:/{single}", "train.epochs": 1, "train.learning_rate": 1e-4}
    adapting = {"evaluate_sample.neural_cache": {"size": 100, "theta": 0.2, "weight": 0.1}}
    change_params(folder, {**changes, **adapting, "model.ngrams": {"order": 3, "weight": "auto"}})
    printed = run(["python", "-m", "dvc", "repro"], folder).stdout
    assert f"of run {single}, which know " in printed

    # Both members start from the weights of the single model, and go different ways.
    after = dict(np.load(folder / "models/weights/weights.npz"))
    assert set(after) == {f"member_{i}/{name}" for i in range(2) for name in before}
    for i in range(2):
        np.testing.assert_allclose(after[f"member_{i}/lstm_0_recurrent"], before["lstm_0_recurrent"], atol=0.01)
    assert (after["member_0/lstm_0_recurrent"] != after["member_1/lstm_0_recurrent"]).any()

    # What is reported is what NumPy computes from the weights.
    reported = json.loads((folder / "reports/metrics.json").read_text())
    base = PlainModel.load(folder / "models/weights")
    assert isinstance(base, PlainEnsemble)
    plain = with_ngrams(base, folder)
    about = json.loads((folder / "data/batches/batches.json").read_text())
    for split in ("validation", "test"):
        ids = np.load(folder / f"data/batches/{split}.npy")
        costs = np.concatenate([plain.nats(ids[d["start"] : d["start"] + d["words"]]) for d in about[split]["documents"]])
        assert reported[split]["perplexity"] == pytest.approx(np.exp(costs.mean()), rel=1e-5)

    # The line of the training says the same.
    said = re.search(
        r"model.ngrams: [\d,]+ n-grams of 2 to 3 tokens with a weight of ([\d.]+): .* ([\d.]+) without them, ([\d.]+) with", printed
    )
    assert said
    assert [float(said[1]), float(said[3])] == pytest.approx([plain.weight, reported["validation"]["perplexity"]], abs=0.006)
    assert float(said[3]) < float(said[2])

    # People are told.
    tracked = client(folder).get_run(run_id(folder))
    assert "ensemble=2" in tracked.info.run_name
    assert (
        int(tracked.data.params["parameter_count"])
        == sum(array.size for array in after.values())
        == 2 * sum(a.size for a in before.values())
    )
    assert "an ensemble of 2 models, each with an embedding of " in (card := (folder / "reports/model_card.md").read_text())
    assert f", mixed with Kneser-Ney 3-grams of a weight of {plain.weight:g}" in card

    # What is served is the ensemble: its most probable word after a prompt is that of NumPy.
    words = (folder / "data/vocab/vocab.csv").read_text().splitlines()[1:]
    ids = [next(i for i, line in enumerate(words) if line.split(",")[1] == word) for word in ("the", "king")]
    state = plain.initial_state(1)
    for number in ids:
        scores, state = plain.step(np.array([number]), state)
    best = int(scores[0, 1:].argmax()) + 1
    shown = run(["python", "src/cli.py", "next", "--k", "1", "the king"], folder).stdout
    assert words[best].split(",")[1] in shown
    assert f"{np.exp(scores[0, best]):.2%}" in shown
