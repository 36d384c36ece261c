"""Stage `train`: data/batches -> models/: weights, SavedModel, history, samples; one MLflow run."""

import contextlib
import json
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from lstm_lm import paths
from lstm_lm.config import keys
from lstm_lm.data import dataset
from lstm_lm.errors import Interrupted, UserError
from lstm_lm.io import hashing, memory, quiet
from lstm_lm.io.checkpoints import Checkpoints
from lstm_lm.io.interruption import Interruption
from lstm_lm.io.scratch import Scratch
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.tracking import store
from lstm_lm.tracking.training_run import TrainingRun
from lstm_lm.training import history
from lstm_lm.training.history import Files
from lstm_lm.ui import terminal
from lstm_lm.ui.progress import TrainingProgress, timed


def run(settings):
    memory.keep_freed()
    interrupted = Interruption()
    batches = dataset.load("data/batches")
    # Everything that shapes the weights: another value of any of it is another training.
    shaping = [
        settings.model.model_dump(),
        settings.train.model_dump(),
        hashing.digest_dependencies("train"),
        version("tensorflow"),
        version("numpy"),
    ]
    scratch = Scratch(paths.project_root(), hashing.digest_json(*shaping))
    with scratch.lock():
        refuse_what_diverged(scratch)
        train(settings, batches, scratch, interrupted)


def refuse_what_diverged(scratch):
    diverged = scratch.read("diverged")
    if diverged:
        raise UserError(f"{diverged['message']} (so it was before: {scratch.name} remembers it until something changes)")


def train(settings, batches, scratch, interrupted):  # noqa: PLR0915
    words, counts = vocabulary.load_counts("data/vocab/vocab.csv")
    tokenizer = Tokenizer.load("data/vocab/tokenizer.json")
    startup = {}
    with timed(startup, "MLflow"):
        client = store.connect(settings.tracking)  # before anything slow: a server that is not there is said at once
    print("starting TensorFlow ...")
    with timed(startup, "TensorFlow"), quiet.tensorflow_import():
        from lstm_lm.export.generator import Generator
        from lstm_lm.export.text_model import TextModel, save_vocabulary
        from lstm_lm.export.weights import save_weights
        from lstm_lm.model import precision
        from lstm_lm.training.trainer import Diverged, Stopped

    checkpoints = Checkpoints(scratch.folder, settings.reporting.checkpoint_seconds)
    begun = scratch.read("run") or {}
    chosen, ratio = precision.resolve(begun.get("precision", settings.train.precision))
    print(f"matrix products in {chosen}" + (f" (float32 takes {ratio:.1f} times as long as bfloat16 here)" if ratio else ""))
    language_model = build(settings, counts)
    print(f"{language_model.parameter_count:,} weights, vocabulary {len(words):,}, {batches.train.size:,} training words")

    run = TrainingRun.start(client, settings, scratch_folder=scratch.folder, resume=begun.get("run_id"))
    scratch.write("run", {"run_id": run.id, "precision": chosen})
    # In scratch, until it is whole: an unfinished one in models/ would keep `dvc checkout` from restoring the one before.
    observers = [TrainingProgress(startup=startup), Files(scratch.folder), run]
    with run.recorded(), contextlib.ExitStack() as closing:
        for each in (checkpoints, *observers):
            closing.callback(each.close)
        facts = {"resolved_precision": chosen, "vocabulary_size": len(words), "parameter_count": language_model.parameter_count}
        run.log_params({**keys.flatten(settings), **facts})
        run.log_dataset(batches)
        temporary = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        text_model = TextModel(language_model, tokenizer, save_vocabulary(words, temporary / "vocabulary.txt"))
        trainer = trainer_of(
            settings,
            batches,
            language_model,
            precision=chosen,
            write=Generator(text_model),
            observers=observers,
            checkpoints=checkpoints,
            interruption=interrupted,
        )
        if saved := checkpoints.load():
            trainer.restore(*saved)
        say_what_goes_on(trainer.progress.step, run.id, begun)
        try:
            with interrupted:
                result = trainer.run()
        except Stopped as stopped:
            line = f"{interrupted.reason} at step {stopped.step:,}: the next {what_goes_on()} goes on from there"
            raise Interrupted(line, interrupted.code) from None
        except Diverged as diverged:
            save_weights(language_model, scratch.folder / "weights", {"precision": chosen, "steps": diverged.kept_step})
            message = what_diverged(diverged, settings.train, scratch.name)
            scratch.write("diverged", {"message": message})
            run.tag("diverged", message)
            raise UserError(message) from None
        text_model.save("models/saved_model")
        for name in history.NAMES:
            shutil.copyfile(scratch.folder / name, Path("models") / name)
        about = {"precision": chosen, "steps": result.steps, "best_step": result.best_step, "best_epoch": result.best_epoch}
        save_weights(language_model, "models/weights", about)
        draw(trainer.train_step, text_model.step, language_model)
        Path("models/run.json").write_text(json.dumps({"run_id": run.id}) + "\n", encoding="utf-8")
        run.log_files(["models/history.csv", "models/samples.csv", "reports/graph.png", "params.yaml"])
    scratch.write("ended", {"steps": result.steps})  # evaluate-sample removes it, once DVC has recorded what was made here
    say_how_it_ended(result, settings.train.patience)


def build(settings, counts):
    """The LanguageModel with its initial weights. counts: int [vocabulary], occurrences of each word in the training text."""
    from lstm_lm.model.language_model import Initializer, LanguageModel
    from lstm_lm.model.shape import Shape

    chosen, vocabulary_size = settings.model, len(counts)
    if chosen.adaptive_cutoffs and chosen.adaptive_cutoffs[-1] >= vocabulary_size:
        raise UserError(
            f"params.yaml: model.adaptive_cutoffs = {chosen.adaptive_cutoffs}: must be below {vocabulary_size}, the size of the vocabulary"
        )
    sampled = settings.train.sampled_words
    if sampled and sampled >= vocabulary_size:
        raise UserError(
            f"params.yaml: train.sampled_words = {sampled}: must be below {vocabulary_size}, the size of the vocabulary, or null"
        )
    shape = Shape(
        vocabulary_size=vocabulary_size,
        embedding_size=chosen.embedding_size,
        hidden_size=chosen.hidden_size,
        layers=chosen.layers,
        projection_size=chosen.projection_size,
        tie_weights=chosen.tie_weights,
        adaptive_cutoffs=chosen.adaptive_cutoffs or (),
    )
    model = LanguageModel(shape, Initializer(chosen.initializer, chosen.initializer_scale, settings.train.seed))
    if chosen.unigram_bias:
        model.initialize_bias_from_counts(counts)
    return model


def trainer_of(settings, batches, language_model, **more):
    """The training.Trainer that the parameters describe; `more` are its other arguments."""
    from lstm_lm.training.trainer import Trainer

    return Trainer(language_model, batches, settings.train, settings.reporting, regularization=regularization(settings), **more)


def regularization(settings):
    """What `model.*` and `train.*` say about it."""
    from lstm_lm.model.dropout import Regularization

    chosen, train = settings.model, settings.train
    return Regularization(
        dropout_words=chosen.dropout_words,
        dropout_input=chosen.dropout_input,
        dropout_hidden=chosen.dropout_hidden,
        dropout_output=chosen.dropout_output,
        dropout_recurrent=chosen.dropout_recurrent,
        locked=chosen.locked_dropout,
        activation=train.activation_regularization,
        temporal=train.temporal_regularization,
    )


def draw(train_step, step, language_model):
    from lstm_lm.ui import graph_picture

    Path("reports").mkdir(exist_ok=True)
    graphs = train_step.get_concrete_function(), step.get_concrete_function()
    graph_picture.draw(*graphs, language_model.weights, "reports/graph.png")


def say_what_goes_on(step, run_id, begun):
    if begun and begun["run_id"] != run_id:
        print(f"this tracking store does not know run {begun['run_id']}, in which the training began: logging to run {run_id}")
    if step:
        print(f"going on from the checkpoint of step {step:,}, in MLflow run {run_id}")
    elif begun:
        print(f"beginning again, in MLflow run {run_id}: the training that was stopped left no checkpoint")


def say_how_it_ended(result, patience):
    early = f", stopped early: no better validation loss in {patience} epochs" if result.stopped_early else ""
    print(
        f"{result.steps:,} steps in {terminal.duration(result.seconds)}{early}; "
        f"kept the weights of epoch {result.best_epoch}, validation loss {result.best_validation_loss:.3f}"
    )


def what_goes_on():
    """What to type to go on with this training."""
    experiment = os.environ.get("DVC_EXP_NAME")
    return f"run of the experiment {experiment} with the same parameters" if experiment else "dvc repro"


def what_diverged(diverged, train, scratch):
    """One line: which step, what was seen, what to change, and where the last good weights are."""
    bound = train.max_loss
    seen = f"loss {diverged.loss:g}, gradient norm {diverged.norm:g}" + (f" (train.max_loss is {bound:g})" if diverged.loss > bound else "")
    return (
        f"the training diverged at step {diverged.step:,} of epoch {diverged.epoch}: {seen}: in params.yaml lower train.learning_rate "
        f"({train.learning_rate:g}) or train.clip_norm ({train.clip_norm:g}), or raise train.warmup_steps ({train.warmup_steps}); "
        f"the last good weights, of step {diverged.kept_step:,}, are in {scratch}/weights"
    )
