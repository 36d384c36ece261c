from lstm_lm.serving.app.sources import Resolved, ids


def test_two_models_have_different_ids() -> None:
    own, other = Resolved("models:/lstm_lm/1", "lstm_lm", "this"), Resolved("models:/lstm_lm/2", "lstm_lm-v2", "that")
    assert ids([own]) == ids([other]) == ["lstm_lm"]
    assert ids([own, other]) == ["lstm_lm", "lstm_lm-v2"]
    assert ids([other, own]) == ["lstm_lm", "lstm_lm-2"]
