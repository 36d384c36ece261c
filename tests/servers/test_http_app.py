"""`cli.py serve` as its clients see it: one server for all tests of this file, in the Turkish locale."""

import contextlib
import http.client
import json
import math
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

import fuzz_server
import monitoring_files
import prometheus_server
from conftest import PROJECT, start
from http_server import Server, make_project, serving, wait_until
from lstm_lm.commands.serve import example_request
from lstm_lm.config import loading
from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.serving.prompts import files
from lstm_lm.tracking import promotion, registry, store
from lstm_lm.tracking.registry import ModelToLog
from lstm_lm.tracking.run import Run, create_run

SETTINGS = loading.load(PROJECT / "params.yaml")
PROMPTS = ["Thou art", "to be or not"]
SAMPLED = {"temperature": 0.9, "top_k": 5, "seed": 3}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, tiny_saved_models: Path) -> tuple[Path, list[Path]]:
    """A project with two registered versions, of which the first is the champion: (its folder, their SavedModels)."""
    folder = make_project(tmp_path_factory.mktemp("served"), empty_store)
    saved = [tiny_saved_models / f"{seed}/saved_model" for seed in (1, 2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        client = store.connect(SETTINGS.tracking)
        run = Run(client, create_run(client, SETTINGS))
        client.log_metric(run.id, "validation/loss", 5.0)
        client.log_metric(run.id, "validation/oov_rate", 0.0625)
        for number, saved_model in enumerate(saved):
            registry.log_model(client, run.id, model_to_log(saved_model, 150.0 + number))
        client.set_terminated(run.id)
    return folder, saved


def model_to_log(saved_model: Path, perplexity: float) -> ModelToLog:
    code, package = PROJECT / "src/lstm_lm/serving/pyfunc.py", PROJECT / "src/lstm_lm_serving"
    return ModelToLog(str(saved_model), str(code), "lstm_lm", True, perplexity, "digest of a test text", serving_package=str(package))


def promote(folder: Path, version: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        promotion.promote(store.connect(SETTINGS.tracking), "lstm_lm", version)


@pytest.fixture(scope="module")
def server(models, locales):
    folder, saved = models
    arguments = ["--model", "models:/lstm_lm@champion", "--compare", str(saved[1]), "--log-prompts", "prompts"]
    with serving(folder, arguments, **locales("tr_TR")) as started:
        yield started


@pytest.fixture(scope="module")
def client(server):
    import openai  # takes half a second, also where no test of this file runs

    return openai.OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def generate(models):
    """What the SavedModels themselves generate."""
    import tensorflow as tf

    from lstm_lm.export.generator import Generator

    generators = [Generator(tf.saved_model.load(str(saved_model))) for saved_model in models[1]]

    def texts(prompts: list[str], model: int = 0, **values: Any) -> list[str]:
        return generators[model](prompts, GenerationOptions(**values))

    return texts


def whole(prompts: list[str], completions: list[str]) -> list[str]:
    """The texts as the SavedModel returns them: with the prompts."""
    samples = len(completions) // len(prompts)
    return [prompts[number // samples] + text for number, text in enumerate(completions)]


def running(server: Server) -> float:
    return server.metric("lstm_lm_requests_running") + server.metric("lstm_lm_rows")


def test_completions_are_the_texts_of_the_saved_model(server, generate):
    for values in ({"temperature": 0.0}, SAMPLED, {"seed": 1}, {"seed": 1, "beam_width": 3}):
        assert whole(PROMPTS, server.complete(PROMPTS, max_tokens=9, **values)) == generate(PROMPTS, max_words=9, **values)
    assert whole(PROMPTS, server.complete(PROMPTS, n=3, max_tokens=5, seed=2)) == generate(PROMPTS, samples=3, max_words=5, seed=2)


def test_the_other_locale_changes_nothing(server, generate):
    prompts = ["TO BE OR NOT KING I", "\u0130 AND I\u0307", "E\u0301 \u00c9 don\u2019t \u201cto\u201d", "\u03a3 THE\x00 \u212aING \ue000"]
    assert whole(prompts, server.complete(prompts, max_tokens=9, seed=1)) == generate(prompts, max_words=9)


def terminal(server: Server, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command of `cli.py` that asks the server. Its output goes through a pipe."""
    command, *others = arguments
    return start([sys.executable, "-u", str(PROJECT / "src/cli.py"), command, "--url", server.address, *others], folder)


def test_a_terminal_shows_the_texts_of_the_saved_model(server, models, generate):
    options = {"samples": 3, "max_words": 20, "temperature": 1.1, "top_k": 5, "seed": 4}
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    texts = generate(["  Thou ART, "], **options)
    stop = texts[0].split()[9]
    before = [text[: text.index(f" {stop}", len("Thou ART,"))] if f" {stop}" in text[len("Thou ART,") :] else text for text in texts]
    sampled, stopped, beams = (
        terminal(server, models[0], "sample", *flags, *more, "  Thou ART, ")
        for more in ([], ["--stop", "xyzzy", "--stop", f" {stop}"], ["--beam-width", "3"])
    )
    assert sampled.communicate(timeout=60)[0].splitlines() == texts
    assert stopped.communicate(timeout=60)[0].splitlines() == before
    assert beams.communicate(timeout=60)[0].splitlines() == generate(["  Thou ART, "], **options, beam_width=3)


def test_a_terminal_reports_what_the_model_lacks(server, models):
    unknown, without_effect = (
        terminal(server, models[0], "sample", "--max-words", "2", *more) for more in (["zounds thou"], ["--stop-at-sentence-end", "alas"])
    )
    assert unknown.communicate(timeout=60)[0].splitlines()[0] == "note: the model does not know these tokens of the prompt: zounds"
    notes = without_effect.communicate(timeout=60)[0].splitlines()[:2]
    assert [note[:40] for note in notes] == ["note: the model knows no token of the pr", "note: --stop-at-sentence-end has no effe"]
    wait_until(lambda: "stop_at_sentence_end has no effect: none of . ! ? <eos> is a word of this model" in server.log.read_text())


def test_ctrl_c_and_a_reader_that_leaves_end_a_terminals_request(server, models):
    long = ["sample", "--max-words", "1000", "--samples", "60", "--no-repeat-ngram", "3", "thou art"]
    stopped, piped = terminal(server, models[0], *long), terminal(server, models[0], *long)
    assert stopped.stdout and piped.stdout
    assert piped.stdout.readline().startswith("thou art ")
    piped.stdout.close()
    wait_until(lambda: running(server) > 0)
    stopped.send_signal(signal.SIGINT)
    output = stopped.communicate(timeout=10)[0]
    assert stopped.returncode == 130
    assert output.splitlines()[-1] == "stopped"
    assert piped.wait(60) == 141
    wait_until(lambda: running(server) == 0)


def test_a_terminal_scores_and_shows_next_words(server, models, tmp_path):
    (tmp_path / "text.txt").write_text("The king zounds and the king\n")
    scored, following = (
        terminal(server, models[0], "score", "--words", str(tmp_path / "text.txt")),
        terminal(server, models[0], "next", "--k", "2", "thou art"),
    )
    answer = server.post("/v1/score", {"text": "The king zounds and the king"}).json()["data"][0]
    words, metrics = scored.communicate(timeout=60)[0].split("\n\n")
    expected = [[token["token"], "-" if token["surprisal"] is None else f"{token['surprisal']:.2f}"] for token in answer["tokens"]]
    assert [line.split()[:2] for line in words.splitlines()[1:]] == expected
    assert [line.split()[0] for line in words.splitlines() if line.endswith("  unknown")] == ["zounds"]
    assert f"perplexity  {answer['perplexity']:.2f}" in re.sub(r" +", "  ", metrics)
    best = server.post("/v1/next", {"prompt": "thou art", "k": 2}).json()["data"][0]["words"]
    rows = [line.split() for line in following.communicate(timeout=60)[0].splitlines()]
    assert rows[1:3] == [[word["word"], f"{word['probability']:.2%}"] for word in best]


def test_mlflow_protocol_returns_the_same_texts(server, generate):
    body = {"dataframe_split": {"columns": ["prompt"], "data": [[prompt] for prompt in PROMPTS]}, "params": {"max_words": 9, **SAMPLED}}
    predictions = server.post("/invocations", body).json()["predictions"]
    assert [row["text"] for row in predictions] == generate(PROMPTS, max_words=9, **SAMPLED)
    text = requests.post(f"{server.address}/invocations", data="prompt\nthou art\n", headers={"Content-Type": "text/csv"}, timeout=60)
    assert [row["text"] for row in text.json()["predictions"]] == generate(["thou art"])
    assert requests.get(f"{server.address}/ping", timeout=5).text == "\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+", requests.get(f"{server.address}/version", timeout=5).text)


def test_the_openai_client_completes_at_once_and_in_a_stream(client, generate):
    answer = client.completions.create(model="lstm_lm", prompt=PROMPTS, max_tokens=9, seed=3, temperature=0.9, extra_body={"top_k": 5})
    assert whole(PROMPTS, [choice.text for choice in answer.choices]) == generate(PROMPTS, max_words=9, **SAMPLED)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (6, 18, 24)
    assert {choice.finish_reason for choice in answer.choices} == {"length"}
    streamed, usage = ["", ""], None
    for chunk in client.completions.create(
        model="lstm_lm", prompt=PROMPTS, max_tokens=9, seed=3, temperature=0.9, extra_body={"top_k": 5},
        stream=True, stream_options={"include_usage": True},
    ):  # fmt: skip
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
        usage = chunk.usage or usage
    assert streamed == [choice.text for choice in answer.choices]
    assert usage == answer.usage


def test_without_a_seed_texts_differ_and_the_seed_is_in_the_answer(client):
    first, second = (client.completions.create(model="lstm_lm", prompt="thou art", max_tokens=30) for _ in range(2))
    assert first.choices[0].text != second.choices[0].text
    again = client.completions.create(model="lstm_lm", prompt="thou art", max_tokens=30, seed=first.seed)
    assert again.choices[0].text == first.choices[0].text
    assert again.system_fingerprint == first.system_fingerprint


def test_stop_strings_echo_and_log_probabilities(server, client):
    plain = client.completions.create(model="lstm_lm", prompt="thou art", max_tokens=30, seed=1).choices[0].text
    word = plain.split()[4]
    stopped = client.completions.create(model="lstm_lm", prompt="thou art", max_tokens=30, seed=1, stop=f" {word}").choices[0]
    assert stopped.text == plain[: plain.index(f" {word}")]
    assert stopped.finish_reason == "stop"
    body = {"prompt": ["thou art"] * 2, "max_tokens": 200, "seed": 1, "n": 2, "stop": f" {word}"}
    answers = [server.post("/v1/completions", {**body, **more}).json() for more in ({}, {"logprobs": 0}, {"echo": True})]
    words = sum(len(choice["text"].split()) for choice in answers[0]["choices"])
    assert [answer["usage"]["completion_tokens"] for answer in answers] == [words] * 3
    streamed = server.post("/v1/completions", {**body, "stream": True, "stream_options": {"include_usage": True}}).text
    assert json.loads(streamed.split("data: ")[-2])["usage"] == answers[0]["usage"]
    echoed = client.completions.create(model="lstm_lm", prompt="thou art", max_tokens=5, seed=1, echo=True, logprobs=2).choices[0]
    assert echoed.text.startswith("thou art ")
    assert "".join(echoed.logprobs.tokens) == echoed.text
    # Clients look a word up by its text.
    for token, value, top in list(zip(echoed.logprobs.tokens, echoed.logprobs.token_logprobs, echoed.logprobs.top_logprobs, strict=True))[
        1:
    ]:
        assert top[token] == value
        assert 1 <= len(top) <= 3 and all(other.startswith(" ") for other in top)
    # The same probabilities as of scoring the whole text.
    score = server.post("/v1/score", {"text": echoed.text}).json()["data"][0]
    surprisals = [token["surprisal"] for token in score["tokens"]]
    assert surprisals[0] is None and echoed.logprobs.token_logprobs[0] is None
    assert surprisals[1:] == pytest.approx([-value / 0.6931471805599453 for value in echoed.logprobs.token_logprobs[1:]], abs=1e-4)


def test_the_best_of_several_texts_is_returned(client):
    def mean(choice: Any) -> float:
        return sum(choice.logprobs.token_logprobs) / len(choice.logprobs.token_logprobs)

    parameters = {"model": "lstm_lm", "prompt": "thou art", "max_tokens": 8, "seed": 5, "logprobs": 0, "temperature": 1.0}
    all_texts = client.completions.create(n=6, **parameters).choices
    best = client.completions.create(n=2, best_of=6, **parameters).choices
    assert [choice.text for choice in best] == [choice.text for choice in sorted(all_texts, key=mean, reverse=True)[:2]]


def test_models_are_listed_and_chosen(server, client, generate):
    import openai

    listed = client.models.list().data
    assert [model.id for model in listed] == ["lstm_lm", "saved_model"]
    assert client.models.retrieve("lstm_lm").version == "1"
    for number, model in enumerate(listed):
        text = client.completions.create(model=model.id, prompt="thou art", max_tokens=9, seed=1).choices[0].text
        assert f"thou art{text}" == generate(["thou art"], number, max_words=9)[0]
    with pytest.raises(openai.NotFoundError, match="the model 'gpt' does not exist: there is lstm_lm and saved_model"):
        client.completions.create(model="gpt", prompt="thou art")


def test_what_makes_no_sense_is_refused_by_name(client):
    import openai

    for parameters, name in (
        ({"suffix": "x"}, "suffix"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"presence_penalty": 1.0}, "presence_penalty"),
    ):
        with pytest.raises(openai.BadRequestError, match=name) as caught:
            client.completions.create(**{"model": "lstm_lm", "prompt": "thou art", **parameters})
        assert caught.value.param == name
    with pytest.raises(openai.BadRequestError, match="/v1/completions instead"):
        client.chat.completions.create(model="lstm_lm", messages=[{"role": "user", "content": "thou art"}])
    with pytest.raises(openai.BadRequestError, match="n = 100 with 3 prompts makes 300 texts"):
        client.completions.create(model="lstm_lm", prompt=["thou art"] * 3, n=100)
    for parameters, message, name in (
        ({"prompt": ""}, 'prompt = "": must contain at least one word', "prompt"),
        ({"prompt": ["thou", "a" * 10_001]}, r"prompt\[1\] has 10001 characters", "prompt"),
        ({"prompt": ["thou"] * 257}, "257 prompts", "prompt"),
        ({"prompt": ["thou"] * 3, "n": 100}, "n = 100 with 3 prompts", "n"),
        ({"stop": [""]}, 'stop = ""', "stop"),
        ({"logit_bias": {"zounds": 1}}, 'logit_bias of "zounds"', "logit_bias"),
        ({"n": 3, "extra_body": {"beam_width": 2}}, "n = 3 with beam_width = 2", "n"),
        ({"max_tokens": 1001}, "max_tokens = 1001", "max_tokens"),
        ({"n": 2, "best_of": 1}, "best_of = 1", "best_of"),
    ):
        with pytest.raises(openai.BadRequestError, match=message) as caught:
            client.completions.create(**{"model": "lstm_lm", "prompt": "thou art", **parameters})
        assert caught.value.param == name


def test_the_next_words_and_the_score_of_a_text_agree(server):
    found = server.post("/v1/next", {"prompt": "to be", "k": 12}).json()["data"][0]
    assert [word["probability"] for word in found["words"]] == sorted((word["probability"] for word in found["words"]), reverse=True)
    assert sum(word["probability"] for word in found["words"]) + found["unknown"] == pytest.approx(1, abs=1e-5)
    best = found["words"][0]
    score = server.post("/v1/score", {"text": [f"to be {best['word']}", "thou zounds zounds alas"]}).json()["data"]
    assert 2 ** -score[0]["tokens"][-1]["surprisal"] == pytest.approx(best["probability"], rel=1e-4)
    assert (score[1]["words"], score[1]["scored_words"]) == (4, 3)
    assert (score[1]["unknown_words"], score[1]["unknown_rate"]) == (["zounds", "alas"], 1.0)
    # 19 characters and 3 spaces of scored words; each unknown word also costs the choice among 2.
    bits = sum(token["surprisal"] for token in score[1]["tokens"][1:])
    assert score[1]["bits_per_character"] == pytest.approx((bits + 3) / 19, rel=1e-4)
    assert server.post("/v1/score", {"text": "king"}).json()["data"][0]["perplexity"] is None


def test_a_whole_chapter_is_scored_and_a_longer_text_is_refused(server):
    words = [*PROMPTS[1].split(), "zounds"] * (100_000 // len("to be or not zounds ") - 1)
    text = " ".join(words).ljust(100_000, "a")
    [whole] = server.post("/v1/score", {"text": text}).json()["data"]
    [beginning] = server.post("/v1/score", {"text": " ".join(words[:99])}).json()["data"]
    assert [token["token"] for token in whole["tokens"][: len(words) - 1]] == words[:-1]
    surprisals = [[token["surprisal"] for token in each["tokens"][1:99]] for each in (whole, beginning)]
    assert surprisals[0] == pytest.approx(surprisals[1], abs=1e-4)
    for longer in (f"{text}a", [text, "a"]):
        answer = server.post("/v1/score", {"text": longer})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("text has 100001 characters: must be at most 100000 in a request: send it")
    assert server.post("/v1/score", {"text": []}).json()["error"]["message"] == "text = []: must be at least one text"


def test_a_client_that_leaves_while_its_text_is_scored_stops_that_work(server):
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{server.address}/v1/score", json={"text": "a " * 50_000}, headers={"X-Request-Id": "left"}, timeout=0.2)
    wait_until(lambda: any(line["request_id"] == "left" for line in server.events("request")))
    assert [line["words"] for line in server.events("request") if line["request_id"] == "left"] == [0]


def test_the_documented_curl_command_works(server):
    done = subprocess.run(
        ["sh", "-c", example_request(server.address, 'it\'s the "king"')], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout)["choices"][0]["finish_reason"] == "length"
    body = json.dumps({"prompt": "thou", "max_tokens": 2, "stream": True})
    command = ["curl", "-sN", f"{server.address}/v1/completions", "-H", "Content-Type: application/json", "-d", body]
    streamed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    events = streamed.stdout.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: ") for event in events[:-1])


def test_clients_that_leave_stop_their_work(server, generate):
    """64 clients stream; every other one leaves after its first words, or does not wait for any."""

    def stream(number: int) -> str:
        body = {"prompt": "thou art", "max_tokens": 1000 if number % 2 else 60, "n": 4 if number % 2 else 1, "seed": number, "stream": True}
        text = ""
        with requests.post(f"{server.address}/v1/completions", json=body, stream=True, timeout=60) as response:
            assert response.status_code == 200
            for line in response.iter_lines():
                if line.startswith(b"data: {"):
                    text += json.loads(line[6:])["choices"][0]["text"]
                    if number % 2:
                        return ""
        return text

    with ThreadPoolExecutor(64) as pool:
        texts = list(pool.map(stream, range(64)))
    for number in (0, 20, 62):
        assert f"thou art{texts[number]}" == generate(["thou art"], max_words=60, seed=number)[0]
    wait_until(lambda: running(server) == 0, 5)
    words = server.metric("lstm_lm_words_total")
    time.sleep(0.3)
    assert server.metric("lstm_lm_words_total") == words


@pytest.mark.parametrize("path", ["/v1/completions", "/invocations"])
def test_a_client_that_leaves_while_it_waits_stops_its_work(server, path):
    # A wide beam: seconds of work, so that it is seen while it runs, also by a client that has to wait for its turn at the CPU.
    prompts, width, count = ["thou art"] * 2, 25, 1000
    body: dict[str, Any] = {"prompt": prompts, "max_tokens": count, "beam_width": width}
    if path == "/invocations":
        body = {"inputs": {"prompt": prompts}, "params": {"max_words": count, "beam_width": width}}
    cancelled, words = server.metric("lstm_lm_requests_cancelled_total"), server.metric("lstm_lm_words_total")
    with closing(http.client.HTTPConnection("127.0.0.1", urlsplit(server.address).port, timeout=60)) as connection:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        wait_until(lambda: running(server) > 0)
    wait_until(lambda: running(server) == 0, 5)
    assert server.metric("lstm_lm_requests_cancelled_total") == cancelled + 1
    assert server.metric("lstm_lm_words_total") < words + len(prompts) * count


@pytest.mark.parametrize(
    ("headers", "body", "status", "message"),
    [
        ({"Content-Type": ""}, b"{}", 415, "the request has no Content-Type"),
        ({"Content-Type": "text/plain"}, b"{}", 415, "Content-Type text/plain: must be application/json"),
        ({"Content-Type": "application/json; charset=latin-1"}, b"{}", 415, "only charset=utf-8"),
        ({}, b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "nested too deep"),
        ({}, b'{"inputs": "\xff"}', 400, "not UTF-8"),
        ({}, b"nonsense", 400, "not valid JSON"),
        ({}, b'{"inputs": {"prompt": ["a"]}, "instances": ["a"]}', 400, "must have exactly one of"),
        ({}, b'{"inputs": {"prompt": ["king"]}, "params": [1]}', 400, "params = [1]: must be an object"),
        ({}, b'{"inputs": {"prompt": ["king"]}, "params": {"top_p": 0}}', 400, "top_p = 0: must be a number above 0 and at most 1"),
        ({}, b'{"dataframe_split": {"columns": ["prompt"], "data": [[5]]}}', 400, "prompt of row 0 = 5: must be a string"),
        ({}, b'{"inputs": 5}', 400, ""),
        ({"Content-Type": "text/csv"}, b"x\nking\n", 400, ""),
        ({"Content-Type": "application/vnd.apache.parquet"}, b"PAR1 nonsense PAR1", 400, "not a Parquet file"),
        ({}, b" " * (16 * 2**20 + 1), 413, "the body is too large"),
    ],
)  # fmt: skip
def test_a_wrong_request_of_mlflow_protocol_is_refused_in_one_line(server, headers, body, status, message):
    sent = {"Content-Type": "application/json", **headers}
    sent = {name: value for name, value in sent.items() if value}
    response = requests.post(f"{server.address}/invocations", data=body, headers=sent, timeout=60)
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error_code", "message"}
    assert message in response.json()["message"]
    assert "\n" not in response.json()["message"]
    assert not fuzz_server.SECRETS.search(response.text)


def test_foreign_names_and_pages_are_refused(server):
    assert requests.get(f"{server.address}/v1/models", headers={"Host": "evil.example"}, timeout=5).status_code == 421
    assert server.post("/admin/reload", {}, Origin="http://evil.example").status_code == 403
    response = requests.get(f"{server.address}/v1/models", headers={"Origin": "http://evil.example"}, timeout=5)
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


def test_the_access_log_has_a_line_for_a_request_and_no_prompt(server):
    response = server.post("/v1/completions", {"prompt": "thou zounds", "max_tokens": 3}, **{"X-Request-Id": "id-of-mine"})
    assert response.headers["x-request-id"] == "id-of-mine"
    wait_until(lambda: any(line["request_id"] == "id-of-mine" for line in server.events("request")))
    [line] = [line for line in server.events("request") if line["request_id"] == "id-of-mine"]
    assert (line["method"], line["path"], line["status"], line["words"]) == ("POST", "/v1/completions", 200, 3)
    assert line["ms"] > 0
    assert "zounds" not in server.log.read_text()


def test_metrics_count_requests_and_words_and_compare_prompts_with_the_validation_text(server):
    path = {"path": "/v1/completions", "status": "200"}
    before, words = server.metric("lstm_lm_http_requests_total", **path), server.metric("lstm_lm_words_total")
    server.complete("thou zounds art", max_tokens=7)
    assert server.metric("lstm_lm_http_requests_total", **path) == before + 1
    assert server.metric("lstm_lm_words_total") == words + 7
    assert server.metric("lstm_lm_first_word_seconds_count") > 0
    assert server.metric("lstm_lm_validation_unknown_ratio", model="lstm_lm") == 0.0625
    assert server.metric("lstm_lm_validation_surprisal_bits", model="lstm_lm") == pytest.approx(5 / 0.6931471805599453)
    assert 0 < server.metric("lstm_lm_prompt_unknown_ratio", model="lstm_lm") < 1
    wait_until(lambda: server.metric("lstm_lm_prompt_surprisal_bits", model="lstm_lm") > 0)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"prompt": ["Thou ZOUNDS", "to be"], "max_tokens": 1, "n": 2}),
        ("/invocations", {"dataframe_split": {"columns": ["prompt"], "data": [["Thou ZOUNDS"], ["to be"]]}, "params": {"max_words": 1}}),
        ("/invocations", {"inputs": ["Thou ZOUNDS", "to be"]}),
    ],
)
def test_prompts_are_logged_where_the_server_was_asked_to(server, models, path, body):
    request_id = f"logged-{abs(hash(str(body)))}"
    assert server.post(path, body, **{"X-Request-Id": request_id}).status_code == 200
    refused = {"prompt": "never logged", "temperature": -1} if path == "/v1/completions" else {"inputs": [""]}
    assert server.post(path, refused, **{"X-Request-Id": request_id}).status_code == 400

    def found() -> list[files.LoggedPrompt]:
        return [each for each in files.read(models[0] / "prompts") if each is not None and each.request_id == request_id]

    wait_until(lambda: len(found()) >= 2)
    assert [(each.prompt, each.words, each.unknown) for each in found()] == [("Thou ZOUNDS", 2, ("zounds",)), ("to be", 2, ())]
    assert {(each.model, each.fingerprint) for each in found()} == {("lstm_lm", fingerprint(server))}
    assert server.metric("lstm_lm_prompts_not_logged_total") == 0
    assert requests.get(f"{server.address}/v1/options", timeout=5).json()["logs_prompts"] is True


def fingerprint(server: Server) -> str:
    return str(requests.get(f"{server.address}/v1/models/lstm_lm", timeout=5).json()["system_fingerprint"])


@pytest.mark.skipif(not prometheus_server.PROMETHEUS, reason="needs Debian's package prometheus")
def test_every_query_of_dashboard_and_rules_has_data_in_a_real_prometheus(server, tmp_path):
    with prometheus_server.scraping(tmp_path / "prometheus", server.address.removeprefix("http://")) as prometheus:
        wait_until(lambda: prometheus.values("up") == [1.0], 20)
        queries = dict(monitoring_files.queries())
        empty = list(queries)

        def have_data() -> bool:
            # A series that has just begun has no rate: each kind of request comes more than once.
            server.complete("thou zounds art", max_tokens=5)
            server.post("/v1/score", {"text": "to be or not"})
            server.post("/v1/completions", {"prompt": ""})  # is refused
            time.sleep(0.5)
            empty[:] = [name for name, query in queries.items() if not any(map(math.isfinite, prometheus.values(query)))]
            return not empty

        with contextlib.suppress(AssertionError):
            wait_until(have_data, 30)
        assert not empty
        assert prometheus.values(queries["Server A"]) == [1.0]
        [unknown] = prometheus.values("lstm_lm:prompt_unknown:ratio1h")
        assert unknown == pytest.approx(1 / 3, abs=0.05)
        names = set(prometheus.get("label/__name__/values"))
        for rule in [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]:
            assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule["name"]
            assert monitoring_files.metric_names(rule["query"]) <= names, rule["name"]
        [model] = [
            result["metric"]
            for result in prometheus.get("query", query=queries["Served models A"])["result"]
            if result["metric"]["model"] == "lstm_lm"
        ]
        assert (model["version"], model["fingerprint"]) == ("1", fingerprint(server))
        annotation = monitoring_files.dashboard()["annotations"]["list"][0]["expr"].replace("$instance", ".*")
        prometheus.get("query", query=annotation)  # it parses


def test_the_table_of_options_and_the_description_of_the_api(server):
    table = requests.get(f"{server.address}/v1/options", timeout=5).json()
    assert [row["name"] for row in table["options"]] == list(options.by_name())
    assert table["names"]["max_words"] == "max_tokens"
    described = requests.get(f"{server.address}/openapi.json", timeout=5).json()
    schema = described["paths"]["/v1/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "repetition_penalty" in schema["properties"]
    operations = [operation for methods in described["paths"].values() for operation in methods.values()]
    assert all("Raises" not in operation["description"] and operation["summary"] for operation in operations)


def test_a_path_that_does_not_exist_names_those_that_do(server):
    for path, message in (
        ("/v1/completions/", "/v1/completions/ does not exist: leave out the slash at its end"),
        (
            "/v1/embeddings",
            "/v1/embeddings does not exist: this server has /v1/completions, /v1/score, /v1/next, /v1/models and /v1/options",
        ),
    ):
        response = server.post(path, {})
        assert (response.status_code, response.json()["error"]["message"]) == (404, message)
    assert server.post("/embed", {}).json() == {"error_code": "ENDPOINT_NOT_FOUND", "message": "/embed does not exist"}


def test_random_requests_are_answered_and_change_nothing(server):
    text = server.complete("thou art", max_tokens=20, seed=1)
    fuzz_server.fuzz(server.address, 400, seed=2)
    before = fuzz_server.resident(server.process.pid)
    report = fuzz_server.fuzz(server.address, 600, seed=3)
    assert not report.problems
    assert report.statuses["200"] > 50
    wait_until(lambda: running(server) == 0)
    assert server.complete("thou art", max_tokens=20, seed=1) == text
    assert fuzz_server.resident(server.process.pid) < 1.05 * before
    assert not server.events("request failed")


def test_a_reload_takes_the_new_champion_without_dropping_a_request(server, models, generate):
    expected = {generate(["thou art"], number, max_words=20, seed=1)[0] for number in (0, 1)}
    assert len(expected) == 2
    stop, seen, failures = threading.Event(), [], []

    def work() -> None:
        while not stop.is_set():
            response = server.post("/v1/completions", {"prompt": "thou art", "max_tokens": 20, "seed": 1})
            if response.status_code == 200:
                seen.append("thou art" + response.json()["choices"][0]["text"])
            else:
                failures.append(response.text)
            time.sleep(0.02)  # loading takes a core too

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        promote(models[0], 2)
        [main, _] = server.post("/admin/reload", {}).json()["models"]
        assert (main["before"], main["now"], main["replaced"]) == ("models:/lstm_lm/1", "models:/lstm_lm/2", True)
        time.sleep(0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert set(seen) == expected
    assert seen[-1] == generate(["thou art"], 1, max_words=20, seed=1)[0]
    assert next(event["now"] for event in server.events("reload")) == "models:/lstm_lm/2"
    wait_until(lambda: len(server.events("closed")) == 1)
    assert server.events("closed")[0]["address"] == "models:/lstm_lm/1"
    # There is nothing new after that. The other model is a folder whose files have not changed.
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(server.events("reload")) == 4, 60)
    assert [event["replaced"] for event in server.events("reload")] == [True, False, False, False]
