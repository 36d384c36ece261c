"""The section `peak`: the throughput of matrix products, the upper bound for any training."""

import driver
import systems
from driver import Peer
from lstm_lm.ui.markdown import table
from page import not_measured, number
from session import Session
from timing import median

DTYPES = ["float32", "bfloat16"]
HEADINGS = ["`tf.matmul`, GFLOP/s", "float32, median", "float32, best", "bfloat16, median", "bfloat16, best"]


def peak(session: Session) -> str:
    """Measure matrix products in both precisions."""
    peer = systems.matmul(systems.settings_of("cookbook"), session.pick(2048, 1024), DTYPES)
    driver.run_interleaved([peer], session.rounds, 1)
    if peer.problem:
        return not_measured(peer.problem)
    rows = []
    for name in peer.results[0]["rates"]:
        by_dtype = [[result["rates"][name][dtype] for result in peer.results] for dtype in DTYPES]
        rows.append([name, *(number(statistic(rates)) for rates in by_dtype for statistic in (median, max))])
    return table(HEADINGS, rows)


def best_rate(peer: Peer, dtype: str) -> float | None:
    """Return the throughput of the fastest product in any round, GFLOP/s, or None without any."""
    return max((rates[dtype] for answer in peer.answers for rates in answer["rates"].values()), default=None)
