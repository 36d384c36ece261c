"""Tracking with MLflow. Apart from the served model, no other package uses MLflow."""

import os

CALL_SECONDS = 10  # the longest that a call to a store may take to connect, or to answer

# MLflow and its drivers read these. A value that the user has set stays.
LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(CALL_SECONDS),
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # `sender` repeats a call, after it has looked whether the first one arrived
    "PGCONNECT_TIMEOUT": str(CALL_SECONDS),
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_METADATA_SERVICE_TIMEOUT": "1",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1",
}
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the address may hold a password
}
for name, value in {**LIMITS, **QUIET}.items():
    os.environ.setdefault(name, value)
