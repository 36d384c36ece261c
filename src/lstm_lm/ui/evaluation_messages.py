"""What the stage `evaluate-sample` prints."""

import os
from typing import TYPE_CHECKING

from lstm_lm.ui import terminal
from lstm_lm.wording import counted, counted_tokens, make_command, unit_name

if TYPE_CHECKING:
    from lstm_lm.tracking.registry import Outcome

OTHER_SCORES = {"dynamic_evaluation": "dynamic evaluation", "neural_cache": "the neural cache"}


def show_scoring(words: int, text: str, unit: str) -> None:
    terminal.print(f"scoring {counted_tokens(words, unit)} of the {text} ...")


def show_counting(words: int, unit: str) -> None:
    terminal.print(f"counting the n-grams of {counted_tokens(words, unit)} of training text ...")


def note_too_long_to_count(words: int, max_words: int, unit: str) -> None:
    terminal.note(f"skipping the n-gram baselines: the training text has {counted_tokens(words, unit)}, and the limit is {max_words:,}")


def show_adaptive_scoring(name: str) -> None:
    terminal.print(f"scoring again with {OTHER_SCORES[name]} ...")


def show_details() -> None:
    terminal.print("comparing frequencies, positions and predictions for reports/details.json ...")


def note_calibration_of_pieces(words: int, total: int, unit: str) -> None:
    terminal.note(f"the calibration is that of {words:,} of the {counted_tokens(total, unit)} of the test text, in evenly spread pieces")


def show_generating(texts: int, words: int, unit: str) -> None:
    terminal.print(f"generating {counted(texts, 'text')} of {counted_tokens(words, unit)} ...")


def note_unknown_prompt(prompt: str, unit: str) -> None:
    terminal.note(
        f"the vocabulary contains no {unit_name(unit, 1)} of the prompt {prompt!r}: "
        "change evaluate_sample.prime_texts and reporting.prime_texts in params.yaml"
    )


def note_no_sentence_end(tokens: str) -> None:
    terminal.note(f"params.yaml: evaluate_sample.stop_at_sentence_end has no effect: the vocabulary contains none of {tokens}")


def show_report(path: str, is_recorded: bool | None) -> None:
    """Print the name of a report that was drawn again.

    Args:
        path: of the report.
        is_recorded: whether it is the one that dvc.lock records; None: there is none.
    """
    terminal.verbatim(path)
    if is_recorded is False:
        terminal.note(
            f"{path} differs from the one that dvc.lock records, because the code that draws it has changed since. "
            f"To keep it: dvc commit --force evaluate-sample. To get the recorded one back: dvc checkout --force {path}"
        )


def show_proxy_run(run_id: str, proxy_id: str) -> None:
    terminal.print(f"run {run_id}, which trained the weights, is not in this tracking store: logging to run {proxy_id} instead")


def show_logged_model(name: str, outcome: "Outcome") -> None:
    """Print what became of the MLflow model."""
    if outcome.version is None:
        # Only an experiment's model is not registered. Without RUN, the command would promote the model of the checkout.
        command = make_command("promote", RUN=os.environ.get("DVC_EXP_NAME", "..."))
        terminal.print(f"MLflow model models:/{outcome.model_id} (not registered as a version; {command} does that)")
        return
    terminal.print(f"{name} version {outcome.version} in the model registry" + ("" if outcome.is_new else " is already this model"))
    if outcome.is_champion:
        reload = " now: a running make serve takes it at its next reload" if outcome.is_new and outcome.version > 1 else ""
        terminal.print(f"models:/{name}@champion is version {outcome.version}{reload}")
    elif outcome.why_not:
        terminal.print(f"models:/{name}@champion stays another version: {outcome.why_not}")
