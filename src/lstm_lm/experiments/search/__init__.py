"""A search for better parameters, judged by validation perplexity.

Trials are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011) and pruned by the median rule (Golovin et al. 2017), both
Optuna's (Akiba et al. 2019). Test text is never looked at.
"""

from lstm_lm.experiments.search.loop import run

__all__ = ["run"]
