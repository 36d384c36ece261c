import math

from lstm_lm.serving.prompts import verdict
from lstm_lm.serving.prompts.comparison import CHARACTERS, KNOWN_SURPRISAL, SURPRISAL, UNKNOWN, Estimate, Measure


def measure(prompts: float, validation: float, width: float) -> Measure:
    difference = prompts - validation
    nowhere = Estimate(prompts, math.nan, math.nan)
    return Measure(nowhere, Estimate(validation, math.nan, math.nan), Estimate(difference, difference - width, difference + width))


def judge(unknown: float, bits: float, distinct: int = 1000) -> verdict.Verdict:
    return verdict.verdict({UNKNOWN: measure(0.07 + unknown, 0.07, 0.005), SURPRISAL: measure(8 + bits, 8, 0.1)}, distinct, "word")


def test_the_verdict_is_a_sentence() -> None:
    assert judge(0.001, 0.05) == verdict.Verdict("The prompts are like the validation text: neither difference is more than chance.", False)
    assert judge(0.05, 1.0) == verdict.Verdict(
        "Compared with the validation text, prompts have more unknown words (12.0%, not 7.0%) and 1.00 more bits per word "
        "(perplexity times 2.00), which is more than chance. Train on such text.",
        True,
    )
    assert judge(0.01, 0.15).sentence.endswith("which is more than chance. The difference is small.")
    assert judge(-0.02, -0.5).sentence.endswith(
        "0.50 bits per word less (perplexity times 0.71), which is more than chance. They are no harder for the model."
    )
    assert not judge(-0.02, -0.5).is_drift
    assert judge(0.05, 1.0, 49) == verdict.Verdict("49 different prompts are too few for a verdict: at least 50 are needed.", False)


def test_the_table_has_points_of_percent_and_dashes() -> None:
    nothing = Estimate(math.nan, math.nan, math.nan)
    measures = {UNKNOWN: measure(0.12, 0.07, 0.01), SURPRISAL: measure(9, 8, 0.25), CHARACTERS: measure(5, 5, 1)}
    rows = verdict.rows({**measures, KNOWN_SURPRISAL: Measure(nothing, nothing, nothing)}, "word")
    assert rows == [
        ["unknown words", "12.0%", "7.0%", "+5.0 points", "+4.0 to +6.0"],
        ["surprisal, bits per word", "9.00", "8.00", "+1.00", "+0.75 to +1.25"],
        ["  of known words", "-", "-", "-", ""],
        ["characters per word", "5.00", "5.00", "+0.00", "-1.00 to +1.00"],
    ]
    assert len(verdict.rows({**measures, KNOWN_SURPRISAL: measures[SURPRISAL]}, "char")) == 3
