from pathlib import Path

import pytest

from lstm_lm.tracking import store
from lstm_lm.tracking.distinct_names import distinct_name
from lstm_lm.tracking.mirroring import Proxy, join
from lstm_lm.tracking.run import Run, create_run, recipe
from mlflow_helpers import SETTINGS, UNKNOWN_RUN

OURS = {"train.epochs": "3", "text_digest": "0123456789abcdef"}


@pytest.mark.parametrize(
    ("params", "tags", "is_same"),
    [
        ({}, {}, True),  # nothing is known yet
        ({"train.epochs": "3", "a.new": "parameter"}, {}, True),
        ({"train.epochs": "30"}, {}, False),
        ({"train.epochs": "3", "text_digest": "another text"}, {}, False),
        ({"train.epochs": "3"}, {"data.raw": "0123456789abcdef" * 4}, True),  # as earlier versions of this project logged it
        ({"train.epochs": "3"}, {"data.raw": "another text"}, False),
    ],
)
def test_only_runs_of_one_recipe_share_a_name(params: dict[str, str], tags: dict[str, str], is_same: bool, tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    other = Run(client, create_run(client, SETTINGS, {"mlflow.runName": "it's mine", **tags}))
    other.log_params(params)
    experiment = client.get_run(other.id).info.experiment_id
    name = distinct_name(client, experiment, "it's mine", OURS)
    assert (name == "it's mine") == is_same
    assert name == distinct_name(client, experiment, "it's mine", OURS)
    assert distinct_name(client, experiment, "theirs", OURS) == "theirs"


def test_a_run_of_another_recipe_gets_a_name_of_its_own(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    first = Run(client, create_run(client, SETTINGS))
    name = client.get_run(first.id).info.run_name
    first.log_params({**recipe(SETTINGS), "text_digest": "one text"})
    assert client.get_run(create_run(client, SETTINGS)).info.run_name == name
    Path("data/batches/batches.json").write_text('{"raw": "another text"}')
    others = [create_run(client, SETTINGS), join(client, UNKNOWN_RUN, Proxy.of(SETTINGS, None)).id]
    names = {client.get_run(other).info.run_name for other in others}
    assert len(names) == 1 and names != {name} and names.pop().startswith(f"{name} ")
