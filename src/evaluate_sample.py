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
    known = set((SAVED_MODEL / "assets/vocabulary.txt").read_text(encoding="utf-8").splitlines())
    for prompt in chosen.prime_texts:
        if not known & {*prompt.split(), *prompt.lower().split()}:
            print(
                f"  note: the model knows no word of {prompt!r}: give params.yaml: evaluate_sample.prime_texts and train.prime_texts others"
            )
    if chosen.stop_at_sentence_end and not known & set(export.SENTENCE_ENDS):
        ends = " ".join(export.SENTENCE_ENDS)
        print(f"  note: params.yaml: evaluate_sample.stop_at_sentence_end has no effect: none of {ends} is a word of the model")
    samples = written(export.Generator(text_model), chosen)

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


def written(write, settings):
    """Samples as dicts: those of each temperature, then those of the beam search, if there is one.

    Args:
        write: export.Generator.
        settings: params.EvaluateSample.
    """
    options = {name: getattr(settings, name) for name in ("top_k", "top_p", "seed", "min_p", "repetition_penalty", "no_repeat_ngram")}
    options |= {"stop_at_sentence_end": settings.stop_at_sentence_end}
    # Nothing is drawn for a greedy text: a second one would be the same.
    ways = [(temperature, settings.samples if temperature > 0 else 1, 1) for temperature in settings.temperatures]
    if settings.beam_width > 1:
        ways.append((None, 1, settings.beam_width))
    samples = []
    for temperature, count, width in ways:
        texts = write(settings.prime_texts, settings.max_words, temperature or 0.0, samples=count, beam_width=width, **options)
        for i, text in enumerate(texts):
            of = {"prompt": settings.prime_texts[i // count], "temperature": temperature, "beam_width": width, "number": i % count + 1}
            samples.append({**of, "text": text})
    return samples


def rounded(figures):
    """Enough digits for any use, few enough to read."""
    return {split: {name: round(value, 6) for name, value in of_split.items()} for split, of_split in figures.items()}


def as_markdown(samples, settings):
    length = f"{settings.max_words} words each"
    if settings.stop_at_sentence_end:
        length = f"At most {length}, stop_at_sentence_end"
    lines = [
        "# Samples",
        "",
        f"{length}, seed {settings.seed}, top_k {settings.top_k}, top_p {settings.top_p:g}, min_p {settings.min_p:g}, "
        f"repetition_penalty {settings.repetition_penalty:g}, no_repeat_ngram {settings.no_repeat_ngram}.",
    ]
    titles = {temperature: f"Temperature {temperature:g}" for temperature in settings.temperatures}
    for temperature, title in (titles | {0: "Greedy", None: f"Beam search, width {settings.beam_width}"}).items():
        texts = [sample for sample in samples if sample["temperature"] == temperature]
        lines += ["", f"## {title}", ""] if texts else []
        lines += [f"- **{sample['prompt']}**{sample['text'].removeprefix(sample['prompt'])}" for sample in texts]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    console.run(main)
