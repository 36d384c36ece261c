"""Stage `evaluate-sample`: figures and samples of the exported SavedModel, and the MLflow model."""

import json
from pathlib import Path

from lstm_lm import checkpoint, console, dataset, evaluation, params, tracking

SAVED_MODEL = Path("models/saved_model")
SERVING = Path("src/lstm_lm/serving.py")


def main():
    settings = params.load()
    batches = dataset.load("data/batches")
    trained = json.loads(Path("models/weights/config.json").read_text(encoding="utf-8"))
    run_id = json.loads(Path("models/run.json").read_text(encoding="utf-8"))["run_id"]
    store = tracking.connect(settings.tracking)
    checkpoint.remove_ended(tracking.root(), run_id)
    folder = console.trained_model()
    with console.quiet_tensorflow():
        from lstm_lm import export
    text_model = export.load_text_model(folder)

    def score_window(ids, targets, state):
        scored = text_model.score(ids, targets, state)
        return scored["nats"].numpy(), scored["state"]

    def initial_state(batch):
        return text_model.initial_state(batch)["state"]

    figures = {}
    for split in dataset.HELD_OUT:
        print(f"scoring {batches.held_out[split].scored:,} words of the {split} split ...")
        nats = evaluation.score(score_window, initial_state, batches.documents(split), batches.vocabulary_size)
        figures[split] = evaluation.figures(nats, batches.held_out[split])

    chosen = settings.evaluate_sample
    write = export.Generator(text_model)
    for prompt, known in zip(chosen.prime_texts, write.known(chosen.prime_texts), strict=True):
        if not known:
            print(
                f"  note: the model knows no word of {prompt!r}: give params.yaml: evaluate_sample.prime_texts and train.prime_texts others"
            )
    samples = []
    for temperature in chosen.temperatures:
        texts = write(chosen.prime_texts, chosen.max_words, temperature, chosen.top_k, chosen.top_p, chosen.seed)
        samples += [
            {"prompt": prompt, "temperature": temperature, "text": text} for prompt, text in zip(chosen.prime_texts, texts, strict=True)
        ]

    reports = Path("reports")
    reports.mkdir(exist_ok=True)
    (reports / "metrics.json").write_text(json.dumps(rounded(figures), indent=1) + "\n", encoding="utf-8")
    (reports / "samples.md").write_text(as_markdown(samples, chosen), encoding="utf-8")

    run, stand_in = tracking.Run.join(store, settings, run_id)
    if stand_in:
        print(f"this tracking store does not know run {run_id}, which trained the weights: logging to run {run.id} in its place")
    run.log_evaluation(figures, trained["steps"], samples, chosen)
    run.log_files([reports / "metrics.json", reports / "samples.md"])
    version, new = run.log_model(SAVED_MODEL, SERVING, settings.tracking.registered_model)
    print(f"{settings.tracking.registered_model} version {version} in the model registry" + ("" if new else " already is this model"))


def rounded(figures):
    """Enough digits for any use, few enough to read."""
    return {split: {name: round(value, 6) for name, value in of_split.items()} for split, of_split in figures.items()}


def as_markdown(samples, settings):
    lines = ["# Samples", "", f"{settings.max_words} words each, seed {settings.seed}, top_k {settings.top_k}, top_p {settings.top_p:g}."]
    for temperature in settings.temperatures:
        lines += ["", f"## {'Greedy' if temperature == 0 else f'Temperature {temperature:g}'}", ""]
        lines += [
            # A line end of the text is one of the page, inside the list.
            f"- **{sample['prompt']}**{sample['text'].removeprefix(sample['prompt'])}".replace("\n", "  \n  ")
            for sample in samples
            if sample["temperature"] == temperature
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    console.run(main)
