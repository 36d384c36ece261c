import ast
import json

import pytest
from ruamel.yaml import YAML

from lstm_lm.io.addresses import mask, mask_all, mask_secrets, mask_values


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("https://host/a.txt", "https://host/a.txt"),
        ("https://host:8443/@user/a.txt", "https://***@user/a.txt"),  # more than needed, never less
        ("https://host/@user/a.txt", "https://host/@user/a.txt"),
        ("http://[::1]:5000/a", "http://[::1]:5000/a"),
        ("http://[::1]/a", "http://[::1]/a"),
        ("https://user:secret@host/a.txt", "https://***@host/a.txt"),
        ("https://secret@host:8443/a.txt", "https://***@host:8443/a.txt"),
        ("ftp://user:secret@host", "ftp://***@host"),
        ("databricks://secret:secret@host", "databricks://***@host"),
        ("postgres://user:sec@ret@host/db", "postgres://***@host/db"),
        ("postgresql+psycopg://user:sec/ret@host:5432/db", "postgresql+psycopg://***@host:5432/db"),
        ("postgresql://user:12/secret@host/db", "postgresql://***@host/db"),
        ("postgresql://user:se?cr#et@host/db", "postgresql://***@host/db"),
        ("postgresql://host/db?user=secret&password=secret", "postgresql://host/db?user=***&password=***"),
        ("https://host/a?secret", "https://host/a?***"),
        ("https://host/a?sig=secret=&x=#secret", "https://host/a?sig=***&x=***#***"),
        ("sqlite:////home/me/a b/mlflow.db", "sqlite:////home/me/a b/mlflow.db"),
        ("s3://bucket/a/*.txt", "s3://bucket/a/*.txt"),
        ("/home/me@work/mlruns", "/home/me@work/mlruns"),
    ],
)
def test_user_query_and_fragment_are_hidden(address: str, masked: str) -> None:
    assert mask(address) == masked
    assert mask(masked) == masked
    assert "secret" not in masked


def test_each_address_in_a_text_is_masked() -> None:
    line = "View run x at: http://me:secret@host:5000/#/experiments/1 and postgresql://u:secret@h/d."
    assert mask_all(line) == "View run x at: http://***@host:5000/#/experiments/1 and postgresql://***@h/d."


@pytest.mark.parametrize(
    "address", ["https://host/a.txt?raw=true", "https://me:secret@host/a#b", "s3://bucket/*.txt", "https://me:x\"'),@h/a"]
)
def test_text_that_holds_an_address_stays_what_it_is(address: str) -> None:
    source = {"url": address, "sha256": None, "more": [address]}
    assert json.loads(mask_secrets(json.dumps(source))) == mask_values(source)
    assert ast.literal_eval(mask_secrets(str(source))) == mask_values(source)
    flow = f"source: {{url: {json.dumps(address)}, sha256: null}}\nmore: [{json.dumps(address)}]  # {address}"
    assert YAML(typ="safe").load(mask_secrets(flow)) == {"source": {"url": mask(address), "sha256": None}, "more": [mask(address)]}


def test_each_string_of_a_parsed_value_is_masked() -> None:
    values = {"url": "https://me:secret@host/a", "more": [1, None, {"x": "s3://bucket?k=secret"}]}
    assert mask_values(values) == {"url": "https://***@host/a", "more": [1, None, {"x": "s3://bucket?k=***"}]}


def test_secrets_are_masked_where_they_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    text = "FATAL: p@ss/word of me is wrong, t0ken is too, see postgresql://me:p%40ss%2Fword@host/db"
    masked = mask_secrets(text, ["postgresql://me:p%40ss%2Fword@host/db"])
    assert masked == "FATAL: *** of me is wrong, *** is too, see postgresql://***@host/db"
