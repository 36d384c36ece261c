"""The sections of the model card that say how good the model is, where it fails, and what it has memorized."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lstm_lm.ui import markdown
from lstm_lm.ui.report import held_out_text, numbers, position_bins
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.results import OTHER_MODELS

HELD_OUT = ("test", "validation")
UNKNOWN = "unknown"  # label of the band of unknown words
GREEDY = "Greedy"  # section of reports/samples.md
NGRAM = 4
NOTABLE_GAP = 0.05  # nats per token between two losses that is worth a sentence
NOTABLE_CALIBRATION_ERROR = 0.05
NOTABLE_COPYING, NOTABLE_COPYING_RATIO = 0.001, 2  # fraction of copied 8-grams, and how many times that of test text it is
NOTABLE_REPETITION = 0.2  # fraction of repeated 4-grams in greedy texts


def result_line(inputs: Inputs) -> str:
    """Return the result in one sentence of plain text. MLflow's tables show only its beginning, so the number comes first."""
    test = inputs.metrics.get("test", {})
    unit = numbers.units(inputs.unit, 1)
    parts = [f"Perplexity {numbers.perplexity(test.get('perplexity'))} per {unit} on the test text{_interval_of(test, 'perplexity', ' ')}"]
    if "bits_per_character" in test:
        parts.append(f"{numbers.decimals(test['bits_per_character'])} bits per character")
    if "kneser_ney_perplexity" in test:
        parts.append(f"Kneser-Ney n-grams {numbers.perplexity(test['kneser_ney_perplexity'])}")
    return ", ".join(parts)


def _interval_of(metrics: Mapping[str, float], name: str, before: str = "") -> str:
    interval = numbers.interval(metrics.get(f"{name}_low"), metrics.get(f"{name}_high"))
    return f"{before}(95% interval {interval})" if interval else ""


def metric_table(inputs: Inputs, splits: Sequence[str] = HELD_OUT) -> str:
    """Return the table of held-out metrics, the model's own and those of other ways to predict the same text."""
    rows = []
    for split in splits:
        metrics = inputs.metrics.get(split, {})
        if "perplexity" not in metrics:
            continue
        rows.append([f"{split}, {numbers.count(metrics.get('words'))} {numbers.units(inputs.unit)}", *_metric_cells(metrics, "")])
        rows += [
            [f"{split}, {title}", *_metric_cells(metrics, f"{name}_")]
            for name, title in OTHER_MODELS.items()
            if f"{name}_perplexity" in metrics
        ]
    return markdown.table(["text", "perplexity", "95% interval", "adjusted perplexity", "bits per character"], rows)


def _metric_cells(metrics: Mapping[str, float], prefix: str) -> list[str]:
    return [
        numbers.perplexity(metrics.get(f"{prefix}perplexity")),
        numbers.interval(metrics.get(f"{prefix}perplexity_low"), metrics.get(f"{prefix}perplexity_high")),
        numbers.perplexity(metrics.get(f"{prefix}adjusted_perplexity")),
        numbers.decimals(metrics.get(f"{prefix}bits_per_character")),
    ]


def evaluation(inputs: Inputs) -> str:
    """The held-out metrics with intervals, beside those of the baselines."""
    unit = numbers.units(inputs.unit, 1)
    test, validation = inputs.metrics.get("test", {}), inputs.metrics.get("validation", {})
    lines = [
        f"Perplexity is per {unit} and depends on what a {unit} is and how many are known. Adjusted perplexity includes the cost of "
        f"identifying unknown {numbers.units(inputs.unit)}. Bits per character are a rough guide "
        f"across units and vocabularies: an unknown {unit} costs only its choice from the list of unknown ones. Lower is better. The "
        "validation text selected the weights. In this training, nothing was selected by the test text. The registry chooses its champion "
        "by it, so a champion chosen among many looks slightly too good.",
        metric_table(inputs),
    ]
    if "gain_over_kneser_ney" in test:
        gain, low, high = (test.get(f"gain_over_kneser_ney{end}") for end in ("", "_low", "_high"))
        ends = "" if low is None or high is None else f" (95% interval {numbers.decimals(low)} to {numbers.decimals(high)})"
        lines.append(f"Gain over Kneser-Ney on the test text: {numbers.decimals(gain)} nats per {unit}{ends}.")
    if "generalization_gap" in validation:
        lines.append(
            f"Loss on validation text minus loss on training text: {numbers.decimals(validation['generalization_gap'])} nats per {unit}."
        )
    lines += [line for name in ("champion", "parent") if (line := _reference_line(name, inputs))]
    return "\n\n".join(lines)


def _reference_line(name: str, inputs: Inputs) -> str | None:
    reference = inputs.mapping("references").get(name)
    if not reference:
        return None
    title = {"champion": "The champion when this was evaluated", "parent": "The model that the training started from"}[name]
    named = f"{title}, {reference.get('name') or 'without a name'}"
    if reference.get("perplexity") is None:
        return f"{named}: its perplexity is not known."
    is_same = {True: "the same test text", False: "another test text, so that the two cannot be compared"}.get(
        reference.get("same_text"), "whether on the same test text is not known"
    )
    return f"{named}: perplexity {numbers.perplexity(reference['perplexity'])}{_interval_of(reference, 'perplexity', ' ')}, {is_same}."


def bands(inputs: Inputs) -> str:
    """Perplexity by how often a word occurs in the training text, and by its position in a document."""
    units = numbers.units(inputs.unit)
    rows = inputs.part("frequency_bands", "test")
    positions = inputs.part("positions", "test")
    if not rows and not positions:
        return "Not computed for this run."
    texts = []
    if rows:
        texts += [
            f"By how often the {numbers.units(inputs.unit, 1)} occurs in the training text:",
            markdown.table(
                ["occurrences", f"test {units}", "perplexity", "Kneser-Ney"], [[row["label"], *_band_cells(row)] for row in rows]
            ),
        ]
    if positions:
        table = [[position_bins.label(row), *_band_cells(row)] for row in positions]
        texts += [
            f"By position in the {held_out_text.name(inputs)}:",
            markdown.table(["position", f"test {units}", "perplexity", "Kneser-Ney"], table),
        ]
    return "\n\n".join(texts)


def _band_cells(row: Mapping[str, Any]) -> list[str]:
    losses = (row.get("loss"), row.get("kneser_ney_loss"))
    return [numbers.count(row.get("words")), *(numbers.perplexity(numbers.exp(loss)) for loss in losses)]


def memorization(inputs: Inputs) -> str:
    """How much of the generated text is copied from the training text, beside the same of test text."""
    metrics = inputs.metrics.get("samples", {})
    if not metrics:
        return "Not measured: no text was generated for it."
    unit = numbers.units(inputs.unit)
    names = {f"copied_{n}": f"{n}-grams of {unit} copied from the training text" for n in (4, 8)}
    names["repetition_4"] = f"4-grams of {unit} repeated within a text"
    singular = numbers.units(inputs.unit, 1)
    distinct = {"distinct_1": f"distinct {unit} per {singular}", "distinct_2": f"distinct pairs of {unit} per {singular}"}
    rows = [
        [title, numbers.percent(metrics.get(name), 2), numbers.percent(metrics.get(f"test_text_{name}"), 2)]
        for name, title in names.items()
    ]
    rows += [
        [title, *(numbers.decimals(metrics.get(f"{prefix}{name}")) for prefix in ("", "test_text_"))] for name, title in distinct.items()
    ]
    copied, of_test = metrics.get("copied_8"), metrics.get("test_text_copied_8")
    lines = []
    if copied is not None and of_test is not None:
        is_more = copied > NOTABLE_COPYING_RATIO * of_test and copied > NOTABLE_COPYING
        more = "more" if is_more else "hardly more" if copied > of_test else "no more"
        lines.append(
            f"Sampled text copies {more} sequences of 8 {unit} from the training text than test text does: "
            f"{numbers.percent(copied, 2)} of them, against {numbers.percent(of_test, 2)}."
        )
    return "\n\n".join([*lines, markdown.table(["", f"generated, {numbers.count(metrics.get('words'))} {unit}", "test text"], rows)])


def calibration(inputs: Inputs) -> str:
    """Whether the probability of the most probable token is how often it is right."""
    of_test = inputs.mapping("calibration").get("test") or {}
    if not of_test:
        return "Not computed for this run."
    unit = numbers.units(inputs.unit, 1)
    hits = ", ".join(f"{numbers.percent(of_test.get(f'top_{n}'))} within the {n} most probable" for n in (5, 10))
    words = of_test.get("words")
    is_part = words and words < inputs.metrics.get("test", {}).get("words", 0)
    part = f" Measured on {numbers.count(words)} {numbers.units(inputs.unit)} spread over the test text." if is_part else ""
    return (
        f"The most probable {unit}, counting `<unk>` as a guess, is right for {numbers.percent(of_test.get('top_1'))} "
        f"of the test text; the right one is {hits}. "
        f"The expected calibration error of the most probable {unit} is {numbers.decimals(of_test.get('expected_calibration_error'), 4)} "
        "(mean difference between its probability and how often it is right)."
        f"{part}"
    )


def limits(inputs: Inputs) -> str:
    """What the run itself shows to be weak, as a list."""
    return "\n".join(f"- {line}" for line in _limits(inputs))


def _limits(inputs: Inputs) -> Iterator[str]:
    unit, units = numbers.units(inputs.unit, 1), numbers.units(inputs.unit)
    test, validation = inputs.metrics.get("test", {}), inputs.metrics.get("validation", {})
    vocabulary = inputs.mapping("model").get("vocabulary_size")
    if rate := test.get("oov_rate"):
        known = f" ({numbers.count(vocabulary)} {units})" if vocabulary else ""
        rate_text = numbers.percent(rate, 2)
        yield f"{rate_text} of the test {units} are not in the vocabulary{known}. They are read as `<unk>`, and never generated."
    yield from _weak_bands(inputs)
    yield from _weak_start(inputs)
    if (gap := validation.get("generalization_gap")) is not None and gap > NOTABLE_GAP:
        cause = ". Its n-grams, which know the training text, add to that" if inputs.config.get("ngrams") else ""
        yield f"It predicts training text better than validation text, by {numbers.decimals(gap)} nats per {unit}{cause}."
    error = (inputs.mapping("calibration").get("test") or {}).get("expected_calibration_error")
    if error is not None and error > NOTABLE_CALIBRATION_ERROR:
        yield f"Its probabilities are off by {numbers.percent(error)} on average (expected calibration error)."
    yield from _repetition(inputs)
    yield "All of this was measured on held-out text of the same source as the training text. Other text was not tried."
    yield "Not measured: factual correctness, social bias, offensive text. Nothing filters what it generates."


def _weak_bands(inputs: Inputs) -> Iterator[str]:
    rows = [
        row
        for row in inputs.part("frequency_bands", "test")
        if row.get("words") and row.get("loss") is not None and row["label"] != UNKNOWN
    ]
    if len(rows) < 2:
        return
    worst, best = (pick(rows, key=lambda row: row["loss"]) for pick in (max, min))
    of_worst, of_best = (numbers.perplexity(numbers.exp(row["loss"])) for row in (worst, best))
    units = numbers.units(inputs.unit)
    rare = "rare " if (worst.get("low") or 0) < (best.get("low") or 0) else ""
    yield (
        f"It predicts {rare}{units} worst: perplexity {of_worst} ({worst['label']} occurrences in the training text), "
        f"against {of_best} ({best['label']})."
    )


def _weak_start(inputs: Inputs) -> Iterator[str]:
    rows = [row for row in inputs.part("positions", "test") if row.get("words") and row.get("loss") is not None]
    gains = position_bins.gains(rows)
    if gains is not None and gains.late - gains.early > NOTABLE_GAP:
        unit, text = numbers.units(inputs.unit, 1), held_out_text.name(inputs)
        yield (
            f"It needs context: its gain over Kneser-Ney is {numbers.decimals(gains.early)} nats per {unit} at positions "
            f"{gains.early_label} of a {text}, and {numbers.decimals(gains.late)} at {gains.late_label}."
        )


def _repetition(inputs: Inputs) -> Iterator[str]:
    greedy = [f"{sample.prompt}{sample.rest}".split() for sample in inputs.samples if sample.section == GREEDY]
    if (fraction := repeated_ngrams(greedy)) is not None and fraction > NOTABLE_REPETITION:
        share = numbers.percent(fraction, 0)
        yield (
            f"Greedy decoding repeats itself: {share} of the 4-grams of words between spaces in its samples "
            "occurred earlier in the same text."
        )
    metrics = inputs.metrics.get("samples", {})
    sampled, of_test = metrics.get("repetition_4"), metrics.get("test_text_repetition_4")
    if sampled is not None and of_test is not None and sampled > 2 * of_test and sampled > 0.01:
        ngrams = f"4-grams of {numbers.units(inputs.unit)}"
        yield f"Sampled text repeats {numbers.percent(sampled, 2)} of its {ngrams}, test text {numbers.percent(of_test, 2)}."


def repeated_ngrams(texts: Sequence[Sequence[str]], n: int = NGRAM) -> float | None:
    """Return the fraction of the n-grams that occurred earlier in their text, or None if there are none."""
    total = repeated = 0
    for words in texts:
        ngrams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        total += len(ngrams)
        repeated += len(ngrams) - len(set(ngrams))
    return repeated / total if total else None
