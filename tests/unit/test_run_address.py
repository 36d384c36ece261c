import pytest

from lstm_lm.ui.run_address import run_lines

RUN = "632cecd95c1846108ede5209dc69c520"


@pytest.mark.parametrize(
    ("store", "how", "address"),
    [
        ("sqlite:////home/me/lstm-lm/mlflow.db", "the run in MLflow (start its pages with: make ui)", "http://127.0.0.1:5000/#/runs/"),
        ("postgresql://me:secret@db/mlflow", "the run in MLflow (start its pages with: make ui)", "http://127.0.0.1:5000/#/runs/"),
        ("https://me:secret@mlflow.example.org/team/", "the run in MLflow", "https://mlflow.example.org/team/#/runs/"),
    ],
)
def test_the_address_is_that_of_the_pages_and_shows_no_password(store: str, how: str, address: str) -> None:
    assert run_lines(store, RUN) == [how, f"  {address}{RUN}"]
    if how.endswith(")"):
        assert max(map(len, run_lines(store, RUN))) <= 80
