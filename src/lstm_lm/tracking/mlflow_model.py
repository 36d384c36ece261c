"""The MLflow model as a folder: the SavedModel, the code that serves it, its signature and its requirements."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_lm.generation import options
from lstm_lm.io.hashing import digest

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature

PARAM_TYPES = {bool: "boolean", int: "long", float: "double"}  # of options -> of MLflow
SAVED_MODEL_FOLDER = "artifacts/saved_model"  # in the folder


@dataclass(frozen=True)
class Sources:
    """What an MLflow model is made of.

    Attributes:
        saved_model: folder of the SavedModel.
        serving_code: path of serving/pyfunc.py.
        serving_package: folder of lstm_lm_serving, which it imports; None for a model that was kept before there was one.
    """

    saved_model: Path
    serving_code: Path
    serving_package: Path | None

    @property
    def digest(self) -> str:
        """The sha256 that identifies a model: of its SavedModel, which holds the generation options, and its serving code."""
        parts = [part for part in (self.saved_model, self.serving_code, self.serving_package) if part is not None]
        return hashlib.sha256("".join(map(digest, parts)).encode()).hexdigest()


def save(folder: Path, description: Model, sources: Sources) -> None:
    """Write the MLflow model to a folder, which must not exist.

    Args:
        folder: where to write.
        description: which run and which logged model of the store it belongs to.
        sources: what it is made of.
    """
    import mlflow
    import pandas as pd

    for name in ("mlflow.models.model", "mlflow.pyfunc", "mlflow.store.artifact.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.pyfunc.save_model(
        folder,
        mlflow_model=description,
        python_model=str(sources.serving_code),
        code_paths=None if sources.serving_package is None else [str(sources.serving_package)],
        artifacts={"saved_model": sources.saved_model.resolve().as_uri()},  # a path may hold characters of addresses
        signature=signature(),
        input_example=(pd.DataFrame({"prompt": ["to be or not to"]}), {"max_words": 10, "temperature": 0.0}),
        pip_requirements=requirements(),
    )


def signature() -> ModelSignature:
    """The MLflow signature of the model: prompts in, texts out; the generation options and `stop` as params."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec("string", "prompt")]),
        # The columns `row` and `sample` are there only when several samples were asked for.
        outputs=Schema([ColSpec("string", "text"), *(ColSpec("long", name, required=False) for name in ("row", "sample"))]),
        params=ParamSchema(
            [
                *(ParamSpec(row.name, PARAM_TYPES[row.type], row.default) for row in options.options()),
                ParamSpec("stop", "string", [], shape=(-1,)),
            ]
        ),
    )


def requirements() -> list[str]:
    """The packages that a served model needs, pinned to the versions installed here."""
    return [f"{name}=={version(name)}" for name in ("mlflow", "tensorflow", "numpy", "pandas")]
