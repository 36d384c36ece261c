"""One MLflow run for one training: its parameters, metrics, samples, datasets and model."""

import contextlib
import hashlib
import json
import logging
import math
import os
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lstm_lm.config import keys
from lstm_lm.errors import Interrupted, UserError
from lstm_lm.events import Observer
from lstm_lm.io.hashing import digest
from lstm_lm.tracking.comparison_view import COLORS
from lstm_lm.tracking.naming import git_tags, name_of, shaping
from lstm_lm.tracking.registry import MODEL_DIGEST, model_digest, registered_version, requirements, signature
from lstm_lm.tracking.store import NOTE, experiment_id, uri, without_password

BATCH_SECONDS = 5  # between two batches of metrics


COLOR = "mlflow.runColor"


METRICS = {  # of a training -> attribute of history.Row
    "train/loss": "loss",
    "train/learning_rate": "learning_rate",
    "train/gradient_norm": "gradient_norm",
    "train/words_per_second": "words_per_second",
    "train/words_seen": "words_seen",
    "validation/loss": "validation_loss",
    "validation/perplexity": "validation_perplexity",
}


STANDS_FOR = "lstm_lm.stands_for"  # tag of a run in which nothing was left to train: the run that had done it


TRAINING = "lstm_lm.training"  # tag of a run: which training of which checkout it is


TRAINED_AS = "lstm_lm.trained_as"  # tag of a stand-in run: the run that trained the weights, unknown to this store


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _left_behind(client, params, mark):
    """The run that a process made for this training when it was killed before it could note its id, or None."""
    experiment = experiment_id(client, params.tracking)
    found = client.search_runs([experiment], f"tags.`{TRAINING}` = '{mark}' and attributes.status = 'RUNNING'", max_results=1)
    return found[0].info.run_id if found else None


def is_known(client, run_id, settings):
    """Whether the store knows a run, and it was not deleted."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise UserError(
                f"the tracking store {without_password(uri(settings))} cannot be asked for run {run_id}: {str(error).splitlines()[0]}"
            ) from None
        return False


def _create_run(client, params, more=None):
    """A new run in the experiment, named and tagged with where it comes from; its id."""
    experiment = experiment_id(client, params.tracking)
    tags = {"mlflow.runName": name_of(params), "mlflow.source.name": "dvc.yaml", "mlflow.source.type": "LOCAL"}
    return client.create_run(experiment, tags={**tags, COLOR: _color(client, experiment), **git_tags(), **(more or {})}).info.run_id


def _color(client, experiment):
    """Another one than the latest runs have."""
    latest = client.search_runs([experiment], max_results=len(COLORS) - 1)
    taken = {run.data.tags.get(COLOR) for run in latest}
    return next(color for color in COLORS if color not in taken)


def _is_random(name):
    """Whether MLflow made this name of a run up, as it does for one that was given none."""
    from mlflow.utils.name_utils import _GENERATOR_NOUNS, _GENERATOR_PREDICATES

    parts = name.split("-")
    return len(parts) == 3 and parts[0] in _GENERATOR_PREDICATES and parts[1] in _GENERATOR_NOUNS and parts[2].isdecimal()


class Run(Observer):
    """One MLflow run for one training. As an observer it takes rows and samples as they come."""

    def __init__(self, client, run_id):
        self.client = client
        self.id = run_id
        self._pending, self._sent = [], time.monotonic()
        self._samples, self._sent_samples = [], 0
        self._sender = ThreadPoolExecutor(1)  # a training does not wait for the store
        self._sending = None
        self._there = {}  # {metric: steps that it was logged at by a process that was stopped since}

    @classmethod
    def start(cls, client, params, training=None, resume=None):
        """Make the run of a training, or join the one that `mlflow run` has made (MLFLOW_RUN_ID).

        Args:
            client: of `connect`.
            params: Params.
            training: the scratch folder, which tells this training of this checkout from all others, or None.
            resume: id of the run in which this training began, or None. It is joined, if the store knows it.
        """
        mark = None
        if training is not None:
            mark = hashlib.sha256(f"{socket.gethostname()}:{Path(training).resolve()}".encode()).hexdigest()
            resume = resume or _left_behind(client, params, mark)
        if resume and is_known(client, resume, params.tracking):
            run = cls(client, resume)
            run.client.update_run(resume, status="RUNNING")
            run._there = {name: {metric.step for metric in client.get_metric_history(resume, name)} for name in METRICS}
        else:
            run = cls(client, os.environ.get("MLFLOW_RUN_ID") or _create_run(client, params, {TRAINING: mark} if mark else None))
            if run.id == os.environ.get("MLFLOW_RUN_ID"):
                run.describe(params)
        return run

    @classmethod
    def of_search(cls, client, params, name, parent=None, resume=None):
        """The run of a search, or that of one of its trials.

        Args:
            client: of `connect`.
            params: Params; their experiment is the search's.
            name: of the run.
            parent: id of the search's run, if this is a trial.
            resume: id of the run in which this search began, or None. It is joined, if the store knows it.
        """
        if resume and is_known(client, resume, params.tracking):
            client.update_run(resume, status="RUNNING", name=name)
            return cls(client, resume)
        above = {"mlflow.parentRunId": parent} if parent else {}
        return cls(client, _create_run(client, params, {"mlflow.runName": name, **above}))

    def log_metrics(self, values, step):
        """Log metrics, {name: value}, with those of the rows."""
        self._pending += self._metrics(values, step)

    def log_table(self, columns, rows, path):
        """Log a table that replaces the one before; MLflow's pages show it."""
        self._log_table(columns, rows, path)

    def describe(self, params):
        """Give the run of `mlflow run` the tags of one of ours, and a name that says something unless it was given one."""
        given = self.client.get_run(self.id)
        tags = {**git_tags(), COLOR: given.data.tags.get(COLOR) or _color(self.client, given.info.experiment_id)}
        if _is_random(given.info.run_name or ""):
            tags["mlflow.runName"] = name_of(params)
        for key, value in tags.items():
            self.client.set_tag(self.id, key, value)

    def tag(self, key, value):
        self.client.set_tag(self.id, key, value)

    def log_params(self, values):
        """Log what a training is made of: {name: value}. What is there already stays."""
        from mlflow.entities import Param

        kept = shaping(values)
        there = self.client.get_run(self.id).data.params
        self.client.log_batch(self.id, params=[Param(key, str(value)) for key, value in kept.items() if key not in there])

    def log_dataset(self, batches):
        """The training data as the run's dataset input, and the digests of what the data stages made.

        Args:
            batches: dataset.Batches.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        digests = {"raw": batches.raw, "vocab": digest("data/vocab"), "batches": digest("data/batches")}
        profile = {
            "recipe": batches.recipe,
            "train_words": int(batches.train.size),
            "vocabulary_size": batches.vocabulary_size,
            **{f"{name}_words": held.scored for name, held in batches.held_out.items()},
        }
        schema = {"mlflow_colspec": [{"type": "integer", "name": "word_id", "required": True}]}
        entity = Dataset(
            name="data/batches",
            digest=digests["batches"][:36],
            source_type="lstm_lm.download",
            source=json.dumps(batches.source),
            schema=json.dumps(schema),
            profile=json.dumps(profile),
        )
        self.client.log_inputs(self.id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])
        for name, value in digests.items():
            self.client.set_tag(self.id, f"data.{name}", value)

    def resumed(self, step, rows, samples):
        for row in rows:  # what did not reach the store before the stop does now
            self.row(row)
        self._samples = [_sample_row(sample) for sample in samples]

    def row(self, row):
        values = {name: getattr(row, attribute) for name, attribute in METRICS.items()}
        new = {name: value for name, value in values.items() if row.step not in self._there.get(name, ())}
        self._pending += self._metrics(new, row.step)
        if time.monotonic() - self._sent > BATCH_SECONDS:
            self._send()

    @staticmethod
    def _metrics(values, step):
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        return [Metric(name, value, now, step) for name, value in values.items() if value is not None and not math.isnan(value)]

    def flush(self):
        """Send what is pending."""
        # The server's limit is 1,000 metrics a call.
        while sending := self._pending[:1000]:
            self.client.log_batch(self.id, metrics=sending)
            del self._pending[: len(sending)]  # others may have come meanwhile
        if (count := len(self._samples)) > self._sent_samples:
            self._log_table(["sample", "text", "step", "prompt", "temperature"], self._samples[:count], "training_samples.json")
            self._sent_samples = count
        self._sent = time.monotonic()

    def _send(self):
        """Send what is pending in the background. While that goes on, what comes waits for the next time, or for the end."""

        def patiently():
            with self._patiently():
                self.flush()

        if self._sending is None or self._sending.done():
            self._sending = self._sender.submit(patiently)

    def samples(self, samples):
        self._samples += [_sample_row(sample) for sample in samples]
        self._send()

    def _log_table(self, columns, rows, path):
        """Write a table in the format of `mlflow.log_table`, which only appends; this one is overwritten.

        The newest comes first: MLflow's table view opens the first, groups it by its first column and compares its second.
        """
        self.client.log_dict(self.id, {"columns": columns, "data": rows}, path)
        tag = "mlflow.loggedArtifacts"
        known = json.loads(self.client.get_run(self.id).data.tags.get(tag, "[]"))
        entry = {"path": path, "type": "table"}
        if known[:1] != [entry]:
            self.client.set_tag(self.id, tag, json.dumps([entry, *(other for other in known if other != entry)]))

    def log_files(self, paths):
        for path in paths:
            self.client.log_artifact(self.id, str(path))

    @contextlib.contextmanager
    def _patiently(self):
        """A store that fails for a while does not end a training: what is pending is sent later, at the latest when it ends."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except (MlflowException, OSError) as error:
            self._sent = time.monotonic()
            print(f"warning: the tracking store fails: {_first_line(error)}: what is pending is sent later", flush=True)

    def finish(self, status="FINISHED"):
        """status: FINISHED, FAILED or KILLED.

        Raises:
            UserError: the store fails.
        """
        from mlflow.exceptions import MlflowException

        if self._sending is not None:
            self._sending.result()
        try:
            self.flush()
            self.client.set_terminated(self.id, status)
        except (MlflowException, OSError) as error:
            raise UserError(f"the tracking store fails: {_first_line(error)}: when it is back, run this again") from None

    @contextlib.contextmanager
    def recorded(self):
        """The run ends with the block, and its status says how that ended."""
        status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except (KeyboardInterrupt, Interrupted):
            status = "KILLED"
            raise
        finally:
            self.finish(status)

    def log_evaluation(self, figures, step, samples, settings):
        """Held-out figures, final samples and how they were taken. Logged again, the latest values win.

        Args:
            figures: {"validation": {...}, "test": {...}} of evaluation.figures.
            step: the last of the training, whichever step the weights are of: MLflow shows the value of the largest step.
            samples: list of dicts with the same keys: prompt, temperature, text, and maybe beam_width and number, from 1, of several.
            settings: schema.EvaluateSample; tags, because they may change while the training stays.
        """
        values = _metrics_of(figures)
        new = {name: value for name, value in values.items() if not self._stands(name, value, step)}
        self.client.log_batch(self.id, metrics=self._metrics(new, step))
        labels = sample_labels(samples)
        labelled = [{"sample": label, "text": sample["text"], **sample} for label, sample in zip(labels, samples, strict=True)]
        self._log_table(list(labelled[0]), [list(sample.values()) for sample in labelled], "samples.json")
        for key, value in settings.model_dump().items():
            self.client.set_tag(self.id, f"evaluate_sample.{key}", json.dumps(value, ensure_ascii=False))

    def _stands(self, name, value, step):
        """Whether the latest value at this step already is this one: logged again it would be a second point of the curve."""
        there = [metric.value for metric in self.client.get_metric_history(self.id, name) if metric.step == step]
        return bool(there) and math.isclose(there[-1], value, rel_tol=1e-6)

    def stand_for(self, run_id, params, figures):
        """Tag this run with the one it stands for, since there was nothing left to train, and show what that one shows.

        Args:
            run_id: of the run that trained the weights; it may be one of another store, which is then only named.
            params: Params.
            figures: held-out figures as in reports/metrics.json, shown if this store does not know that run.
        Returns:
            whether this store knows that run.
        """
        self.tag(STANDS_FOR, run_id)
        self.describe(params)
        if not is_known(self.client, run_id, params.tracking):
            self.log_params(keys.flatten(params))
            shown = self.client.get_run(self.id).data.metrics
            values = _metrics_of(figures)
            self.client.log_batch(self.id, metrics=self._metrics({name: v for name, v in values.items() if name not in shown}, 0))
            return False
        other = self.client.get_run(run_id)
        self.log_params(other.data.params)
        points = [point for name in other.data.metrics for point in self.client.get_metric_history(run_id, name)]
        there = {
            (name, point.step)
            for name in self.client.get_run(self.id).data.metrics
            for point in self.client.get_metric_history(self.id, name)
        }
        self._pending += [point for point in points if (point.key, point.step) not in there]
        self.flush()
        with tempfile.TemporaryDirectory() as folder:
            for item in self.client.list_artifacts(run_id):
                if not item.is_dir:
                    self.client.log_artifact(self.id, self.client.download_artifacts(run_id, item.path, folder))
        for key in ("mlflow.loggedArtifacts", NOTE):
            if key in other.data.tags:
                self.tag(key, other.data.tags[key])
        return True

    @classmethod
    def join(cls, client, params, run_id):
        """The run that trained the weights; a stand-in, if this store does not know it.

        Args:
            client: of `connect`.
        Returns:
            (Run, whether it is a stand-in)
        """
        if is_known(client, run_id, params.tracking):
            return cls(client, run_id), False
        experiment = experiment_id(client, params.tracking)
        stand_ins = client.search_runs([experiment], f"tags.`{TRAINED_AS}` = '{run_id}'", max_results=1)
        ours = os.environ.get("MLFLOW_RUN_ID")  # that of `mlflow run` stands in, if there is one
        if stand_ins and not ours:
            return cls(client, stand_ins[0].info.run_id), True
        run = cls(client, ours or _create_run(client, params, {TRAINED_AS: run_id}))
        if ours:
            run.tag(TRAINED_AS, run_id)
            run.describe(params)
        run.log_params(keys.flatten(params))
        if not ours:
            run.finish()
        return run, True

    def log_model(self, saved_model, serving, registered_name):
        """Log the MLflow model and register it, once per weights and serving code.

        Args:
            saved_model: folder of the SavedModel.
            serving: path of serving.py.
            registered_name: in the model registry.
        Returns:
            (version, whether it is new)
        """
        found = registered_version(self.client, saved_model, serving, registered_name)
        if found:
            return found, False
        import mlflow
        import pandas as pd

        example = pd.DataFrame({"prompt": ["to be or not to"]}), {"max_words": 10, "temperature": 0.0}
        for name in ("mlflow.models.model", "mlflow.pyfunc", "mlflow.store.artifact.utils"):
            logging.getLogger(name).setLevel(logging.ERROR)
        if not self.client.search_registered_models(f"name = '{registered_name}'"):
            self.client.create_registered_model(registered_name, description="Word-level LSTM language model: prompt in, text out.")
        tags = {MODEL_DIGEST: model_digest(saved_model, serving)}
        with _as_current_store(self.client.tracking_uri):
            with mlflow.start_run(run_id=self.id):
                info = mlflow.pyfunc.log_model(
                    name="model",
                    python_model=str(serving),
                    artifacts={"saved_model": str(saved_model)},
                    signature=signature(),
                    input_example=example,
                    pip_requirements=requirements(),
                )
            version = self.client.create_model_version(registered_name, info.model_uri, run_id=self.id, tags=tags, model_id=info.model_id)
        return version.version, True


def _metrics_of(figures):
    """{"test": {"loss": ...}} as in reports/metrics.json -> {"test/loss": ...}; a number of words is no metric."""
    return {f"{split}/{name}": value for split, of_split in figures.items() for name, value in of_split.items() if name != "words"}


def sample_labels(samples):
    """What tells the samples of `Run.log_evaluation` apart, and finds the same one in another run."""
    names = ("prompt", "temperature", "beam_width", "number")
    return [_label(**{name: sample[name] for name in names if name in sample}) for sample in samples]


def _label(prompt, temperature, beam_width=1, number=1):
    if beam_width > 1:
        return f"{prompt} (beam {beam_width})"
    return f"{prompt} (greedy)" if temperature == 0 else f"{prompt} (T={temperature:g}{f', {number}' if number > 1 else ''})"


def _sample_row(sample):
    label = f"step {sample.step}: {_label(sample.prompt, sample.temperature)}"
    return [label, sample.text, sample.step, sample.prompt, sample.temperature]


@contextlib.contextmanager
def _as_current_store(address):
    """Make a store MLflow's current one, for calls that take no client. It keeps that in the environment too, which is put back."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(address)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before
