"""`cli.py serve` in the checkout that trained the model."""

import shutil

import pytest
import requests

from conftest import run_id
from http_server import serving

pytestmark = pytest.mark.slow


def test_this_checkouts_model_is_logged_again_if_the_store_lost_it_and_served(project):
    shutil.rmtree(project / "mlartifacts")
    with serving(project, []) as server:
        assert "logging it" in server.log.read_text()
        [model] = requests.get(f"{server.address}/v1/models", timeout=5).json()["data"]
        assert (model["id"], model["version"], model["run_id"]) == ("lstm_lm", "1", run_id(project))
        assert server.complete("the king", max_tokens=3)
        assert 0 <= server.metric("lstm_lm_validation_unknown_ratio") < 1
        assert server.metric("lstm_lm_validation_surprisal_bits") > 0
        reloaded = requests.post(f"{server.address}/admin/reload", timeout=120).json()["models"]
        assert [each["replaced"] for each in reloaded] == [False]
