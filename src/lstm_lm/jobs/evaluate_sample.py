"""Stage `evaluate-sample`: held-out metrics and samples of the exported SavedModel, and the MLflow model."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_lm import paths
from lstm_lm.config.schema import EvaluateSample, Params
from lstm_lm.data import dataset, description
from lstm_lm.evaluation import bootstrap, ngram_mixture, scoring
from lstm_lm.evaluation.baselines import KNESER_NEY, score_baselines
from lstm_lm.evaluation.bootstrap import Resampling, ScoredText
from lstm_lm.evaluation.generated_text import ReferenceTexts, generated_text_metrics, plan_texts
from lstm_lm.evaluation.metrics import Metrics, split_metrics
from lstm_lm.evaluation.ngrams import MAX_TRAINING_WORDS
from lstm_lm.evaluation.samples import Sample, SampleSettings, generate_samples, samples_page
from lstm_lm.evaluation.saved_model_scoring import score_saved_model
from lstm_lm.export.files import find_saved_model
from lstm_lm.generation.options import SENTENCE_ENDS, sentence_end_ids
from lstm_lm.io import quiet, scratch
from lstm_lm.jobs import details
from lstm_lm.jobs.evaluation_inputs import Inputs
from lstm_lm.text import encoded
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.tracking import own_model, references, run_facts
from lstm_lm.tracking.evaluation import check_store, log_evaluation
from lstm_lm.tracking.mirroring import Proxy
from lstm_lm.tracking.queued_run import QueuedRun, resend_in_background
from lstm_lm.tracking.references import Evaluated
from lstm_lm.tracking.sender import MODEL_SECONDS
from lstm_lm.ui import evaluation_messages, metric_catalog
from lstm_lm.ui.report import card, draw, note
from lstm_lm.ui.report import inputs as report_inputs

if TYPE_CHECKING:
    from lstm_lm.export.generator import Generator

SAVED_MODEL = Path("models/saved_model")
MIXTURE = "ngram_mixture"
LOGGED_REPORTS = (draw.FILE, card.FILE, "reports/metrics.json", "reports/samples.md")
DECIMALS = 6  # of the metrics in reports/metrics.json

Costs = dict[str, list[np.ndarray]]  # nats per word of each split


def run(settings: Params) -> None:
    """Evaluate the exported model, generate samples, write the reports, and log all to the run of the training."""
    inputs = Inputs.load()
    facts = json.loads(Path("models/weights/config.json").read_text(encoding="utf-8"))
    run_id = json.loads(Path("models/run.json").read_text(encoding="utf-8"))["run_id"]
    client, created = check_store(settings.tracking, run_id)
    if client:
        resend_in_background(settings.tracking, client)
    scratch.settle_ended(paths.project_root(), run_id)
    folder = find_saved_model()
    with quiet.tensorflow_import():
        from lstm_lm.export.generator import Generator
        from lstm_lm.export.text_model import load_text_model
    text_model = load_text_model(folder)
    generator = Generator(text_model)

    wanted = sample_settings(settings.evaluate_sample)
    metrics, costs = evaluate(text_model, inputs, settings.evaluate_sample)
    metrics["samples"] = evaluate_generated_text(generator, inputs, wanted.options.seed)
    samples = sample(generator, wanted, inputs.unit)
    metrics = rounded(metrics)
    write_reports(metrics, samples, wanted, inputs.unit)
    evaluated = Evaluated(run_id, created, own_model.digest(), settings.train.init_from, encoded.digest_of_test_text(paths.VOCAB))
    details.write(inputs, costs, facts, references.find(client, settings.tracking, evaluated), run_facts.describe(settings))
    files = report_inputs.load(Path())
    draw.draw(files)
    card.write(files, settings.tracking.registered_model)

    tracked = QueuedRun(settings.tracking, run_id, client)
    tracked.join(Proxy.of(settings, created))
    log_evaluation(tracked, metrics, facts["steps"], samples, settings.evaluate_sample)
    tracked.log_files(LOGGED_REPORTS)
    tracked.set_note(note.of_result(files, [Path(name).name for name in LOGGED_REPORTS]))
    tracked.log_model(own_model.model_to_log(settings, metrics["test"], as_version=not paths.is_experiment()))
    tracked.send(MODEL_SECONDS)
    if (joined := tracked.result("join")) not in (None, run_id):
        evaluation_messages.show_proxy_run(run_id, joined)
    if outcome := tracked.result("model"):
        evaluation_messages.show_logged_model(settings.tracking.registered_model, outcome)


def evaluate(text_model: Any, inputs: Inputs, settings: EvaluateSample) -> tuple[dict[str, Metrics], dict[str, Costs]]:
    """Compute the metrics of the held-out splits, by the exported model and by others.

    Returns:
        (metrics of each split; costs by the model, as "model", and by the others)
    """
    nats: Costs = {}
    for split in dataset.HELD_OUT:
        evaluation_messages.show_scoring(inputs.batches.held_out[split].scored_words, f"{split} split", inputs.unit)
        nats[split] = score_saved_model(text_model, inputs.batches.documents(split), inputs.vocabulary_size)
    metrics = {split: split_metrics(nats[split], inputs.batches.held_out[split]) for split in dataset.HELD_OUT}
    if resampling := bootstrap_settings(settings):
        for split in dataset.HELD_OUT:
            metrics[split] |= bootstrap.metric_intervals(scored_text(inputs, split, nats[split]), resampling)
    metrics["validation"] |= generalization(text_model, inputs, metrics["validation"]["loss"])
    others = baseline_costs(inputs, settings)
    if settings.ngram_mixture is not None and KNESER_NEY in others:
        weight, others[MIXTURE] = mixture_costs(nats, others[KNESER_NEY], settings.ngram_mixture)
        metrics["validation"]["ngram_mixture_weight"] = weight
    others |= adaptive_costs(inputs, settings)
    for name, costs in others.items():
        for split in dataset.HELD_OUT:
            other = split_metrics(costs[split], inputs.batches.held_out[split])
            metrics[split] |= {f"{name}_{key}": value for key, value in other.items() if key not in ("oov_rate", "words")}
            if name == KNESER_NEY:
                metrics[split] |= gain_over_kneser_ney(scored_text(inputs, split, nats[split]), costs[split], resampling)
    return metrics, {"model": nats, **others}


def bootstrap_settings(settings: EvaluateSample) -> Resampling | None:
    """Return how to resample for the intervals, or None for no intervals."""
    if not settings.bootstrap_samples:
        return None
    return Resampling(settings.bootstrap_samples, sample_settings(settings).options.seed)


def scored_text(inputs: Inputs, split: str, nats: Sequence[np.ndarray]) -> ScoredText:
    """Collect the words of a split, as they are scored."""
    unknown, characters = description.describe_scored_words(inputs.parts[split], inputs.characters, inputs.vocabulary_size)
    return ScoredText(nats, unknown, characters, inputs.batches.held_out[split].unknown_types)


def generalization(text_model: Any, inputs: Inputs, validation_loss: float) -> Metrics:
    """Compute the loss on as much training text as there is validation text, and by how much the validation loss exceeds it."""
    documents = inputs.documents("train")
    pieces = scoring.spread_pieces([len(document) for document in documents], len(inputs.parts["validation"]))
    texts = [encoded.replace_unknown(documents[i][start:stop], inputs.vocabulary_size) for i, start, stop in pieces]
    evaluation_messages.show_scoring(sum(map(len, texts)), "training text", inputs.unit)
    nats = score_saved_model(text_model, texts, inputs.vocabulary_size)
    loss = float(np.mean(np.concatenate(nats), dtype=np.float64))
    return {"training_text_loss": loss, "generalization_gap": validation_loss - loss}


def baseline_costs(inputs: Inputs, settings: EvaluateSample) -> dict[str, Costs]:
    """Score the held-out splits with the n-gram baselines, unless there is too much training text to count."""
    words = len(inputs.parts["train"])
    if words > MAX_TRAINING_WORDS:
        evaluation_messages.note_too_long_to_count(words, MAX_TRAINING_WORDS, inputs.unit)
        return {}
    evaluation_messages.show_counting(words, inputs.unit)
    training = inputs.parts["train"].documents_without_unknown(inputs.vocabulary_size)
    return score_baselines(training, inputs.held_out_documents(), inputs.vocabulary_size, settings.kneser_ney_order)


def mixture_costs(nats: Costs, kneser_ney: Costs, wanted: float | Literal["auto"]) -> tuple[float, Costs]:
    """Score the held-out splits with the model and Kneser-Ney mixed.

    Args:
        nats, kneser_ney: what the words cost by each of them.
        wanted: weight of Kneser-Ney, or "auto" for the best one on the validation text.
    Returns:
        (the weight; what the words cost by the mixture)
    """
    weight = ngram_mixture.best_weight(nats["validation"], kneser_ney["validation"]) if wanted == "auto" else wanted
    return weight, {split: ngram_mixture.mix(nats[split], kneser_ney[split], weight) for split in nats}


def adaptive_costs(inputs: Inputs, settings: EvaluateSample) -> dict[str, Costs]:
    """Score the held-out splits with weights that adapt to the text, or with a cache of its latest words, if that is asked for."""
    if not (settings.dynamic_evaluation or settings.neural_cache):
        return {}
    from lstm_lm.evaluation import dynamic_evaluation, neural_cache
    from lstm_lm.export.weights import load_weights

    # The SavedModel provides neither gradients nor the softmax's input.
    model = load_weights("models/weights")
    costs: dict[str, Costs] = {}
    if options := settings.dynamic_evaluation:
        evaluation_messages.show_adaptive_scoring("dynamic_evaluation")
        costs["dynamic_evaluation"] = {
            split: dynamic_evaluation.score(model, documents, options.learning_rate, options.decay, options.segment)
            for split, documents in inputs.held_out_documents().items()
        }
    if cache := settings.neural_cache:
        evaluation_messages.show_adaptive_scoring("neural_cache")
        costs["neural_cache"] = {
            split: neural_cache.score(model, documents, cache.size, cache.theta, cache.weight)
            for split, documents in inputs.held_out_documents().items()
        }
    return costs


def gain_over_kneser_ney(text: ScoredText, costs: Sequence[np.ndarray], resampling: Resampling | None) -> Metrics:
    """Compute how much lower the model's loss is than that of Kneser-Ney, with an interval; nothing without resampling."""
    if resampling is None:
        return {}
    gain, low, high = bootstrap.loss_difference(text.nats, costs, resampling, bootstrap.block_words(text.characters))
    return {"gain_over_kneser_ney": gain, "gain_over_kneser_ney_low": low, "gain_over_kneser_ney_high": high}


def evaluate_generated_text(generator: "Generator", inputs: Inputs, seed: int) -> Metrics:
    """Compute the statistics of texts that the model generates, each from one word of the validation text."""
    reference = ReferenceTexts(inputs.documents("train"), inputs.documents("test"), len(inputs.characters.lengths))
    plan = plan_texts(reference, inputs.batches.ids["validation"])
    evaluation_messages.show_generating(len(plan.first_words), plan.words, inputs.unit)
    return generated_text_metrics(generator.continue_words, plan, reference, seed)


def sample_settings(settings: EvaluateSample) -> SampleSettings:
    """Return which samples the parameters ask for."""
    return SampleSettings(settings.prime_texts, settings.temperatures, settings.generation_options(temperature=0.0))


def sample(generator: "Generator", settings: SampleSettings, unit: str) -> list[Sample]:
    """Generate the samples, with notes about parameters that have no effect."""
    for prompt, known_words in zip(settings.prompts, generator.count_known_words(settings.prompts), strict=True):
        if not known_words:
            evaluation_messages.note_unknown_prompt(prompt, unit)
    if settings.options.stop_at_sentence_end and not sentence_end_ids(vocabulary.read_tokens(SAVED_MODEL / "assets/vocabulary.txt")):
        evaluation_messages.note_no_sentence_end(" ".join(SENTENCE_ENDS))
    return generate_samples(generator, settings)


def write_reports(metrics: dict[str, Metrics], samples: Sequence[Sample], settings: SampleSettings, unit: str) -> None:
    """Write reports/metrics.json, the summary of it for DVC, and reports/samples.md."""
    Path("reports").mkdir(exist_ok=True)
    for path, values in (("reports/metrics.json", metrics), ("reports/summary.json", metric_catalog.summarize(metrics))):
        Path(path).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    Path("reports/samples.md").write_text(samples_page(samples, settings, unit), encoding="utf-8")


def rounded(metrics: dict[str, Metrics]) -> dict[str, Metrics]:
    """Round metrics, so that they can be read, and leave out those that are not a number."""
    return {
        split: {name: round(value, DECIMALS) for name, value in of_split.items() if not math.isnan(value)}
        for split, of_split in metrics.items()
    }
