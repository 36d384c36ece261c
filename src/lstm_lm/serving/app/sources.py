"""Which model a server is to serve: found in the registry, in a run, in a folder, or in this checkout; and loaded by MLflow."""

from __future__ import annotations

import gc
import math
import re
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.errors import UserError
from lstm_lm.io import memory
from lstm_lm.io.hashing import digest
from lstm_lm_serving.errors import ServingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import Params
    from lstm_lm.text.tokenization.tokenizer import Tokenizer
    from lstm_lm_serving.engine import Engine

RUN_ID = re.compile(r"(?:runs:/)?([0-9a-f]{32})")
REGISTERED = re.compile(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))")
LOGGED = re.compile(r"models:/m-[0-9a-f]+")
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
PYFUNC = Path(__file__).parent.parent / "pyfunc.py"
PACKAGE = Path(__file__).parents[3] / "lstm_lm_serving"
MAIN = "lstm_lm"  # id of the first model
CHOICES = "a version, models:/NAME@ALIAS, models:/NAME/VERSION, the id of an MLflow run, or a folder with an MLflow model or a SavedModel"


@dataclass(frozen=True)
class Resolved:
    """A model that was found.

    Attributes:
        address: as MLflow loads it, or the folder of a SavedModel.
        name: under which clients ask for it; it stays the same when an alias moves.
        label: for people.
        version: of the registered model, None if it is none.
        digest: of the files of a folder, which may change; None: what the address stands for never changes.
        store: address of the tracking store that has it, None for a folder.
    """

    address: str
    name: str
    label: str
    version: str | None = None
    digest: str | None = None
    store: str | None = None


@dataclass(frozen=True)
class Validation:
    """What the validation text was to the model when it was trained: prompts are compared with it.

    Attributes:
        unknown_rate: fraction of its words that are not in the vocabulary.
        bits: mean surprisal of a word.
    """

    unknown_rate: float
    bits: float


@dataclass
class Loaded:
    """A model in memory.

    Attributes:
        pyfunc: as MLflow loaded it.
        engine: of the pyfunc: one for all that is served.
        tokenizer: of the model.
        digest: of the SavedModel.
        validation: None if it is not known.
        folder: with the model's files as long as it is in memory; None: the user's own.
    """

    pyfunc: Any
    engine: Engine
    tokenizer: Tokenizer
    digest: str
    validation: Validation | None
    folder: tempfile.TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Close the engine, which waits until its thread has ended, and remove the files."""
        self.engine.close()
        # MLflow keeps every model that it has loaded, and a loaded SavedModel is full of cycles.
        del self.pyfunc.unwrap_python_model().engine
        del self.engine
        gc.collect()
        memory.return_freed()
        if self.folder is not None:
            self.folder.cleanup()


def resolve(source: str | None) -> Resolved:
    """Find a model.

    Args:
        source: a version, an address of MLflow, the id of a run, or a folder; None: this checkout's own model, which is logged if the
            tracking store does not have it.
    Raises:
        UserError: there is no such model.
    """
    if source is not None and Path(source).is_dir():
        return _in_folder(Path(source).resolve())
    from lstm_lm.config import loading
    from lstm_lm.tracking import store
    from lstm_lm.tracking.guard import guarded

    settings = loading.load()
    client = store.connect(settings.tracking)
    with guarded(store.place(settings.tracking)):
        if source is None:
            return _own(client, settings)
        return _in_store(client, source, settings.tracking.registered_model)


def ids(found: Sequence[Resolved]) -> list[str]:
    """Return the ids under which clients ask for models: of the first one always the same, of another one its name."""
    return [MAIN, *(f"{each.name}-2" if each.name == MAIN else each.name for each in found[1:])]


def _in_folder(folder: Path) -> Resolved:
    if not any((folder / name).exists() for name in ("MLmodel", "saved_model.pb")):
        raise UserError(f"{folder} holds neither an MLflow model (MLmodel) nor a SavedModel (saved_model.pb): choose another folder")
    return Resolved(str(folder), folder.name, f"the folder {folder.name}", digest=digest(folder))


def _own(client: MlflowClient, settings: Params) -> Resolved:
    """This checkout's model. It is logged again if the store has lost it, or has never had it."""
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.tracking import own_model, versions
    from lstm_lm.ui import evaluation_messages, terminal

    find_saved_model()
    name = settings.tracking.registered_model
    digest = own_model.digest()
    address = versions.model_uri(client, name, digest, own_model.SAVED_MODEL)
    if address is None:
        terminal.print(f"the tracking store has no files of the model in {own_model.SAVED_MODEL}: logging it, about 20 seconds ...")
        outcome = own_model.log_again(client, settings, as_version=versions.find_version(client, name, digest) is not None)
        evaluation_messages.show_logged_model(name, outcome)
        address = f"models:/{outcome.model_id}" if outcome.version is None else f"models:/{name}/{outcome.version}"
    version = match[3] if (match := REGISTERED.fullmatch(address)) else None
    label = f"this checkout's model, {address}"
    return Resolved(address, name, label, version, store=str(client.tracking_uri))


def _in_store(client: MlflowClient, source: str, name: str) -> Resolved:
    from mlflow.exceptions import MlflowException

    from lstm_lm.tracking.faults import first_line

    try:
        if source.isdecimal() and not RUN_ID.fullmatch(source):
            return _version(client, name, source, f"{name}-v{source}")
        if match := REGISTERED.fullmatch(source):
            registered, alias, version = match.groups()
            if alias:
                number = str(client.get_model_version_by_alias(registered, alias).version)
                return _version(client, registered, number, f"{registered}-{alias}")
            return _version(client, registered, version, f"{registered}-v{version}")
        if LOGGED.fullmatch(source):
            client.get_logged_model(source.removeprefix("models:/"))
            return Resolved(source, source.removeprefix("models:/"), source, store=str(client.tracking_uri))
        if match := RUN_ID.fullmatch(source):
            return _of_run(client, match[1])
    except MlflowException as error:
        if error.error_code not in UNKNOWN:
            raise
        raise UserError(f"model {source}: {first_line(error).rstrip('.')}: choose another; make models lists the versions") from None
    raise UserError(f"model {source}: there is no such folder: must be {CHOICES}")


def _version(client: MlflowClient, registered: str, number: str, name: str) -> Resolved:
    client.get_model_version(registered, number)
    address = f"models:/{registered}/{number}"
    return Resolved(address, name, f"version {number} of {registered}", number, store=str(client.tracking_uri))


def _of_run(client: MlflowClient, run_id: str) -> Resolved:
    from lstm_lm.tracking import logged_model

    ready = [model for model in logged_model.find(client, run_id=run_id) if logged_model.is_ready(model)]
    if not ready:
        raise UserError(f"run {run_id} has no model: choose another run, or let its stage evaluate-sample end first")
    return Resolved(f"models:/{ready[-1].model_id}", f"run-{run_id[:8]}", f"the model of run {run_id}", store=str(client.tracking_uri))


def load(resolved: Resolved) -> Loaded:
    """Load a model with MLflow, and warm its engine up. That takes seconds.

    Raises:
        UserError: MLflow cannot load it, or it was logged by a version of this project that had no engine.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    from lstm_lm.text.tokenization.tokenizer import Tokenizer
    from lstm_lm.tracking import logged_model, mlflow_model
    from lstm_lm.tracking.faults import first_line

    current = logged_model.current_store(resolved.store) if resolved.store else nullcontext()
    temporary = tempfile.TemporaryDirectory(prefix="lstm-lm-served-")
    try:
        with current:
            folder = _mlflow_model(resolved, Path(temporary.name))
            pyfunc = mlflow.pyfunc.load_model(str(folder))
        engine = pyfunc.unwrap_python_model().engine
    except (MlflowException, OSError) as error:
        temporary.cleanup()
        raise UserError(f"{resolved.label} cannot be loaded: {first_line(error)}") from None
    except AttributeError:
        temporary.cleanup()
        raise UserError(
            f"{resolved.label} was logged by an older version of this project, without what this server needs: "
            "log it again from the checkout that trained it, with: dvc repro --force --single-item evaluate-sample"
        ) from None
    saved_model = folder / mlflow_model.SAVED_MODEL_FOLDER
    tokenizer = Tokenizer.load(saved_model / "assets/tokenizer.json")
    validation = _validation(pyfunc.metadata.run_id, resolved.store)
    _warm_up(engine, tokenizer)
    return Loaded(pyfunc, engine, tokenizer, digest(saved_model), validation, temporary)


def _warm_up(engine: Engine, tokenizer: Tokenizer) -> None:
    """Use once what TensorFlow prepares at its first use, which takes seconds."""
    from lstm_lm_serving.texts import Text

    word = engine.vocabulary[-1]
    with suppress(ServingError):  # a word that is no prompt
        engine.score(f"{word} {word}", tokenizer.tokenize)
        engine.next_words([word], 1)
        # The words of an echoed prompt are scored too.
        for text in (Text(word, {"max_words": 2}, echo=True, logprobs=0), Text(word, {"max_words": 1, "beam_width": 2})):
            engine.submit([text]).result()


def _mlflow_model(resolved: Resolved, temporary: Path) -> Path:
    """Return the folder with the MLflow model: a copy of that in the store, the user's own, or one made of a SavedModel."""
    import mlflow
    from mlflow.models import Model

    from lstm_lm.tracking import mlflow_model

    if resolved.store:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=resolved.address, dst_path=str(temporary)))
    if (Path(resolved.address) / "MLmodel").exists():
        return Path(resolved.address)
    mlflow_model.save(temporary / "model", Model(), mlflow_model.Sources(Path(resolved.address), PYFUNC, PACKAGE))
    return temporary / "model"


def _validation(run_id: str | None, store: str | None) -> Validation | None:
    """Read what the run of a model logged about its validation text."""
    import mlflow
    from mlflow.exceptions import MlflowException

    if not run_id or not store:
        return None
    try:
        metrics = mlflow.MlflowClient(store, store).get_run(run_id).data.metrics
    except MlflowException:
        return None
    if "validation/oov_rate" not in metrics or "validation/loss" not in metrics:
        return None
    return Validation(metrics["validation/oov_rate"], metrics["validation/loss"] / math.log(2))
