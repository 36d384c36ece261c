from typing import Any

from lstm_lm.generation import options
from lstm_lm.serving.app.completion_format import Answer, log_probabilities
from lstm_lm.serving.app.completion_request import RequestChecker
from lstm_lm_serving.texts import Piece, PromptFacts, Word

CHECKER = RequestChecker(options.served_table())
PIECES = [
    Piece(0, 0, " the", 1),
    Piece(1, 1, " king", 1),
    Piece(0, 1, " art", 1, finish_reason="stop"),
    Piece(0, 0, " and", 2, finish_reason="length"),
    Piece(1, 0, "", 0, finish_reason="length"),
    Piece(1, 1, " or", 1, finish_reason="length"),
]
PROMPTS = [PromptFacts(2, 2), PromptFacts(3, 1)]


def answer(**body: Any) -> Answer:
    return Answer(CHECKER.check({"prompt": ["a b", "c d e"], "n": 2, **body}), "m", "fp_1")


def test_pieces_become_choices_in_order() -> None:
    whole = answer()
    whole.add(PIECES)
    content = whole.whole(PROMPTS)
    assert [(each["index"], each["text"], each["finish_reason"]) for each in content["choices"]] == [
        (0, " the and", "length"),
        (1, " art", "stop"),
        (2, "", "length"),
        (3, " king or", "length"),
    ]
    assert content["usage"] == {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}
    assert (content["object"], content["model"], content["system_fingerprint"]) == ("text_completion", "m", "fp_1")


def test_the_chunks_of_a_stream_hold_the_same_texts() -> None:
    streamed = answer(stream=True, stream_options={"include_usage": True}, seed=3)
    chunks = streamed.chunks(PIECES)
    assert all(chunk["usage"] is None and chunk["id"] == streamed.head["id"] and chunk["seed"] == 3 for chunk in chunks)
    texts = ["", "", "", ""]
    for chunk in chunks:
        [choice] = chunk["choices"]
        texts[choice["index"]] += choice["text"]
    assert texts == [" the and", " art", "", " king or"]
    last = streamed.last_chunk(PROMPTS)
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 6)
    assert "usage" not in answer(stream=True).chunks(PIECES)[0]


def test_log_probabilities_are_parallel_lists_with_the_generated_word_among_the_top() -> None:
    words = [Word("to", "to", 0, None), Word("king", " king", 2, -2.5, ((" the", -0.5), (" and", -1.0), (" the", -3.0)))]
    assert log_probabilities(words) == {
        "tokens": ["to", " king"],
        "token_logprobs": [None, -2.5],
        "top_logprobs": [None, {" the": -0.5, " and": -1.0, " king": -2.5}],
        "text_offset": [0, 2],
    }
    whole = answer(logprobs=2)
    assert whole.whole(PROMPTS)["choices"][0]["logprobs"]["tokens"] == []
    assert answer().whole(PROMPTS)["choices"][0]["logprobs"] is None
