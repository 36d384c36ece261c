"""The only package that talks to MLflow, apart from the served model itself."""

import os

# Set before MLflow is imported anywhere: its telemetry stays off.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
