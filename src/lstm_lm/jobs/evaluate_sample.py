"""Stage `evaluate-sample`: figures and samples of the exported SavedModel, and the MLflow model."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np

from lstm_lm import paths
from lstm_lm.data import dataset, description
from lstm_lm.evaluation import bootstrap, scoring, text_statistics
from lstm_lm.evaluation.ngrams import KneserNey, Unigram
from lstm_lm.export.files import find_saved_model
from lstm_lm.generation.options import SENTENCE_ENDS, GenerationOptions, by_name, sentence_end_ids
from lstm_lm.io import quiet, scratch
from lstm_lm.text import encoded, splits
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.tracking import mirroring, registry, store
from lstm_lm.tracking.evaluation import log_evaluation

SAVED_MODEL = Path("models/saved_model")
SERVING = Path("src/lstm_lm/serving/pyfunc.py")
TEXTS, WORDS, TEMPERATURE = 64, 100, 1.0  # what `quality` looks at: so many texts of so many words, if there is as much test text
MOST_WORDS = 20_000_000  # of training text that n-grams are counted of: they take about 200 bytes of memory each


def run(settings):
    chosen = settings.evaluate_sample
    batches = dataset.load("data/batches")
    whole, characters, vocabulary_size = encoded.load("data/vocab")
    parts = {name: whole.part(spans) for name, spans in splits.load("data/vocab/splits.json").items()}
    trained = json.loads(Path("models/weights/config.json").read_text(encoding="utf-8"))
    run_id = json.loads(Path("models/run.json").read_text(encoding="utf-8"))["run_id"]
    client = store.connect(settings.tracking)
    scratch.remove_ended(paths.project_root(), run_id)
    folder = find_saved_model()
    with quiet.tensorflow_import():
        from lstm_lm.export.generator import Generator
        from lstm_lm.export.text_model import load_text_model
    text_model = load_text_model(folder)
    write = Generator(text_model)

    nats = {}
    for split in dataset.HELD_OUT:
        print(f"scoring {batches.held_out[split].scored_words:,} words of the {split} split ...")
        nats[split] = score(text_model, batches.documents(split), vocabulary_size)
    figures = {split: scoring.figures(nats[split], batches.held_out[split]) for split in dataset.HELD_OUT}
    blocks = {}
    for split in dataset.HELD_OUT if chosen.bootstrap_samples else ():
        about = *description.describe_scored_words(parts[split], characters, vocabulary_size), batches.held_out[split].unknown_types
        figures[split] |= bootstrap.intervals(nats[split], *about, chosen.bootstrap_samples, chosen.seed)
        blocks[split] = bootstrap.block_of(about[1])
    figures["validation"] |= generalization(
        text_model, parts["train"], len(parts["validation"]), figures["validation"]["loss"], vocabulary_size
    )
    others = {**baselines(parts["train"], batches, vocabulary_size, chosen.kneser_ney_order), **adapted(batches, chosen)}
    for name, costs in others.items():
        for split in dataset.HELD_OUT:
            figures[split] |= of_other(name, costs[split], nats[split], batches.held_out[split], chosen, blocks.get(split))
    figures["samples"] = written(write, batches.ids["validation"], parts, len(characters.lengths), chosen.seed)

    for prompt, known_words in zip(chosen.prime_texts, write.count_known_words(chosen.prime_texts), strict=True):
        if not known_words:
            print(
                f"  note: the model knows no word of {prompt!r}: "
                "change evaluate_sample.prime_texts and reporting.prime_texts in params.yaml"
            )
    if chosen.stop_at_sentence_end and not sentence_end_ids(vocabulary.read_tokens(SAVED_MODEL / "assets/vocabulary.txt")):
        ends = " ".join(SENTENCE_ENDS)
        print(f"  note: params.yaml: evaluate_sample.stop_at_sentence_end has no effect: none of {ends} is a word of the model")
    samples = sampled(write, chosen)

    figures = rounded(figures)
    reports = Path("reports")
    reports.mkdir(exist_ok=True)
    (reports / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (reports / "samples.md").write_text(as_markdown(samples, chosen), encoding="utf-8")

    run, is_proxy = mirroring.join(client, settings, run_id)
    if is_proxy:
        print(f"this tracking store does not know run {run_id}, which trained the weights: logging to run {run.id} in its place")
    log_evaluation(run, figures, trained["steps"], samples, chosen)
    run.log_files([reports / "metrics.json", reports / "samples.md"])
    version, new = registry.log_model(client, run.id, SAVED_MODEL, SERVING, settings.tracking.registered_model)
    print(f"{settings.tracking.registered_model} version {version} in the model registry" + ("" if new else " already is this model"))


def score(text_model, documents, vocabulary_size):
    """What each word of some documents costs by the SavedModel, as `evaluation.score`."""

    def score_window(ids, targets, state):
        scored = text_model.score(ids, targets, state)
        return scored["nats"].numpy(), scored["state"]

    return scoring.score(score_window, lambda batch: text_model.initial_state(batch)["state"], documents, vocabulary_size)


def generalization(text_model, train, words, validation_loss, vocabulary_size):
    """The loss on as much training text as there is validation text, and by how much that of the latter is above it."""
    ranges = [(start, stop) for _, start, stop in train.ranges]
    spans = scoring.spread([stop - start for start, stop in ranges], words)
    documents = [
        encoded.replace_unknown(train.ids[ranges[i][0] + start : ranges[i][0] + stop], vocabulary_size) for i, start, stop in spans
    ]
    print(f"scoring {sum(map(len, documents)):,} words of the training text ...")
    loss = float(np.mean(np.concatenate(score(text_model, documents, vocabulary_size)), dtype=np.float64))
    return {"training_text_loss": loss, "generalization_gap": validation_loss - loss}


def baselines(train, batches, vocabulary_size, order):
    """{name: {split: costs as of `evaluation.score`}} of the n-gram models of the same training words."""
    if len(train) > MOST_WORDS:
        print(f"  note: no n-gram baselines: they are made of at most {MOST_WORDS:,} words of training text, and here are {len(train):,}")
        return {}
    print(f"counting the n-grams of {len(train):,} words of training text ...")
    documents = [encoded.replace_unknown(train.ids[start:stop], vocabulary_size) for _, start, stop in train.ranges]
    models = {"unigram": Unigram(documents, vocabulary_size)}
    if order:
        models["kneser_ney"] = KneserNey(documents, vocabulary_size, order)
    return {name: {split: model.nats(batches.documents(split)) for split in dataset.HELD_OUT} for name, model in models.items()}


def adapted(batches, chosen):
    """As `baselines`, of the weights themselves while they, or a cache beside them, go on learning from what is scored."""
    if not (chosen.dynamic_evaluation or chosen.neural_cache):
        return {}
    from lstm_lm.evaluation import dynamic_evaluation, neural_cache
    from lstm_lm.export.weights import load_weights

    # The SavedModel gives neither gradients nor what its softmax is given.
    model = load_weights("models/weights")
    found = {}
    for name, options, ways in (
        ("dynamic_evaluation", chosen.dynamic_evaluation, dynamic_evaluation),
        ("neural_cache", chosen.neural_cache, neural_cache),
    ):
        if options:
            print(f"scoring once more: {name.replace('_', ' ')} ...")
            found[name] = {split: ways.score(model, batches.documents(split), **options.model_dump()) for split in dataset.HELD_OUT}
    return found


def of_other(name, costs, nats, held_out, chosen, block):
    """Figures of another way to predict the same words; of Kneser-Ney also how far the model is ahead of it."""
    found = {f"{name}_{key}": value for key, value in scoring.figures(costs, held_out).items() if key not in ("oov_rate", "words")}
    if name == "kneser_ney" and chosen.bootstrap_samples:
        gain, low, high = bootstrap.difference(nats, costs, chosen.bootstrap_samples, chosen.seed, block)
        found |= {"gain_over_kneser_ney": gain, "gain_over_kneser_ney_low": low, "gain_over_kneser_ney_high": high}
    return found


def written(write, starts, parts, ids, seed):
    """Figures of texts that the model writes, each from one word of the validation text, and of as much test text beside them.

    Unknown words are told apart here: what is copied is copied word by word.
    """
    train, test = ([parts[name].ids[start:stop] for _, start, stop in parts[name].ranges] for name in ("train", "test"))
    pieces = text_statistics.pieces(test, WORDS, TEXTS)
    words = len(pieces[0])  # as much as there is test text, or the two would not compare
    first = starts[np.linspace(0, len(starts) - 1, len(pieces)).round().astype(int)]
    print(f"writing {len(first)} texts of {words} words ...")
    sampling = GenerationOptions(max_words=words, temperature=TEMPERATURE, seed=seed)
    of_model = text_statistics.figures(list(write.continue_words(first, sampling)), train, ids)
    of_test = text_statistics.figures(pieces, train, ids)
    return of_model | {f"test_text_{name}": value for name, value in of_test.items() if name != "words"}


def sampled(write, settings):
    """Samples as dicts: those of each temperature, then those of the beam search, if there is one.

    Args:
        write: export.generator.Generator.
        settings: schema.EvaluateSample.
    """
    common = GenerationOptions(**{name: getattr(settings, name) for name in by_name() if name != "temperature"})
    # Nothing is drawn for a greedy text: a second one would be the same.
    ways = [(temperature, settings.samples if temperature > 0 else 1, 1) for temperature in settings.temperatures]
    if settings.beam_width > 1:
        ways.append((None, 1, settings.beam_width))
    samples = []
    for temperature, count, width in ways:
        texts = write(settings.prime_texts, dataclasses.replace(common, temperature=temperature or 0.0, samples=count, beam_width=width))
        for i, found in enumerate(texts):
            of = {"prompt": settings.prime_texts[i // count], "temperature": temperature, "beam_width": width, "number": i % count + 1}
            samples.append({**of, "text": found})
    return samples


def rounded(figures):
    """Enough digits for any use, few enough to read; without those that are no number."""
    return {
        split: {name: round(value, 6) for name, value in of_split.items() if not math.isnan(value)} for split, of_split in figures.items()
    }


def as_markdown(samples, settings):
    length = f"{settings.max_words} words each"
    if settings.stop_at_sentence_end:
        length = f"At most {length}, stop_at_sentence_end"
    elsewhere = {"max_words", "temperature", "stop_at_sentence_end", "samples", "beam_width"}  # shown in other lines of the page
    values = ", ".join(f"{name} {getattr(settings, name):.10g}" for name in by_name() if name not in elsewhere)
    lines = ["# Samples", "", f"{length}, {values}."]
    titles = {temperature: f"Temperature {temperature:g}" for temperature in settings.temperatures}
    for temperature, title in (titles | {0: "Greedy", None: f"Beam search, width {settings.beam_width}"}).items():
        texts = [sample for sample in samples if sample["temperature"] == temperature]
        lines += ["", f"## {title}", ""] if texts else []
        # A line end of the text is one of the page, inside the list.
        lines += [f"- **{sample['prompt']}**{sample['text'].removeprefix(sample['prompt'])}".replace("\n", "  \n  ") for sample in texts]
    return "\n".join(lines) + "\n"
