import json

import pytest

from lstm_lm.serving.app import problems
from lstm_lm.serving.app.problems import Problem
from lstm_lm_serving.errors import Busy, Cancelled, Closed, Expired, Refused, ServingError


def test_each_protocol_has_its_own_form() -> None:
    problem = Problem(400, "top_p = 2:\nmust be\x00 less", "top_p", "wrong")
    assert problem.content("/invocations") == {"error_code": "BAD_REQUEST", "message": "top_p = 2: must be  less"}
    error = {"message": "top_p = 2: must be  less", "type": "invalid_request_error", "param": "top_p", "code": "wrong"}
    assert problem.content("/v1/completions") == {"error": error}
    assert json.loads(problem.answer("/v1/completions").body) == {"error": error}


@pytest.mark.parametrize(
    ("error", "status"),
    [(Refused("no"), 400), (Busy("later", 2.6), 429), (Expired("late"), 504), (Cancelled("left"), 503), (Closed("closed"), 503)],
)
def test_errors_of_the_engine_have_a_status(error: ServingError, status: int) -> None:
    assert problems.from_engine(error).status == status


def test_a_busy_server_says_when_to_try_again() -> None:
    assert problems.from_engine(Busy("later", 2.6)).answer("/v1/completions").headers["retry-after"] == "3"
    assert problems.from_engine(Busy("later", 0.1)).answer("/v1/completions").headers["retry-after"] == "1"


def test_messages_are_cut_and_can_be_sent_with_half_a_surrogate_pair() -> None:
    assert len(Problem(400, "x" * 10_000).message) == problems.MAX_MESSAGE
    Problem(400, "\ud800").answer("/v1/completions")
