import copy
import functools
import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from conftest import PROJECT, make_tiny_model
from lstm_lm.config import loading
from lstm_lm.data import windows
from lstm_lm.data.dataset import Batches
from lstm_lm.events import Observer
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.model.dropout import Regularization
from lstm_lm.training.progress import Diverged, Stopped
from lstm_lm.training.step_functions import StepFunctions, compiled_rows
from lstm_lm.training.trainer import Trainer
from lstm_lm.training.training_config import Hooks, TrainingConfig
from plain import PlainModel, held_out

WORDS, CYCLE = 12, 5
DEFAULT = loading.load(PROJECT / "params.yaml")
NONE = Regularization()
SOME = Regularization(dropout_input=0.3, dropout_output=0.3, dropout_words=0.1, dropout_recurrent=0.1, activation=0.1, temporal=0.1)
# Settings of schema.Train that no traced graph depends on.
NOT_IN_GRAPHS = {
    *("epochs", "minutes", "learning_rate", "schedule", "warmup_steps", "optimizer", "patience", "short_windows", "validate_every"),
    "precision",
}


class Recorder(Observer):
    def __init__(self):
        self.rows, self.reported = [], []

    def row(self, row):
        self.rows.append(row)

    def samples(self, samples):
        self.reported.append(samples)


def batches(recipe="stream", held_out_shift=1):
    """Batches of a text that repeats 1 2 3 4 5, which is easy to learn. With another shift, the held-out text is unpredictable."""
    text = np.arange(600, dtype=np.int32) % CYCLE + 1
    train = windows.stream(text, 4) if recipe == "stream" else windows.cookbook(text, 4, 5)
    held = (np.arange(60, dtype=np.int32) * held_out_shift) % CYCLE + 1
    description, ids = held_out(["text"], [list("x" * 60)], [held])
    return Batches(recipe, 4, 5, WORDS, {}, "", train, {"validation": description, "test": description}, {"validation": ids, "test": ids})


def settings(**changes):
    """Settings of a short training run, with some values changed: (schema.Train, schema.Reporting)."""
    quick = {
        "state_reset": 0.0,
        "epochs": 4,
        "learning_rate": 0.02,
        "warmup_steps": 5,
        "status_every": 10,
        "sample_every": 25,
        "patience": None,
        "prime_texts": ["x"],
    }
    values = {**quick, **changes}
    sections = DEFAULT.train, DEFAULT.reporting
    assert all(any(key in type(section).model_fields for section in sections) for key in values)
    return tuple(
        section.model_copy(update={key: value for key, value in values.items() if key in type(section).model_fields})
        for section in sections
    )


@functools.cache
def cached_model(**shape):
    model = make_tiny_model(scale=0.1, **shape)
    return model, {name: variable.numpy() for name, variable in model.weights.items()}


def new_model(**shape):
    """The cached model of this shape, reset to its initial weights."""
    model, initial = cached_model(**shape)
    for name, variable in model.weights.items():
        variable.assign(initial[name])
    return model


@functools.cache
def cached_graphs(model, size, regularization, precision, in_graph, step_class):
    return {}


def make(model, data=None, sections=None, regularization=NONE, precision="float32", step_class=None, steps_per_call=None, **hooks):
    """Create a Trainer that reuses the graphs of an earlier one where they are the same: here, tracing takes longer than training."""
    data = data or batches()
    config = TrainingConfig(*(sections or settings()), regularization, precision, steps_per_call)
    trainer = Trainer(model, data, config, Hooks(**hooks))
    size = data.batch_size, data.sequence_length, data.vocabulary_size
    graphs = cached_graphs(model, size, regularization, precision, config.train.model_dump_json(exclude=NOT_IN_GRAPHS), step_class)
    if "functions" not in graphs:
        graphs["functions"] = trainer.functions if step_class is None else step_class(model, config, data)
    functions = trainer.functions = copy.copy(graphs["functions"])  # a test may replace its functions
    functions.optimizer.reset()
    for average, variable in zip(functions.averages, model.weights.values() if functions.averages else (), strict=True):
        average.assign(variable)
    return trainer


def train(model, data=None, sections=None, **more):
    recorder = Recorder()
    return make(model, data, sections, observers=[recorder], **more).run(), recorder


@pytest.mark.parametrize(("recipe", "precision"), [("stream", "float32"), pytest.param("cookbook", "bfloat16", marks=pytest.mark.slow)])
def test_training_learns_a_predictable_text(recipe, precision):
    _, recorder = train(new_model(), batches(recipe), settings(epochs=15), precision=precision)
    losses = [row.validation_loss for row in recorder.rows if row.validation_loss]
    assert recorder.rows[0].loss > 1.0
    assert losses[-1] < 0.3
    assert len(losses) == 15


@pytest.mark.slow
def test_equal_seeds_train_equal_weights_and_different_seeds_do_not():
    def weights(seed):
        model = new_model()
        train(model, sections=settings(seed=seed, state_reset=0.2), regularization=SOME)
        return {name: variable.numpy() for name, variable in model.weights.items()}

    first, second, other = weights(1), weights(1), weights(2)
    assert all((first[name] == second[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_history_has_a_row_at_every_status_and_epoch_with_correct_counts():
    result, recorder = train(new_model(), sections=settings(epochs=2))
    assert result.steps == 58  # (150 - 1) // 5 windows, twice
    assert [row.step for row in recorder.rows] == [10, 20, 29, 30, 40, 50, 58]
    assert [row.words_seen for row in recorder.rows] == [row.step * 20 for row in recorder.rows]
    assert [row.epoch for row in recorder.rows] == [1, 1, 1, 2, 2, 2, 2]
    assert [row.step for row in recorder.rows if row.validation_loss] == [29, 58]
    assert all(row.words_per_second > 0 and row.gradient_norm > 0 for row in recorder.rows)
    assert recorder.rows[2].validation_perplexity == pytest.approx(np.exp(recorder.rows[2].validation_loss))


def test_the_best_weights_are_kept_and_patience_stops_training():
    # The held-out text counts in steps of 2, so fitting the training text makes the validation loss worse.
    model = new_model()
    result, recorder = train(model, batches(held_out_shift=2), settings(epochs=30, patience=3))
    losses = [row.validation_loss for row in recorder.rows if row.validation_loss]
    best = int(np.argmin(losses))
    assert result.stopped_early
    assert len(losses) == best + 1 + 3 < 30
    assert (result.best_epoch, result.best_validation_loss) == (best + 1, losses[best])
    # The model has the best weights again.
    loss = make(model, batches(held_out_shift=2)).validation_loss()
    assert loss == pytest.approx(losses[best], rel=1e-6)


def test_validation_within_an_epoch_keeps_the_best_weights_too():
    model, data = new_model(), batches(held_out_shift=2)
    result, recorder = train(model, data, settings(epochs=3, validate_every=4))
    validated = {row.step: row.validation_loss for row in recorder.rows if row.validation_loss}
    assert list(validated) == sorted({*range(4, 88, 4), 29, 58, 87})
    assert [row.step for row in recorder.rows] == sorted({*validated, *range(10, 88, 10)})
    best = min(validated, key=validated.get)
    assert best % 29  # not at the end of an epoch
    assert (result.best_step, result.best_validation_loss) == (best, validated[best])
    assert make(model, data).validation_loss() == pytest.approx(validated[best], rel=1e-6)


@pytest.mark.slow
def test_averaged_weights_are_validated_and_kept_while_training_updates_the_raw_weights():
    changes = {"epochs": 1, "schedule": "constant"}
    model, steps = new_model(), []

    class Weights(Observer):
        def stepped(self, step):
            steps.append({name: variable.numpy() for name, variable in model.weights.items()})

    initial = {name: variable.numpy() for name, variable in model.weights.items()}
    make(model, sections=settings(**changes), observers=[Weights()], steps_per_call=1).run()
    make(new_model(), sections=settings(**changes, ema_decay=0.8)).run()
    for name, expected in initial.items():
        expected = expected.astype(np.float64)  # noqa: PLW2901
        for step, weights in enumerate(steps, 1):
            decay = min(0.8, (1 + step) / (10 + step))
            expected = decay * expected + (1 - decay) * weights[name]  # noqa: PLW2901
        np.testing.assert_allclose(model.weights[name], expected, rtol=1e-3, atol=1e-5)
        assert (model.weights[name].numpy() != steps[-1][name]).any()


@pytest.mark.slow
def test_short_windows_count_their_own_words_and_scale_down_the_learning_rate():
    sections = settings(epochs=2, short_windows=0.4, schedule="constant", warmup_steps=0, status_every=1)
    trainer = make(new_model(), sections=sections, observers=[recorder := Recorder()])
    rates = {}

    def spy(real):
        def call(ids, targets, state, first, step_rates):
            rates.setdefault(ids.shape[2], set()).update(np.asarray(step_rates).tolist())
            return real(ids, targets, state, first, step_rates)

        return call

    functions = trainer.functions
    functions.train_steps, functions.train_short_steps = spy(functions.train_steps), spy(functions.train_short_steps)
    result = trainer.run()
    assert {length: sorted(values) for length, values in rates.items()} == {5: [pytest.approx(0.02)], 2: [pytest.approx(0.02 * 2 / 5)]}
    lengths = [ids.shape[1] for epoch in (1, 2) for ids, _ in windows.epoch_windows(batches().train, "stream", 5, 1, epoch, 0.4)]
    assert result.steps == len(lengths)
    assert [row.words_seen for row in recorder.rows] == (4 * np.cumsum(lengths)).tolist()


def test_each_prime_text_has_a_greedy_and_a_random_sample():
    calls = []

    def generate(prompts, options):
        calls.append(options)
        return [f"{prompt} {options.temperature}" for prompt in prompts]

    result, recorder = train(new_model(), sections=settings(epochs=2, prime_texts=["a", "b"]), generate=generate)
    assert [reported[0].step for reported in recorder.reported] == [25, 50, result.best_step]
    assert [(s.prompt, s.temperature, s.text) for s in recorder.reported[0]] == [
        ("a", 0.0, "a 0.0"),
        ("b", 0.0, "b 0.0"),
        ("a", 0.8, "a 0.8"),
        ("b", 0.8, "b 0.8"),
    ]
    assert calls[0] == GenerationOptions(max_words=10, temperature=0.0, seed=1)
    # A step that ends an epoch and has the best weights is sampled only once.
    result, recorder = train(new_model(), sections=settings(epochs=2, sample_every=29), generate=generate)
    assert [reported[0].step for reported in recorder.reported] == sorted({29, 58, result.best_step})


def test_state_is_carried_within_an_epoch_and_reset_at_its_start():
    model = new_model()
    trainer = make(model, sections=settings(epochs=2), steps_per_call=1)
    real, states = trainer.functions.train_steps, []

    def spy(ids, targets, state, first, rates):
        *reported, after, steps_taken = real(ids, targets, state, first, rates)
        states.append((state.numpy(), after.numpy()))
        return *reported, after, steps_taken

    trainer.functions.train_steps = spy
    trainer.run()
    for i, (before, _) in enumerate(states):
        assert (before == (np.zeros_like(before) if i in (0, 29) else states[i - 1][1])).all()


def test_state_reset_zeroes_the_whole_state_of_random_rows(tiny_model):
    model = tiny_model(scale=0.1)
    trainer = Trainer(model, batches(), TrainingConfig(*settings(state_reset=0.5), NONE, "float32"))
    seen, real = [], model.training_loss
    model.training_loss = lambda ids, targets, state, *more: seen.append(state.numpy()) or real(ids, targets, state, *more)
    ids, targets = next(windows.stream_windows(batches().train, 5))
    ones = tf.ones(model.initial_state(4).shape)
    for step in range(1, 26):
        trainer.functions._train_step(tf.constant(ids), tf.constant(targets), ones, tf.constant(step), tf.constant(0.0))
    kept = np.array([state[0, 0, :, 0] for state in seen])  # [steps, batch]
    assert all((state == state[:1, :1, :, :1]).all() for state in seen)  # a row keeps all of its state or none of it
    assert set(np.unique(kept)) == {0, 1}
    assert 0.4 < kept.mean() < 0.6
    assert len(np.unique(kept, axis=0)) > 8  # each row is drawn independently


def test_gradients_are_clipped_by_their_global_norm(tiny_model):
    model = tiny_model(scale=0.1)
    sections = settings(clip_norm=1e-3, optimizer="adam", weight_decay=0.0)
    trainer = Trainer(model, batches(), TrainingConfig(*sections, NONE, "float32"))
    seen = []
    trainer.functions.optimizer.apply = lambda gradients, rate, step: seen.append(gradients)
    ids, targets = next(windows.stream_windows(batches().train, 5))
    _, norm, is_good, _ = trainer.functions._train_step(
        tf.constant(ids), tf.constant(targets), model.initial_state(4), tf.constant(1), tf.constant(0.1)
    )
    assert is_good
    assert float(norm) > 1e-3
    assert float(tf.linalg.global_norm(seen[0])) == pytest.approx(1e-3, rel=1e-4)


class StopAfter:
    """A stop request that is made after a number of steps. The trainer must take one step per call."""

    def __init__(self, steps):
        self.left = steps

    @property
    def reason(self):
        self.left -= 1
        return "stopped" if self.left < 0 else None


class MemoryCheckpoints:
    """Checkpoints in memory. Their facts pass through JSON, as on disk."""

    saved = None

    def is_due(self):
        return False

    def save(self, arrays, facts):
        self.saved = {name: np.array(value) for name, value in arrays.items()}, json.loads(json.dumps(facts))


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "precision"), [("stream", "bfloat16"), ("cookbook", "float32")])
def test_stopped_training_resumes_bit_for_bit(recipe, precision):
    def generate(prompts, options):
        return [f"{prompt} {model.weights['embedding'].numpy().sum()}" for prompt in prompts]

    def trainer(recorder, stop=None):
        nonlocal model
        model = new_model()
        short_windows = 0.3 if recipe == "stream" else 0.0
        sections = settings(epochs=3, state_reset=0.2, patience=2, ema_decay=0.9, validate_every=8, short_windows=short_windows)
        # Interrupted runs take single steps. The last run and the uninterrupted one take several per call.
        more = {"generate": generate, "observers": [recorder], "checkpoints": MemoryCheckpoints(), "stop_request": stop}
        return make(model, batches(recipe), sections, SOME, precision, steps_per_call=1 if stop else None, **more)

    model = None
    uninterrupted = Recorder()
    result = trainer(uninterrupted).run()
    expected = {name: variable.numpy() for name, variable in model.weights.items()}
    epoch = next(row.step for row in uninterrupted.rows if row.epoch == 2) - 1
    # Stop at the very end of an epoch, then twice: within the first epoch and within a later one.
    for stops in ([epoch], [7, epoch + 4]):
        recorder, saved = Recorder(), None
        for steps in stops:
            part = trainer(recorder, StopAfter(steps - 1))
            if saved:
                part.restore(*saved)
            with pytest.raises(Stopped) as stopped:
                part.run()
            saved = part.hooks.checkpoints.saved
            assert stopped.value.step == saved[1]["step"]
        assert saved[1]["step"] == sum(stops)
        last = trainer(recorder)
        last.restore(*saved)
        resumed = last.run()
        assert (resumed.steps, resumed.best_step, resumed.best_validation_loss) == (
            result.steps,
            result.best_step,
            result.best_validation_loss,
        )
        for name, variable in model.weights.items():
            assert (variable.numpy() == expected[name]).all(), name
        without_speed = [[replace(row, words_per_second=0) for row in rows] for rows in (recorder.rows, uninterrupted.rows)]
        assert without_speed[0] == without_speed[1]
        assert recorder.reported == uninterrupted.reported


def test_observers_receive_the_earlier_rows_and_samples_on_resume():
    class Listener(Recorder):
        def resumed(self, step, rows, samples):
            self.before = step, rows, samples

    first, listener = Recorder(), Listener()
    part = make(new_model(), observers=[first], checkpoints=MemoryCheckpoints(), stop_request=StopAfter(24), steps_per_call=1)
    with pytest.raises(Stopped):
        part.run()
    rest = make(new_model(), observers=[listener], checkpoints=MemoryCheckpoints())
    rest.restore(*part.hooks.checkpoints.saved)
    rest.run()
    assert listener.before == (25, first.rows, [])
    assert [row.step for row in first.rows + listener.rows][:3] == [10, 20, 29]


def test_a_checkpoint_cannot_be_resumed_in_another_precision():
    part = make(new_model(), checkpoints=MemoryCheckpoints(), stop_request=StopAfter(3), steps_per_call=1)
    with pytest.raises(Stopped):
        part.run()
    other = make(new_model(), precision="bfloat16")
    with pytest.raises(ValueError, match="float32 cannot be resumed in bfloat16"):
        other.restore(*part.hooks.checkpoints.saved)


@pytest.mark.parametrize(("broken", "value"), [("softmax_bias", np.nan), ("embedding", np.inf)])
def test_a_non_finite_step_stops_training_and_restores_good_weights(broken, value):
    model = new_model()
    trainer = make(model, steps_per_call=1)
    real = trainer.functions.train_steps

    def sabotage(ids, targets, state, first, rates):
        if int(first) == 12:
            variable = model.weights[broken]
            variable.assign(tf.fill(variable.shape, tf.constant(value, tf.float32)))
        return real(ids, targets, state, first, rates)

    trainer.functions.train_steps = sabotage
    with pytest.raises(Diverged) as diverged:
        trainer.run()
    assert (diverged.value.step, diverged.value.epoch, diverged.value.kept_step) == (12, 1, 10)
    kept = {name: variable.numpy() for name, variable in model.weights.items()}
    # The weights are those of the last row of the history.
    with pytest.raises(Stopped):
        make(new_model(), stop_request=StopAfter(9), steps_per_call=1).run()
    for name, variable in model.weights.items():
        assert (variable.numpy() == kept[name]).all(), name


def test_a_rejected_step_leaves_the_weights_unchanged():
    model = new_model()
    trainer = make(model, sections=settings(max_loss=1.0))
    before = {name: variable.numpy() for name, variable in model.weights.items()}
    ids, targets = next(windows.stream_windows(batches().train, 5))
    loss, _, is_good, _ = trainer.functions.train_step(ids, targets, model.initial_state(4), tf.constant(1), tf.constant(0.1))
    assert float(loss) > 1.0
    assert not is_good
    assert all((variable.numpy() == before[name]).all() for name, variable in model.weights.items())
    trainer = make(model)
    trainer.functions.train_step(ids, targets, model.initial_state(4), tf.constant(1), tf.constant(0.1))
    assert any((variable.numpy() != before[name]).any() for name, variable in model.weights.items())


def test_a_non_finite_validation_loss_is_a_divergence():
    trainer = make(new_model())
    trainer.validation_loss = lambda: float("nan")
    with pytest.raises(Diverged) as diverged:
        trainer.run()
    assert (diverged.value.step, diverged.value.kept_step) == (29, 20)


def test_a_loss_above_max_loss_is_a_divergence():
    model = new_model()
    before = {name: variable.numpy() for name, variable in model.weights.items()}
    with pytest.raises(Diverged) as diverged:
        make(model, sections=settings(max_loss=1.0)).run()
    assert diverged.value.step == 1
    assert diverged.value.loss == pytest.approx(np.log(WORDS), rel=0.1)
    assert all((variable.numpy() == before[name]).all() for name, variable in model.weights.items())


def test_the_best_weights_are_kept_when_training_diverges_later():
    model = new_model()
    trainer = make(model)
    real = trainer.functions.train_steps

    def explode(ids, targets, state, first, rates):
        steps = first + tf.range(len(rates))
        return real(ids, targets, state, first, tf.where(steps == 35, np.nan, rates))  # all weights are NaN after this step

    trainer.functions.train_steps = explode
    with pytest.raises(Diverged) as diverged:
        trainer.run()
    assert trainer.progress.best.step == diverged.value.kept_step == 29
    assert trainer.validation_loss() == trainer.progress.best.loss


def test_the_test_split_is_never_read():
    data = batches()
    spoiled = replace(
        data, ids={"validation": data.ids["validation"], "test": None}, held_out={"validation": data.held_out["validation"], "test": None}
    )
    train(new_model(), spoiled)


@pytest.mark.slow
def test_several_steps_per_call_equal_single_steps():
    def outcome(steps_per_call):
        model, recorder = new_model(), Recorder()
        sections = settings(epochs=2, state_reset=0.2, short_windows=0.3)
        make(model, sections=sections, regularization=SOME, observers=[recorder], steps_per_call=steps_per_call).run()
        rows = [replace(row, words_per_second=0) for row in recorder.rows]
        return {name: variable.numpy() for name, variable in model.weights.items()}, rows

    single = outcome(1)
    for steps_per_call in (2, 7, 32):
        several = outcome(steps_per_call)
        assert all((single[0][name] == several[0][name]).all() for name in single[0])
        assert single[1] == several[1]


def test_a_call_of_several_steps_stops_at_a_rejected_step():
    model = new_model()
    trainer = make(model)
    first_windows = list(windows.stream_windows(batches().train, 5))[:4]
    ids, targets = (np.stack(part) for part in zip(*first_windows, strict=True))
    rates = [0.01, 0.01, np.nan, 0.01]  # all weights are NaN after the third step
    arguments = ids, targets, model.initial_state(4), tf.constant(1), tf.constant(rates, tf.float32)
    losses, _, is_good, _, steps_taken = trainer.functions.train_steps(*arguments)
    assert int(steps_taken) == 4
    assert not is_good
    assert np.isfinite(losses[:3]).all()
    assert np.isnan(losses[3])
    *_, steps_taken = trainer.functions.train_steps(*arguments)
    assert int(steps_taken) == 1


class PlainStep(StepFunctions):
    """Train with TensorFlow's own loss and gradients on the inference path: no chunks, no unrolled LSTM, no fused Adam."""

    def _train_step(self, ids, targets, state, step, rate):
        variables = list(self.model.weights.values())
        with tf.GradientTape() as tape:
            logits, state = self.model(ids, state)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)]
        gradients, norm = tf.clip_by_global_norm(gradients, self.config.train.clip_norm)
        t = tf.cast(step, tf.float32)
        for variable, gradient, m, v in zip(variables, gradients, self.optimizer.m, self.optimizer.v, strict=True):
            m.assign(0.9 * m + 0.1 * gradient)
            v.assign(0.999 * v + 0.001 * gradient**2)
            variable.assign_sub(rate * (m / (1 - 0.9**t)) / (tf.sqrt(v / (1 - 0.999**t)) + 1e-8 / tf.sqrt(1 - 0.999**t)))
        return loss, norm, True, state


def zipf_text(words=4000):
    """Ids that are partly predictable: frequencies follow Zipf's law, and every third id is determined by the one before it."""
    ids = np.random.default_rng(0).zipf(1.3, words) % WORDS
    ids[2::3] = (ids[1 : len(ids[2::3]) * 3 : 3] * 5 + 1) % WORDS
    return ids.astype(np.int32)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-4), ("bfloat16", 0.03)])
def test_fast_and_plain_training_have_the_same_loss_curve_over_200_steps(precision, tolerance):
    ids = zipf_text()
    description, held = held_out(["x"], [list("x" * 30)], [ids[:30]])
    data = Batches(
        "stream",
        4,
        5,
        WORDS,
        {},
        "",
        windows.stream(ids, 4),
        {"validation": description, "test": description},
        {"validation": held, "test": held},
    )
    sections = settings(epochs=1, status_every=1, optimizer="adam", weight_decay=0.0, schedule="constant", learning_rate=0.005)

    def curve(step_class, precision):
        recorder = Recorder()
        make(new_model(), data, sections, precision=precision, step_class=step_class, observers=[recorder]).run()
        return np.array([row.loss for row in recorder.rows])

    fast, slow = curve(None, precision), curve(PlainStep, "float32")
    assert len(fast) == len(slow) == 199
    assert slow[-20:].mean() < slow[:20].mean() - 0.1  # the loss falls, so the comparison means something
    np.testing.assert_allclose(fast, slow, rtol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("softmax", ["sampled", "adaptive"])
def test_softmaxes_for_large_vocabularies_learn_and_are_scored_exactly(softmax):
    model = new_model(projection_size=None, tie_weights=False, adaptive_cutoffs=(4, 8) if softmax == "adaptive" else ())
    sections = settings(epochs=15, sampled_words=30 if softmax == "sampled" else None)
    trainer = make(model, sections=sections, observers=[recorder := Recorder()])
    assert trainer.functions.lazy
    trainer.run()
    losses = [row.validation_loss for row in recorder.rows if row.validation_loss]
    assert losses[-1] < 0.3
    exact = PlainModel.from_model(model).nats(np.asarray(batches().ids["validation"])).mean()
    assert trainer.validation_loss() == pytest.approx(exact, rel=1e-4)


@pytest.mark.slow
def test_a_step_updates_only_the_rows_that_it_uses():
    model = new_model(vocabulary_size=4000, tie_weights=False, projection_size=None)
    data = replace(batches(), vocabulary_size=4000)
    trainer = make(model, data, settings(sampled_words=20))
    before = model.softmax.numpy(), model.embedding.numpy()
    ids, targets = next(windows.stream_windows(data.train, 5))
    trainer.functions.train_step(ids, targets, model.initial_state(4), tf.constant(1), tf.constant(0.1))
    changed = [(variable.numpy() != old).any(axis=1) for variable, old in zip((model.softmax, model.embedding), before, strict=True)]
    assert 5 <= changed[0].sum() <= 25
    assert changed[1].sum() == CYCLE


def test_reading_a_long_memory_mapped_text_uses_little_memory(tiny_model, tmp_path):
    import psutil

    words = 2**26  # 256 MiB
    np.lib.format.open_memmap(tmp_path / "train.npy", "w+", np.int32, (4, words // 4))
    data = replace(batches(), train=np.load(tmp_path / "train.npy", mmap_mode="r"), sequence_length=2**14)
    config = TrainingConfig(*settings(status_every=10_000, sample_every=10_000), NONE, "float32", steps_per_call=8)
    trainer = Trainer(tiny_model(), data, config)
    before, peak = psutil.Process().memory_info().rss, 0
    for _ in trainer._calls(1, 0, 0):
        peak = max(peak, psutil.Process().memory_info().rss - before)
    assert peak < 160 * 2**20


@pytest.mark.parametrize(
    "shape",
    [
        {"layers": 2},
        {"mogrifier_rounds": 3, "mogrifier_rank": 2, "members": 2},
        {"adaptive_cutoffs": (4,), "tie_weights": False, "projection_size": None},
    ],
)
def test_few_rows_of_long_documents_are_compiled_and_score_as_many_do(shape, monkeypatch):
    model = make_tiny_model(**shape)
    for compiled in (set(), {1, 4}):
        monkeypatch.setattr("lstm_lm.training.step_functions.compiled_rows", lambda lengths, rows=compiled: rows)
        functions = StepFunctions(model, make(model).config, batches())
        ids, targets = np.random.default_rng(1).integers(1, WORDS, [2, 6, 8], dtype=np.int32)
        together, last = functions.score(ids, targets, model.initial_state(6))
        for rows in (1, 4):
            nats, state = functions.score(ids[:rows], targets[:rows], model.initial_state(rows))
            np.testing.assert_allclose(nats, together[:rows], rtol=1e-5)
            np.testing.assert_allclose(state, last[:, :, :rows], rtol=1e-4, atol=1e-6)
        assert functions._score_few_rows.experimental_get_tracing_count() == bool(compiled)


@pytest.mark.parametrize(
    ("lengths", "rows"),
    [
        ([4_999], set()),
        ([5_000], {1}),
        ([20_000, 26_000], {1, 2}),
        ([20_000, 24_000], {2}),
        ([9_000] * 5, set()),  # five rows to the end
        ([9_000] * 64 + [3_000, 3_000, 2_000], set()),
        ([9_000] * 66, {2}),  # the last two are read after the first 64
    ],
)
def test_a_number_of_rows_is_compiled_if_it_scores_many_words(lengths, rows):
    assert compiled_rows(lengths) == rows
