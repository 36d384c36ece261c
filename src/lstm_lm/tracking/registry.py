"""The model registry."""

import hashlib

from lstm_lm.io.hashing import digest

MODEL_DIGEST = "lstm_lm.digest"  # tag of a model version: of its weights and serving code


def registered_version(client, saved_model, serving, registered_name):
    """The newest version in the registry with these weights and this serving code, or None."""
    wanted = model_digest(saved_model, serving)
    versions = client.search_model_versions(f"name = '{registered_name}'")
    same = [int(version.version) for version in versions if version.tags.get(MODEL_DIGEST) == wanted]
    return max(same, default=None)


def model_digest(saved_model, serving):
    return hashlib.sha256((digest(saved_model) + digest(serving)).encode()).hexdigest()


def signature():
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    from lstm_lm.serving.pyfunc import DEFAULTS

    types = {bool: "boolean", int: "long", float: "double"}
    return ModelSignature(
        inputs=Schema([ColSpec("string", "prompt")]),
        # The others come with several samples only.
        outputs=Schema([ColSpec("string", "text"), *(ColSpec("long", name, required=False) for name in ("row", "sample"))]),
        params=ParamSchema([ParamSpec(name, types[type(default)], default) for name, default in DEFAULTS.items()]),
    )


def requirements():
    """What a served model needs, pinned to what is installed here."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("mlflow", "tensorflow", "numpy", "pandas")]
