import json

import pytest

from lstm_lm.serving.app import answers


@pytest.mark.parametrize("length", [0, 1, answers.PIECE_ITEMS - 1, answers.PIECE_ITEMS, answers.PIECE_ITEMS + 1, 3 * answers.PIECE_ITEMS])
def test_a_list_is_the_same_json_in_pieces(length: int) -> None:
    items = [{"token": f"é{number}", "surprisal": None} for number in range(length)]
    assert answers.encode_list(items) == answers.encode(items)


def test_whatever_was_sent_can_be_sent_back_but_numbers_must_be_finite() -> None:
    assert json.loads(answers.encode({"text": "\ud800 İ \x00"})) == {"text": "? İ \x00"}
    with pytest.raises(ValueError, match="JSON"):
        answers.encode([float("nan")])
    with pytest.raises(ValueError, match="JSON"):
        answers.encode_list([float("inf")])
