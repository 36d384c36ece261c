"""Stage `train`: data/batches -> models/: weights, SavedModel, history, samples; one MLflow run."""

import json
import tempfile
from pathlib import Path

from lstm_lm import console, dataset, history, params, vocabulary


def main():
    settings = params.load()
    batches = dataset.load("data/batches")
    words = vocabulary.Vocabulary.load("data/vocab/vocab.csv").words
    tokenizer = vocabulary.Tokenizer.load("data/vocab/tokenizer.json")
    print("starting TensorFlow and MLflow ...")
    with console.quiet_tensorflow():
        from lstm_lm import export, graph_picture, model, precision, tracking, training

    chosen, ratio = precision.resolve(settings.train.precision)
    print(f"matrix products in {chosen}" + (f" (float32 takes {ratio:.1f} times as long as bfloat16 here)" if ratio else ""))
    shape = model.Shape(
        vocabulary_size=batches.vocabulary_size,
        embedding_size=settings.model.embedding_size,
        hidden_size=settings.model.hidden_size,
        layers=settings.model.layers,
        projection_size=settings.model.projection_size,
        tie_weights=settings.model.tie_weights,
    )
    language_model = model.LanguageModel(
        shape, model.Initializer(settings.model.initializer, settings.model.initializer_scale, settings.train.seed)
    )
    parameters = sum(int(variable.shape.num_elements()) for variable in language_model.weights.values())
    print(f"{parameters:,} weights, vocabulary {len(words):,}, {batches.train.size:,} training words")

    run = tracking.Run.start(settings, {"resolved_precision": chosen, "vocabulary_size": len(words), "parameter_count": parameters})
    observers = [history.Terminal(), history.Files("models"), run]
    status = "FAILED"
    try:
        run.log_dataset(batches)
        with tempfile.TemporaryDirectory() as scratch:
            text_model = export.TextModel(language_model, tokenizer, export.write_words(words, Path(scratch) / "vocabulary.txt"))
            trainer = training.Trainer(
                language_model,
                batches,
                settings.train,
                dropout=settings.model.dropout,
                locked_dropout=settings.model.locked_dropout,
                precision=chosen,
                write=export.Generator(text_model),
                observers=observers,
            )
            result = trainer.run()
            text_model.save("models/saved_model")
        about = {"precision": chosen, "steps": result.steps, "best_step": result.best_step, "best_epoch": result.best_epoch}
        export.save_weights(language_model, "models/weights", about)
        Path("reports").mkdir(exist_ok=True)
        graph_picture.draw(
            trainer.train_step.get_concrete_function(), text_model.step.get_concrete_function(), language_model.weights, "reports/graph.png"
        )
        Path("models/run.json").write_text(json.dumps({"run_id": run.id}) + "\n", encoding="utf-8")
        run.log_files(["models/history.csv", "models/samples.csv", "reports/graph.png", "params.yaml"])
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        for observer in observers:
            observer.close()
        run.finish(status)
    early = f", stopped early: no better validation loss in {settings.train.patience} epochs" if result.stopped_early else ""
    print(
        f"{result.steps:,} steps in {console.duration(result.seconds)}{early}; "
        f"kept the weights of epoch {result.best_epoch}, validation loss {result.best_validation_loss:.3f}"
    )


if __name__ == "__main__":
    console.run(main)
