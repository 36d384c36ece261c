import json
import shlex

from lstm_lm.commands import serve


def test_the_example_request_is_a_shell_command_with_the_prompt_in_json() -> None:
    prompt = 'it\'s "so"\né'
    words = shlex.split(serve.example_request("http://127.0.0.1:5001", prompt))
    assert words[:2] == ["curl", "http://127.0.0.1:5001/invocations"]
    assert json.loads(words[-1])["dataframe_split"] == {"columns": ["prompt"], "data": [[prompt]]}
