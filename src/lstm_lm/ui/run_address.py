"""Where a run can be seen in MLflow's pages."""

from lstm_lm.io.addresses import HIDDEN, mask
from lstm_lm.tracking.address import is_server

LOCAL_PAGES = "http://127.0.0.1:5000"  # of `make ui`


def run_address(store: str, run_id: str) -> str:
    """Return a short address of a run's page: with that of its experiment in it, it would not fit into 80 columns.

    Args:
        store: address of the tracking store.
        run_id: of the run.
    """
    # The browser asks for the user's name and password.
    pages = mask(store).replace(f"{HIDDEN}@", "").rstrip("/") if is_server(store) else LOCAL_PAGES
    return f"{pages}/#/runs/{run_id}"


def run_lines(store: str, run_id: str) -> list[str]:
    """Return the lines that say where a run can be seen. The last one is the address, to be copied."""
    how = "" if is_server(store) else " (start its pages with: make ui)"
    return [f"the run in MLflow{how}", f"  {run_address(store, run_id)}"]
