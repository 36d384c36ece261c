"""A small run as the report reads it: numbers that a test can compute again, and texts that HTML and JavaScript could take for code."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstm_lm.events import Row, Sample
from lstm_lm.ui.report import inputs
from lstm_lm.ui.report.inputs import GeneratedText, Inputs

# Each would run `attacked = true`, or end what it is in, if the page did not escape it.
ATTACKS = (
    "</script><script>window.attacked = true</script>",
    "<img src=x onerror='window.attacked = true'>",
    '" onmouseover="window.attacked = true',
    "{{ 7 * 7 }}<!-- &amp;",
)


def split_metrics(loss: float) -> dict[str, float]:
    """Metrics of a split, with intervals and baselines."""
    metrics: dict[str, float] = {"words": 1000, "oov_rate": 0.05}
    for prefix, value in (("", loss), ("kneser_ney_", loss + 0.4), ("unigram_", loss + 1.2)):
        metrics |= {f"{prefix}loss": value, f"{prefix}perplexity": math.exp(value), f"{prefix}adjusted_perplexity": 1.5 * math.exp(value)}
        metrics[f"{prefix}bits_per_character"] = value / 3
    for name in ("loss", "perplexity", "adjusted_perplexity", "bits_per_character"):
        metrics |= {f"{name}_low": 0.95 * metrics[name], f"{name}_high": 1.05 * metrics[name]}
    return metrics | {"gain_over_kneser_ney": 0.4, "gain_over_kneser_ney_low": 0.35, "gain_over_kneser_ney_high": 0.45}


def metrics() -> dict[str, dict[str, float]]:
    """reports/metrics.json."""
    generated = {"repetition_4": 0.01, "distinct_1": 0.3, "distinct_2": 0.8, "copied_4": 0.02, "copied_8": 0.001}
    samples = {"words": 640, **generated, **{f"test_text_{name}": value / 2 for name, value in generated.items()}}
    return {"validation": split_metrics(4.9), "test": split_metrics(5.0), "samples": samples}


def group(words: int, loss: float, **more: object) -> dict[str, Any]:
    """A document, band or bin."""
    return {**more, "words": words, "loss": loss, "kneser_ney_loss": loss + 0.3, "unigram_loss": loss + 1.1}


def details() -> dict[str, Any]:
    """reports/details.json."""
    words = ["the", "king", *ATTACKS, "and", " "]
    bands = [group(500, 3.0, label="1,000 and more", low=1000, high=None), group(400, 6.0, label="10 to 999", low=10, high=999)]
    return {
        "unit": "word",
        "run": {"name": ATTACKS[0], "commit": "0123abc", "dirty": True, "parameters": {"train.clip_norm": 1.0, "model.hidden_size": 8}},
        "model": {"parameters": 12345, "vocabulary_size": 99, "precision": "float32", "steps": 40, "best_step": 40, "best_epoch": 2},
        "source": {"path": ATTACKS[1]},
        "splits": {name: {"words": 1000, "documents": 2, "files": [f"{name}.txt", ATTACKS[1]]} for name in ("train", "validation", "test")},
        "documents": {
            "test": [group(600, 5.2, name="plays/b.txt"), group(400, 4.7, name=ATTACKS[1])],
            "validation": [group(1000, 4.9, name="plays/c.txt")],
        },
        "frequency_bands": {"test": [*bands, group(100, 2.0, label="unknown", low=None, high=None)], "validation": bands},
        "positions": {"test": [group(20, 6.0, start=0, end=10), group(180, 5.5, start=10, end=100), group(800, 4.8, start=100, end=1000)]},
        "calibration": {
            "test": {
                "bins": [
                    {"low": 0.0, "high": 0.1, "words": 600, "mean_probability": 0.06, "fraction_correct": 0.05},
                    {"low": 0.1, "high": 0.2, "words": 0, "mean_probability": None, "fraction_correct": None},
                    {"low": 0.8, "high": 0.9, "words": 400, "mean_probability": 0.85, "fraction_correct": 0.8},
                ],
                "expected_calibration_error": 0.026,
                "top_1": 0.35,
                "top_5": 0.6,
                "top_10": 0.7,
            }
        },
        "rank_frequency": {
            "points": [{"rank": rank, "count": 1000 // rank} for rank in (1, 2, 4, 8, 16, 32)],
            "cut": {"rank": 16, "count": 62},
            "types": 32,
            "tokens": 4000,
        },
        "passage": {
            "split": "test",
            "document": ATTACKS[1],
            "start": 7,
            "words": [
                {"text": word, "space_before": True, "bits": 1.5 * i, "kneser_ney_bits": 12.0 - i, "known": i != 1}
                for i, word in enumerate(words)
            ],
        },
        "neighbours": [
            {"word": word, "neighbours": [{"word": ATTACKS[1], "similarity": 0.5}, {"word": "queen", "similarity": 0.9}]}
            for word in words[:3]
        ],
        "map": [{"word": word, "x": math.cos(i), "y": math.sin(2 * i), "count": 1000 - i} for i, word in enumerate([*words, "x" * 30])],
        "references": {
            "champion": {
                "name": ATTACKS[1],
                "same_text": True,
                "perplexity": 180.0,
                "perplexity_low": 170.0,
                "perplexity_high": 190.0,
                "adjusted_perplexity": 250.0,
                "bits_per_character": 1.7,
            },
            "parent": None,
        },
    }


def history(rows: int = 40) -> list[Row]:
    """models/history.csv: an epoch of 20 steps, of 100 words each; a validation at its end."""
    return [
        Row(
            step=step,
            words_seen=100 * step,
            epoch=1 + (step - 1) // 20,
            loss=5.0 + 2.0 / step,
            learning_rate=0.01 / step,
            gradient_norm=0.5 + step / 40,
            words_per_second=1000.0,
            validation_loss=5.6 - step / 80 if step % 20 == 0 else None,
            validation_perplexity=math.exp(5.6 - step / 80) if step % 20 == 0 else None,
        )
        for step in range(1, rows + 1)
    ]


def training_samples() -> list[Sample]:
    """models/samples.csv."""
    return [
        Sample(step, prompt, temperature, f"{prompt} step {step} {ATTACKS[1]}")
        for step in (10, 20, 30)
        for temperature in (0.0, 0.8)
        for prompt in ("to be", ATTACKS[2])
    ]


def samples() -> list[GeneratedText]:
    """The texts of reports/samples.md."""
    return [
        GeneratedText("Greedy", "to be", " or not to be or not to be or not"),
        GeneratedText("Greedy", "thou", f" art {ATTACKS[1]}"),
        GeneratedText("Temperature 1", "to be", " a b c d e f a b c d"),
        GeneratedText("Temperature 1", "thou", " who was here and there and gone"),
    ]


def report_inputs(**changes: Any) -> Inputs:
    """The whole run; keyword arguments replace attributes of `Inputs`."""
    whole = {
        "metrics": metrics(),
        "details": details(),
        "run": {"run_id": "run0123", "seconds": 321.0, "machine": ATTACKS[1]},
        "history": history(),
        "training_samples": training_samples(),
        "samples": samples(),
    }
    return Inputs(**{**whole, **changes})


def with_details(**changes: Any) -> Inputs:
    """The run with some values of reports/details.json replaced."""
    return report_inputs(details={**details(), **changes})


def write(folder: Path) -> None:
    """Write the files of the run."""
    (folder / "models/weights").mkdir(parents=True)
    (folder / "reports").mkdir()
    contents: Mapping[str, Any] = {
        inputs.METRICS: metrics(),
        inputs.DETAILS: details(),
        inputs.CONFIG: {"precision": "float32", "steps": 40, "best_step": 40, "best_epoch": 2},
        inputs.RUN: {"run_id": "run0123", "seconds": 321.0, "machine": ATTACKS[1]},
    }
    for name, value in contents.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    _write_tables(folder)
    lines = ["# Samples", ""]
    section = ""
    for text in samples():
        if text.section != section:
            section = text.section
            lines += [f"## {section}", ""]
        lines.append(f"- **{text.prompt}**{text.rest}")
    (folder / inputs.SAMPLES).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_tables(folder: Path) -> None:
    from lstm_lm.training.history import HistoryFiles

    files = HistoryFiles(folder / "models")
    files.resumed(0, history(), training_samples())
    files.close()


def points(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All rows of data in a chart, in order, each once."""
    found: list[dict[str, Any]] = []
    for part in [spec, *spec.get("layer", [])]:
        data = part.get("data") or {}
        rows = data["values"] if "values" in data else spec.get("datasets", {}).get(data.get("name"), [])
        found += [row for row in rows if row not in found]
    return found
