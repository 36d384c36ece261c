"""The charts of the report: their data are what the files say, computed plainly here."""

import math
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import vl_convert

import report_files
from lstm_lm.ui.report import (
    calibration,
    chart,
    documents,
    figure,
    frequency_bands,
    held_out,
    neighbours,
    numbers,
    passage,
    positions,
    rank_frequency,
    samples,
    training_curves,
    training_samples,
    word_map,
)
from lstm_lm.ui.report.figure import Figure
from lstm_lm.ui.report.inputs import GeneratedText, Inputs
from report_files import points, report_inputs, with_details

INPUTS = report_inputs()
MODULES = (
    training_curves,
    held_out,
    frequency_bands,
    positions,
    documents,
    rank_frequency,
    calibration,
    passage,
    training_samples,
    neighbours,
    word_map,
    samples,
)


def only(figures: Sequence[Figure]) -> Figure:
    (found,) = figures
    return found


def series(found: Figure, **wanted: object) -> list[dict[str, object]]:
    """The points of a chart with some values."""
    assert found.chart is not None
    return [point for point in points(found.chart) if all(point.get(key) == value for key, value in wanted.items())]


def layers(found: Figure) -> list[dict[str, Any]]:
    assert found.chart is not None
    return list(found.chart.get("layer", [found.chart]))


def perplexities(groups: list[dict[str, float]], key: str) -> list[float]:
    return [math.exp(group[key]) for group in groups]


LOSS_KEYS = {"this model": "loss", "Kneser-Ney": "kneser_ney_loss", "unigrams": "unigram_loss"}


def test_curves_of_the_losses_are_those_of_the_history() -> None:
    loss, *small = training_curves.figures(INPUTS)
    training = series(loss, series=training_curves.TRAINING)
    assert [(point["words"], point["loss"]) for point in training] == [(row.words_seen, row.loss) for row in INPUTS.history]
    validation = series(loss, series=training_curves.VALIDATION)
    assert [(point["words"], point["loss"]) for point in validation] == [(2000, 5.6 - 20 / 80), (4000, 5.6 - 40 / 80)]
    assert [point["loss"] for point in series(loss, series="Kneser-Ney")] == [INPUTS.metrics["validation"]["kneser_ney_loss"]]
    assert [each.id for each in small] == ["learning-rate", "gradient-norm", "words-per-second"]
    for each, field in zip(small, ("learning_rate", "gradient_norm", "words_per_second"), strict=True):
        assert [(point["words"], point["value"]) for point in series(each)] == [
            (row.words_seen, getattr(row, field)) for row in INPUTS.history
        ]


def test_findings_on_the_training() -> None:
    loss, rate, norm, speed = training_curves.figures(INPUTS)
    assert "lowest at 5.100 (perplexity 164.0), in epoch 2 after 4,000 words, the last of 2 validations" in loss.finding
    assert "from epoch 2 on it has been below that of Kneser-Ney, 5.300" in loss.finding  # 5.35, then 5.1
    assert rate.finding == "It peaks at 0.01 (step 1) and ends at 0.00025."
    above = sum(row.gradient_norm > 1.0 for row in INPUTS.history)
    assert norm.finding.endswith(f"the gradient is clipped at 1; {above} of the 40 logged means are above that.")
    assert speed.finding == "The median is 1,000 words/s; the training took 5 min 21 s."


def test_a_curve_of_many_rows_is_thinned_evenly_and_keeps_its_best_validation() -> None:
    rows = [replace(row, validation_loss=3.0) for row in report_files.history(1500)]
    rows[1] = replace(rows[1], validation_loss=2.0)
    thinned = training_curves.curve_rows(rows)
    assert len(thinned) == training_curves.MAX_POINTS
    assert (thinned[0], thinned[-1]) == (rows[0], rows[-1])
    assert {after.step - before.step for before, after in pairwise(thinned)} == {3, 4}
    assert rows[1] not in thinned
    assert training_curves.validations(rows) == [thinned[0], rows[1], *thinned[1:]]


def test_held_out_results_are_those_of_the_metrics_and_the_references() -> None:
    perplexity, bits = held_out.figures(INPUTS)
    for found, key in ((perplexity, "perplexity"), (bits, "bits_per_character")):
        for split in ("test", "validation"):
            metrics = INPUTS.metrics[split]
            for predictor, prefix in chart.PREFIXES.items():
                expected = [metrics[f"{prefix}{key}"]] if f"{prefix}{key}" in metrics else []
                assert [point["value"] for point in series(found, predictor=predictor, split=split)] == expected
            (own,) = series(found, predictor="this model", split=split)
            assert (own["low"], own["high"]) == (metrics[f"{key}_low"], metrics[f"{key}_high"])
    (champion,) = series(perplexity, predictor="champion")
    assert (champion["value"], champion["low"], champion["high"], champion["split"]) == (180.0, 170.0, 190.0, "test")
    assert "clearly better, by 0.400 nats per word (0.350 to 0.450, paired)" in perplexity.finding
    assert bits.finding == "The model needs 1.667 bits per character, fewer than the 3 others; next is " + (
        f"champion: {report_files.ATTACKS[1]} with 1.700."
    )


@pytest.mark.parametrize(
    ("gain", "low", "high", "verdict"),
    [
        (-0.15, -0.2, -0.1, ": the model is clearly worse, by 0.150 nats per word (0.100 to 0.200, paired)."),
        (-0.01, -0.1, 0.05, ": the two are not clearly different; the model is 0.010 nats per word worse (-0.050 to 0.100, paired)."),
        (0.01, -0.1, 0.12, ": the two are not clearly different; the model is 0.010 nats per word better (-0.100 to 0.120, paired)."),
    ],
)
def test_the_verdict_follows_from_the_paired_interval(gain: float, low: float, high: float, verdict: str) -> None:
    ends = {"gain_over_kneser_ney": gain, "gain_over_kneser_ney_low": low, "gain_over_kneser_ney_high": high}
    test = {**report_files.split_metrics(5.0), **ends}
    assert held_out.figures(report_inputs(metrics={"test": test}))[0].finding.endswith(verdict)


def test_the_rank_by_bits_names_the_better_predictor() -> None:
    rows = [
        {"predictor": name, "name": name, "split": "test", "bits_per_character": bits} for name, bits in (("this model", 1.8), ("X", 1.7))
    ]
    assert held_out.bits_finding(rows) == "The model needs 1.800 bits per character; X needs the fewest, 1.700."
    rows[0]["bits_per_character"] = 1.6
    assert held_out.bits_finding(rows) == "The model needs 1.600 bits per character, fewer than X with 1.700."


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((5.4, 5.2, 5.1), "from epoch 2 on it has been below that of Kneser-Ney, 5.300."),
        ((5.2, 5.4, 5.1), "from epoch 3 on it has been below that of Kneser-Ney, 5.300."),
        ((5.2, 5.1), "from epoch 1 on it has been below that of Kneser-Ney, 5.300."),
        ((5.4, 5.2, 5.4), "it is first below that of Kneser-Ney, 5.300, in epoch 2, and above again at the end."),
        ((5.4, 5.3), "it never falls below that of Kneser-Ney, 5.300."),
    ],
)
def test_the_loss_is_below_the_baseline_from_where_it_stays_below(losses: tuple[float, ...], expected: str) -> None:
    rows = [
        replace(row, epoch=i + 1, validation_loss=loss) for i, (row, loss) in enumerate(zip(report_files.history(), losses, strict=False))
    ]
    assert training_curves.loss_finding(report_inputs(history=rows), 5.3).endswith(expected)


@pytest.mark.parametrize(("dropout", "title"), [(0.1, "training, with dropout"), (0.0, "training")])
def test_dropout_is_named_where_there_is_any(dropout: float, title: str) -> None:
    parameters = {"train.clip_norm": 99.0, "model.dropout_input": dropout}
    loss, _, norm, _ = training_curves.figures(with_details(run={"parameters": parameters}))
    assert loss.legend[0].name == title
    assert ("dropout" in loss.reading) == bool(dropout)
    assert norm.finding.endswith("clipped at 99; none of the 40 logged means is above that.")


def test_a_reference_on_another_text_is_left_out() -> None:
    other = {**report_files.details()["references"]["champion"], "same_text": False}
    assert not series(held_out.figures(with_details(references={"champion": other}))[0], predictor="champion")


@pytest.mark.parametrize(
    ("draw", "name"), [(frequency_bands.figures, "frequency_bands"), (positions.figures, "positions"), (documents.figures, "documents")]
)
def test_perplexities_of_groups_are_the_exponentials_of_their_losses(draw: Callable[[Inputs], list[Figure]], name: str) -> None:
    found = only(draw(INPUTS))
    groups = INPUTS.part(name, "test")
    if name == "documents":  # by rising loss, then those of the validation text
        groups = [*sorted(groups, key=lambda group: float(group["loss"])), *INPUTS.part(name, "validation")]
    for predictor, key in LOSS_KEYS.items():
        shown = [] if predictor == "unigrams" and name != "frequency_bands" else perplexities(groups, key)
        assert [point["perplexity"] for point in series(found, predictor=predictor)] == pytest.approx(shown)
    assert found.table is not None
    assert len(found.table.rows) == len(groups)
    column = list(found.table.columns).index("perplexity, Kneser-Ney")
    assert [row[column] for row in found.table.rows] == [numbers.perplexity(each) for each in perplexities(groups, "kneser_ney_loss")]


def test_findings_on_groups() -> None:
    bands = only(frequency_bands.figures(INPUTS)).finding
    # 500 x 3, 400 x 6 and 100 x 2 nats
    assert bands.startswith("The band “10 to 999” costs most: it is 40% of the test words and 59% of the loss.")
    place = only(positions.figures(INPUTS))
    assert place.finding.startswith("There are too few words to compare positions")
    assert [point["few"] for point in series(place, predictor="this model")] == [True, False, False]
    assert [point["position"] for point in series(place, predictor="this model")] == pytest.approx(
        [math.sqrt(10), math.sqrt(11 * 100), math.sqrt(101 * 1000)]
    )
    document = only(documents.figures(INPUTS)).finding
    assert document.startswith(f"Of 2 test documents, {report_files.ATTACKS[1]} is the easiest (109.9) and plays/b.txt the hardest (181.3)")
    assert document.endswith("the model beats Kneser-Ney on all 3 held-out documents.")


@pytest.mark.parametrize(("gain", "verb"), [(0.2, "beats"), (-0.2, "does not beat")])
def test_the_only_document_is_not_all_of_them(gain: float, verb: str) -> None:
    one = [{"name": "a.txt", "words": 100, "loss": 5.0, "kneser_ney_loss": 5.0 + gain}]
    found = only(documents.figures(with_details(documents={"test": one})))
    assert found.finding.endswith(f"; the model {verb} Kneser-Ney on the only held-out document.")


@pytest.mark.parametrize(("more", "verb"), [(0.2, "grows"), (0.0, "hardly changes"), (-0.2, "shrinks")])
def test_positions_are_compared_by_the_gain_over_kneser_ney(more: float, verb: str) -> None:
    early, late = report_files.group(2500, 6.0, start=0, end=50), report_files.group(3000, 5.0, start=50, end=900)
    late["kneser_ney_loss"] += more
    found = only(positions.figures(with_details(positions={"test": [early, late]})))
    assert found.finding == (
        f"The gain over Kneser-Ney {verb} with the position: 0.30 nats per word at positions 1 to 50, and {0.3 + more:.2f} at 51 to 900."
    )
    assert "only a growing distance to Kneser-Ney shows that the model uses more context" in found.reading


def test_many_documents_are_shown_by_rank_and_thinned() -> None:
    many = [report_files.group(10, 4 + i / 1000, name=f"{i}.txt") for i in range(1000)]
    found = only(documents.figures(with_details(documents={"test": many})))
    shown = [point["perplexity"] for point in series(found, predictor="this model")]
    assert len(shown) == documents.MAX_POINTS
    assert (shown[0], shown[-1]) == (pytest.approx(math.exp(4)), pytest.approx(math.exp(4.999)))
    assert "Shown are 400 of 1,000 documents" in found.reading
    assert found.table is not None
    assert (len(found.table.rows), found.table.note) == (figure.MAX_TABLE_ROWS, "200 of 1,000 rows")


def test_short_names_of_documents_are_unambiguous() -> None:
    names = ["a/x.txt", "b/x.txt", "b/y.txt"]
    assert documents.short_names([{"name": name, "split": "test"} for name in names]) == ["a/x.txt (test)", "b/x.txt (test)", "y (test)"]


def test_counts_by_rank_and_the_cut() -> None:
    found = only(rank_frequency.figures(INPUTS))
    assert [(point["rank"], point["count"]) for point in series(found) if "count" in point] == [
        (rank, 1000 // rank) for rank in (1, 2, 4, 8, 16, 32)
    ]
    assert [point["rank"] for point in series(found, label="16 known")] == [16]
    assert found.finding == (
        "The training text has 4,000 words, 32 of them different; the vocabulary keeps the 16 that occur 62 times or more."
    )


def test_a_limited_vocabulary_keeps_the_most_frequent() -> None:
    found = only(rank_frequency.figures(with_details(run={"parameters": {"vocab.max_size": 16}})))
    assert found.finding.endswith("the vocabulary keeps the 16 most frequent, down to a count of 62.")


def test_calibration_of_a_part_of_the_test_text_says_so() -> None:
    test = report_files.details()["calibration"]["test"]
    for words, says in ((400, True), (1000, False)):
        found = only(calibration.figures(with_details(calibration={"test": {**test, "words": words}})))
        assert found.finding.endswith("Measured on 400 words spread over the test text.") == says


def test_calibration_shows_the_bins_that_hold_any_word() -> None:
    found = only(calibration.figures(INPUTS))
    shown = [(point["mean_probability"], point["fraction_correct"], point["words"]) for point in series(found) if "words" in point]
    assert shown == [(0.06, 0.05, 600), (0.85, 0.8, 400)]
    assert (
        "the most probable one, counting <unk> as a guess, at 35.0% of the places, among the first 5 at 60.0%, among the first 10 at 70.0%"
        in found.finding
    )
    assert "off by 2.6 percentage points" in found.finding


def test_the_passage_has_each_word_with_its_bits_and_color() -> None:
    found = only(passage.figures(INPUTS))
    words = report_files.details()["passage"]["words"]
    own, other = found.data["columns"]
    for column, key in ((own, "bits"), (other, "kneser_ney_bits")):
        assert [word["text"] for word in column["words"]] == [word["text"] for word in words]
        assert [word["bits"] for word in column["words"]] == [f"{word[key]:.1f}" for word in words]
        assert [word["level"] for word in column["words"]] == [sum(word[key] >= limit for limit in (2, 5, 8, 11, 14)) for word in words]
        assert column["mean"] == f"{statistics.mean(word[key] for word in words):.2f}"
    assert [word["known"] for word in own["words"]] == [True, False, *[True] * 6]
    better = sum(word["bits"] < word["kneser_ney_bits"] for word in words)
    assert f"it is less surprised at {better} of 8 words. It is furthest ahead at “the” (0.0 against 12.0 bits)" in found.finding
    assert found.reading.startswith(f"Words 8 and on of the held-out part of {report_files.ATTACKS[1]} (test text). ")


def test_the_passage_of_characters_has_other_colors_and_no_spaces_of_its_own() -> None:
    words = [{"text": text, "space_before": False, "bits": 1.5} for text in ("a", " ", "b")]
    found = only(passage.figures(with_details(unit="char", passage={"words": words})))
    (column,) = found.data["columns"]  # without Kneser-Ney
    assert [(word["space"], word["level"]) for word in column["words"]] == [("", 2)] * 3
    assert found.title == "A passage, character by character"


def test_samples_during_the_training_are_grouped_by_prompt_and_temperature() -> None:
    found = only(training_samples.figures(INPUTS))
    first, second = found.data["prompts"]
    assert (first["prompt"], second["prompt"]) == ("to be", report_files.ATTACKS[2])
    assert [group["title"] for group in first["temperatures"]] == ["greedy", "temperature 0.8"]
    assert [step for step, _ in first["temperatures"][0]["texts"]] == ["10", "20", "30"]
    assert first["temperatures"][1]["texts"][1][1] == f" step 20 {report_files.ATTACKS[1]}"
    assert training_samples.distinct_words(["a a b", "a b"]) == pytest.approx((2 / 3 + 1) / 2)


def test_neighbors_are_sorted_by_similarity() -> None:
    found = only(neighbours.figures(INPUTS))
    assert [row["word"] for row in found.data["words"]] == ["the", "king", report_files.ATTACKS[0]]
    assert found.data["words"][0]["neighbours"] == [("queen", "0.90"), (report_files.ATTACKS[1], "0.50")]
    assert found.finding.endswith("the mean similarity of the nearest neighbor is 0.90.")


def test_the_map_has_every_place_and_a_sign_for_a_space() -> None:
    found = only(word_map.figures(INPUTS))
    places = report_files.details()["map"]
    assert [(point["x"], point["y"], point["count"]) for point in series(found)] == [
        (each["x"], each["y"], each["count"]) for each in places
    ]
    assert [point["word"] for point in series(found)] == ["\u2423" if each["word"] == " " else each["word"] for each in places]


def test_labels_of_the_map_overlap_at_no_zoom_at_which_they_are_shown() -> None:
    places = [{"word": "word" * (1 + i % 3), "x": math.sin(7 * i), "y": math.cos(5 * i)} for i in range(60)]
    zooms = word_map.label_zooms(places)
    assert zooms[0] == word_map.ZOOMS[0]
    assert len(set(zooms)) > 2
    (left, right), (bottom, top) = ((min(p[a] for p in places), max(p[a] for p in places)) for a in "xy")
    room = 2 * word_map.MARGIN + 1
    for zoom in word_map.ZOOMS:
        across, down = (
            zoom * size / (room * span) for size, span in ((word_map.LAYOUT_WIDTH, right - left), (word_map.HEIGHT, top - bottom))
        )
        shown = [place for place, needed in zip(places, zooms, strict=True) if needed <= zoom]
        for i, a in enumerate(shown):
            for b in shown[:i]:
                widths = word_map.CHARACTER * (len(a["word"]) + len(b["word"])) / 2
                apart = abs(a["x"] - b["x"]) * across >= widths - 1e-6 or abs(a["y"] - b["y"]) * down >= word_map.LINE - 1e-6
                assert apart, (zoom, a, b)


def test_samples_are_chosen_by_their_repetition() -> None:
    found, table = samples.figures(INPUTS)
    (_, best), (_, worst) = found.data["groups"]
    assert [text["section"] for text in best] == ["Greedy", "Temperature 1"]
    assert [text["repetition"] for text in worst] == ["56%", "11%"]  # 5 and 1 of 9 4-grams
    assert worst[0]["pieces"] == [(" or not ", False), ("to be or not to be or not", True)]
    assert len(found.data["all"]) == 4
    assert [row[1:] for row in table.data["table"].rows][:2] == [["1.00%", "0.50%"], ["0.300", "0.150"]]
    assert table.finding == "0.10% of the generated 8-grams of words are copied from the training text (test text: 0.05%)."


@pytest.mark.parametrize(
    ("prompt", "rest", "pieces"),
    [
        ("to be or not to", "gether we go", [("gether we go", False)]),
        ("a b c d a b c", " d\n\ne", [(" d", True), ("\n\ne", False)]),
        ("x", "\n\n  a b c d  e a b c d\n", [("\n\n  a b c d  e ", False), ("a b c d", True), ("\n", False)]),
        ("a b c d a b", " c d", [(" c d", True)]),
        ("a", "", []),
    ],
)
def test_a_sample_keeps_every_character(prompt: str, rest: str, pieces: list[tuple[str, bool]]) -> None:
    assert samples.shown(GeneratedText("Greedy", prompt, rest))["pieces"] == pieces


def test_a_single_sample_is_neither_good_nor_bad() -> None:
    found = samples.figures(report_inputs(samples=report_files.samples()[:1], metrics={}))[0]
    assert found.reading.startswith("This is the only sample. Words are")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_figure_without_data_is_left_out(module: object) -> None:
    empty = {name: None for name in report_files.details()}
    bare = report_inputs(metrics={}, details=empty, run={}, history=[], training_samples=[], samples=[])
    assert module.figures(bare) == []  # type: ignore[attr-defined]
    assert module.figures(report_inputs(metrics={}, details={}, run={}, history=[], training_samples=[], samples=[])) == []  # type: ignore[attr-defined]


def test_every_chart_is_valid_and_says_what_it_shows() -> None:
    import altair as alt

    for module in MODULES:
        for found in module.figures(INPUTS):  # type: ignore[attr-defined]
            assert found.finding.endswith("."), found.id
            assert found.reading.endswith("."), found.id
            if found.chart:
                alt.Chart.from_dict(found.chart, validate=True)
                titles = [part["title"] for layer in layers(found) for part in layer["encoding"].values() if "title" in part]
                assert any(titles) or found.id == "map", found.id


def test_units_are_called_by_their_name() -> None:
    whole = with_details(unit="char")
    shown = [found for module in MODULES for found in module.figures(whole)]  # type: ignore[attr-defined]
    for found in shown:
        if found.id not in (
            "generated-text",
            "samples",
            "training-samples",
            "rank-frequency",
            "held-out-bits",
        ):  # those speak of words between spaces
            assert "word" not in f"{found.title} {found.finding} {found.reading}".lower().replace("king", ""), found.id


def test_log_ticks_are_round_and_not_too_many() -> None:
    assert chart.log_ticks(140, 600) == [150, 200, 300, 400, 500]
    assert chart.log_ticks(5, 300) == [5, 10, 20, 50, 100, 200]
    assert chart.log_ticks(3, 200_000) == [10, 100, 1000, 10_000, 100_000]


def test_the_marks_of_this_model_are_drawn_over_those_of_the_others() -> None:
    for found in (only(frequency_bands.figures(INPUTS)), only(positions.figures(INPUTS)), only(documents.figures(INPUTS))):
        names = [point["predictor"] for point in series(found) if "predictor" in point]
        own = names.count("this model")
        assert own and names[-own:] == ["this model"] * own


@pytest.mark.parametrize(
    ("ends", "shown", "hidden"),
    [
        ((0.8, 1.6), ["0.8", "1.2", "1.6"], "m"),
        ((0, 3000), ["0", "1k", "3k"], "m"),
        ((1e6, 2.4e9), ["1B"], "G"),
    ],
)
def test_an_axis_has_plain_numbers(ends: tuple[float, float], shown: list[str], hidden: str) -> None:
    scale = chart.alt.Scale(domain=list(ends), nice=False)
    marks = chart.alt.Chart(chart.values([{"x": end} for end in ends])).mark_point()
    drawn = marks.encode(x=chart.alt.X("x:Q", scale=scale, title=None, axis=chart.axis(scale))).properties(width=600)
    labels = re.findall(r"<text[^>]*>([^<]+)</text>", vl_convert.vegalite_to_svg(drawn.to_dict()))
    assert set(shown) <= set(labels)
    assert not any(hidden in label for label in labels)
