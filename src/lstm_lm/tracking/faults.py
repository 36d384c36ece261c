"""What the errors of MLflow, of its drivers and of the network mean, and why in a few words."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from enum import Enum

from lstm_lm.io.extras import install_command, python

MAX_REASON_LENGTH = 200  # characters of an error that a message repeats


class Fault(Enum):
    """What a failed call means."""

    OUTAGE = "outage"  # the store may answer later
    SETUP = "setup"  # the user has to change something: an address, a password, a driver, a right
    REFUSED = "refused"  # the store works, and will never accept this call


# In the messages of errors that have no class of their own.
OUTAGES = re.compile(
    r"refused|timed? ?out|could not translate|name resolution|failed to resolve|server closed|starting up|shutting down|is locked|"
    r"unreachable|no route|reset by peer|connection aborted|broken pipe|too many (500|502|503|504|429|408)|too many connections|"
    r"remote end closed|connection already closed|could not connect|disk is full|disk I/O|no space left",
    re.IGNORECASE,
)
MLFLOW_REASONS = (  # in the code and the message of an error of MLflow: what it means, and the reason unless the message says it
    (
        "unsupported URI",
        Fault.SETUP,
        "MLflow knows no such kind of store: use sqlite:///FILE, postgresql://..., mysql://..., or the http(s):// address of a server",
    ),
    ("maintenance mode", Fault.SETUP, "MLflow no longer keeps runs in a folder of files: use sqlite:///FILE"),
    (
        r"error code 401 |\[CUSTOMER_UNAUTHORIZED|\[UNAUTHENTICATED|not authenticated",
        Fault.SETUP,
        "it accepts neither the password nor the token: check MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD and MLFLOW_TRACKING_TOKEN",
    ),
    (r"error code 403 |\[PERMISSION_DENIED", Fault.SETUP, "this user has no right to do that"),
    (r"error code 413 ", Fault.REFUSED, "the server takes no file of this size (413)"),
    (
        "readonly database|unable to open database|password authentication|permission denied|authentication failed|"
        'database "[^"]*" does not exist|role "[^"]*" does not exist',
        Fault.SETUP,
        "",
    ),
    (
        r"error code (408|429|50[0-4]) |\[(TEMPORARILY_UNAVAILABLE|REQUEST_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED|DEADLINE_EXCEEDED)",
        Fault.OUTAGE,
        "",
    ),
    (r"sqlite3\.|psycopg|pymysql|sqlalche\.me|QueuePool", Fault.OUTAGE, ""),  # the server's database fails, whatever code MLflow gives that
    ("valid JSON|<html", Fault.SETUP, "a web page answers, no MLflow server: check the address, and whether a proxy is in between"),
    (r"\[RESOURCE_DOES_NOT_EXIST|'active' state|\[ENDPOINT_NOT_FOUND", Fault.SETUP, ""),
)
REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS")
LIBRARIES = ("mlflow", "sqlalchemy", "psycopg2", "botocore", "boto3")
FULL = (errno.ENOSPC, errno.EDQUOT)
DRIVERS = {"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
EXTRAS = {"google": "gs", "azure": "az", "boto3": "s3", "botocore": "s3", "psycopg": "postgresql"}  # of pyproject.toml, by package


def explain(error: BaseException) -> tuple[Fault, str]:
    """Return what an exception of a store means, and why in a few words."""
    chain = list(_chain(error))
    for explained in (_driver, _certificate, _file, _mlflow, _botocore):
        for link in chain:
            if found := explained(link):
                return found
    text = " ".join(str(link) for link in chain)
    if OUTAGES.search(text) or any(isinstance(link, ConnectionError | TimeoutError) for link in chain):
        return Fault.OUTAGE, _network_reason(text) or first_line(error)
    return Fault.SETUP, first_line(error)


def is_of_store(error: BaseException) -> bool:
    """Whether an exception, or one that it comes from, is of MLflow or of a driver."""
    return any(type(link).__module__.partition(".")[0] in LIBRARIES for link in _chain(error))


def first_line(error: BaseException) -> str:
    """The first line of an error's message, shortened, or the name of its class if it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:MAX_REASON_LENGTH]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it comes from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _driver(error: BaseException) -> tuple[Fault, str] | None:
    if not isinstance(error, ImportError):
        return None
    missing = (error.name or "").partition(".")[0]
    if not missing:
        return Fault.SETUP, first_line(error)
    command = install_command(EXTRAS[missing]) if missing in EXTRAS else f"{python()} -m pip install {DRIVERS.get(missing, missing)}"
    return Fault.SETUP, f"the package {missing} is not installed: run {command}"


def _certificate(error: BaseException) -> tuple[Fault, str] | None:
    import ssl

    text = str(error)
    if not isinstance(error, ssl.SSLError) and "SSLError" not in text and "CERTIFICATE" not in text:
        return None
    if "VERIFY_FAILED" in text:
        return Fault.SETUP, (
            "its TLS certificate is not trusted: name the authority's in MLFLOW_TRACKING_SERVER_CERT_PATH, "
            "or set MLFLOW_TRACKING_INSECURE_TLS=true"
        )
    problem = re.search(r"\[SSL: (\w+)\]|(CERTIFICATE\w*)", text)
    return Fault.SETUP, f"TLS fails: {(problem[1] or problem[2]).lower().replace('_', ' ') if problem else first_line(error)}"


def _file(error: BaseException) -> tuple[Fault, str] | None:
    if not isinstance(error, OSError) or error.errno is None or error.filename is None:
        return None
    if error.errno in FULL:
        return Fault.OUTAGE, f"{error.filename}: {error.strerror}"
    return Fault.SETUP, f"{error.filename}: {error.strerror}"


def _mlflow(error: BaseException) -> tuple[Fault, str] | None:
    """Explain an answer of MLflow. Errors of the network have no answer, and are explained by what they come from."""
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return None
    text = str(error)
    for pattern, fault, reason in MLFLOW_REASONS:
        if re.search(pattern, f"[{error.error_code}] {text}", re.IGNORECASE):
            return fault, reason or _without_body(text)
    is_answer = hasattr(error, "json") or "API request" not in text  # not what a proxy in between has said
    if is_answer and error.error_code in REFUSALS:
        return Fault.REFUSED, _without_body(text)
    return None


def _without_body(text: str) -> str:
    return (text.partition("Response body:")[0].strip().splitlines() or ["no reason given"])[0][:MAX_REASON_LENGTH]


def _botocore(error: BaseException) -> tuple[Fault, str] | None:
    if not type(error).__module__.startswith(("botocore", "boto3", "s3transfer")):
        return None
    name = type(error).__name__
    if "Timeout" in name or "Connection" in name or re.search("SlowDown|InternalError|ServiceUnavailable|50[0-4]", str(error)):
        return Fault.OUTAGE, first_line(error)
    return Fault.SETUP, first_line(error)


def _network_reason(text: str) -> str | None:
    """What failed, out of the long message of an HTTP library."""
    if status := re.search(r"too many (\d{3}) error", text):
        return f"it answers {status[1]}"
    for pattern, reason in (
        (r"refused", "connection refused"),
        (r"timed? ?out", f"no answer within {_call_seconds()} s"),
        (r"could not translate|name resolution|failed to resolve", "unknown host"),
        (r"remote end closed|reset by peer|connection aborted", "it closes the connection"),
        (r"is locked", "its database is locked"),
        (r"no space left|disk is full", "no space left"),
    ):
        if re.search(pattern, text, re.IGNORECASE):
            return reason
    return None


def _call_seconds() -> str:
    return os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
