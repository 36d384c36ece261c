"""Tables of held-out results and of generated text, as rows of `reports/metrics.json`."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from lstm_lm.ui import terminal
from lstm_lm.ui.own_text_notes import SHORT_TEXT_PAGE
from lstm_lm.ui.terminal import Column
from lstm_lm.wording import counted_tokens, unit_name

METRICS_FILE = "reports/metrics.json"
Metrics = Mapping[str, float]
Surprisal = tuple[str, float | None, bool]  # a word, its surprisal in bits (None: it is given), and whether the model knows it

# Other ways to predict the same words: their metrics are in the rows of the splits, with these prefixes.
OTHER_MODELS = {
    "kneser_ney": "Kneser-Ney n-grams",
    "unigram": "unigrams",
    "ngram_mixture": "model and Kneser-Ney",
    "dynamic_evaluation": "dynamic evaluation",
    "neural_cache": "neural cache",
}

TEXT_METRICS = {
    "repetition_4": "repeated",
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
    "copied_4": "copied 4-grams",
    "copied_8": "copied 8-grams",
}


def held_out_columns(unit: str) -> list[Column]:
    """Return the columns of the table of held-out results of models of the same `vocab.unit`."""
    return [
        Column("held-out results", align="left"),
        Column(unit_name(unit), drop_order=2),
        Column("loss", drop_order=4),
        Column("perplexity"),
        Column("95% interval", drop_order=3),
        Column("unknown", drop_order=1),
        Column("adjusted ppl"),
        Column("bits/char"),
    ]


def held_out_rows(results: Mapping[str, Metrics], compare_in: Collection[str] = ()) -> list[list[str]]:
    """Return the rows of a table with `held_out_columns`.

    Args:
        results: {label: metrics of one split, as in reports/metrics.json}; entries that are no held-out split are left out.
        compare_in: labels below which the results of baselines and other models of the same words are shown.
    """
    rows = []
    for label, metrics in results.items():
        if "perplexity" not in metrics:
            continue
        rows.append(_held_out_row(label, metrics))
        for name, title in OTHER_MODELS.items() if label in compare_in else ():
            if f"{name}_perplexity" in metrics:
                other = {key.removeprefix(f"{name}_"): value for key, value in metrics.items() if key.startswith(f"{name}_")}
                rows.append(_held_out_row(f"  {title}", other))
    return rows


def _held_out_row(label: str, metrics: Metrics) -> list[str]:
    interval = f"{metrics['perplexity_low']:.2f}-{metrics['perplexity_high']:.2f}" if "perplexity_low" in metrics else ""
    return [
        label,
        f"{metrics['words']:,}" if "words" in metrics else "",
        f"{metrics['loss']:.3f}",
        f"{metrics['perplexity']:.2f}",
        interval,
        f"{metrics['oov_rate']:.2%}" if "oov_rate" in metrics else "",
        terminal.perplexity(metrics["adjusted_perplexity"]),
        f"{metrics['bits_per_character']:.3f}",
    ]


def show_held_out(results: Mapping[str, Metrics], unit: str, compare_in: Collection[str] = ()) -> None:
    """Print the table of held-out results of one `vocab.unit`; other arguments as of `held_out_rows`."""
    terminal.table(held_out_columns(unit), held_out_rows(results, compare_in), where=METRICS_FILE)


def show_models(results: Mapping[str, Metrics], units: Mapping[str, str]) -> None:
    """Print the held-out results of several models, those of the same unit in one table.

    Args:
        results: as of `held_out_rows`.
        units: {label: `vocab.unit` of the model}.
    """
    for unit in dict.fromkeys(units.values()):
        show_held_out({label: metrics for label, metrics in results.items() if units[label] == unit}, unit)
        terminal.print()
    if line := units_line(units.values()):
        terminal.print(line)
        terminal.print()


def units_line(units: Iterable[str]) -> str | None:
    """Return a sentence on what can be compared across models of these units, or None if they are all the same."""
    names = [f"per {unit_name(unit, 1)}" for unit in dict.fromkeys(units)]
    if len(names) < 2:
        return None
    return f"Loss and perplexity are {' or '.join(names)}: between these, only bits/char can be compared."


def generalization_line(results: Mapping[str, Metrics], unit: str) -> str | None:
    """Return a sentence on how much better the model predicts training text than validation text, if that was measured."""
    validation = results.get("validation", {})
    if "generalization_gap" not in validation:
        return None
    loss, gap = validation["training_text_loss"], validation["generalization_gap"]
    more = f"{abs(gap):.3f} {'more' if gap >= 0 else 'less'}"
    return f"loss on training text: {loss:.3f} nats per {unit_name(unit, 1)}; on validation text: {more}"


def kneser_ney_line(results: Mapping[str, Metrics]) -> str | None:
    """Return a sentence on what to try if the model predicts the test text no better than Kneser-Ney's n-grams, or None.

    Without an interval of the difference, the losses decide; with one, it must exclude 0.
    """
    test = results.get("test", {})
    if "loss" not in test or "kneser_ney_loss" not in test:
        return None
    if test.get("gain_over_kneser_ney_low", test["kneser_ney_loss"] - test["loss"]) > 0:
        return None
    verdict = "worse" if test["loss"] >= test["kneser_ney_loss"] else "not clearly better"
    return f"{verdict} than counting n-grams (Kneser-Ney): try more dropout and more epochs, see {SHORT_TEXT_PAGE}"


def generated_text_rows(results: Mapping[str, Metrics], unit: str) -> list[list[str]]:
    """Return the rows of the table that compares generated text with test text. It has no rows if nothing was generated."""
    metrics = results.get("samples")
    if not metrics:
        return []
    kinds = {f"generated, {counted_tokens(int(metrics['words']), unit)}": "", "as much test text": "test_text_"}
    return [[label, *(_text_cell(name, metrics.get(f"{prefix}{name}")) for name in TEXT_METRICS)] for label, prefix in kinds.items()]


def _text_cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if name.startswith("distinct") else f"{value:.2%}"


def show_generated_text(results: Mapping[str, Metrics], unit: str) -> None:
    """Print the table that compares generated text with test text, if text was generated."""
    rows = generated_text_rows(results, unit)
    if rows:
        drop_orders = {"distinct_2": 1, "copied_4": 2}
        columns = [Column(title, drop_order=drop_orders.get(name, 0)) for name, title in TEXT_METRICS.items()]
        terminal.table([Column("text", align="left"), *columns], rows, where=METRICS_FILE)


def show_text_score(metrics: Metrics, unknown_words: int, unit: str | None) -> None:
    """Print how well a text is predicted, one metric a line.

    Args:
        metrics: of a held-out split.
        unknown_words: number of scored words that the model does not know.
        unit: what a token is, or None if that is unknown.
    """
    rows = [
        [unit_name(unit), f"{metrics['words']:,}", "scored: all but the first"],
        [f"unknown {unit_name(unit)}", f"{unknown_words:,}", f"{metrics['oov_rate']:.2%}, scored as <unk>"],
        ["loss", f"{metrics['loss']:.3f}", f"nats per {unit_name(unit, 1)}"],
        ["perplexity", f"{metrics['perplexity']:.2f}", "depends on the vocabulary"],
        ["adjusted perplexity", terminal.perplexity(metrics["adjusted_perplexity"]), "with the cost of identifying what is unknown"],
        ["bits per character", f"{metrics['bits_per_character']:.3f}", "a rough guide across vocabularies"],
    ]
    terminal.table([Column("metric", align="left"), Column("value"), Column("", align="left", drop_order=1)], rows)


def show_surprisal(words: Sequence[Surprisal], unit: str | None) -> None:
    """Print the words of a text, one a line, with their surprisal. The unit is that of `show_text_score`."""
    # Not a table, which takes a millisecond a line: a text may be a book.
    tokens = [word if word.strip() else repr(word) for word, _, _ in words]
    title = unit_name(unit, 1)
    width = max(len(title), *map(len, tokens))
    lines = [f"{title:<{width}}  {'bits':>9}"]
    for token, (_, bits, is_known) in zip(tokens, words, strict=True):
        shown = "-" if bits is None else f"{bits:.2f}"
        lines.append(f"{token:<{width}}  {shown:>9}{'' if is_known else '  unknown'}")
    terminal.verbatim("\n".join([*lines, ""]))
