"""Ablations: what one change at a time does to the metrics, measured by DVC experiments."""

from lstm_lm.experiments.ablation.loop import run

__all__ = ["run"]
