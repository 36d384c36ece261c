"""Learning-rate schedules."""

import math


def learning_rate(step: int, total_steps: int, peak: float, schedule: str, warmup_steps: int) -> float:
    """Return the learning rate of one step.

    Args:
        step: 1 for the first step.
        total_steps: of the whole training.
        peak: the largest rate.
        schedule: "constant", or "cosine": decays to 0 at the last step (Loshchilov & Hutter 2017).
        warmup_steps: steps of linear warm-up from 0, at most a quarter of all steps.
    """
    warmup_steps = min(warmup_steps, total_steps // 4)
    if step <= warmup_steps:
        return peak * step / warmup_steps
    if schedule == "constant":
        return peak
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * progress)) / 2
