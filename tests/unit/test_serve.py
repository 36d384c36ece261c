import json
import shlex

import pytest

from lstm_lm.commands import serve


def test_the_example_request_is_a_shell_command_with_the_prompt_in_json() -> None:
    prompt = 'it\'s "so"\né'
    words = shlex.split(serve.example_request("http://127.0.0.1:5001", prompt))
    assert words[:2] == ["curl", "http://127.0.0.1:5001/v1/completions"]
    assert json.loads(words[-1]) == {"prompt": prompt, "max_tokens": 20}
    assert "Authorization" not in " ".join(words)
    assert "Authorization: Bearer $LSTM_LM_API_KEY" in shlex.split(serve.example_request("http://127.0.0.1:5001", prompt, needs_key=True))


@pytest.mark.parametrize("needs_key", [False, True])
def test_the_example_request_fits_into_80_columns(needs_key: bool) -> None:
    lines = serve.example_request("http://127.0.0.1:65535", "to be or not to", needs_key).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.endswith(" \\") for line in lines[:-1])
