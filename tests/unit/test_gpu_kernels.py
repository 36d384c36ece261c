"""Without a GPU: TensorFlow has a GPU kernel for all that a training computes, in the types in which it does."""

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from conftest import PROJECT
from lstm_lm.config import keys, loading
from lstm_lm.data.dataset import Batches, Document, HeldOut
from lstm_lm.training import setup
from lstm_lm.training.step_functions import StepFunctions
from lstm_lm.training.training_config import Hooks

pytestmark = pytest.mark.skipif(not tf.test.is_built_with_cuda(), reason="TensorFlow for this system has no GPU kernels")

SMALL = {
    "batching.batch_size": 2,
    "batching.sequence_length": 3,
    "model.embedding_size": 8,
    "model.projection_size": 8,
    "model.hidden_size": 8,
}
EVERYTHING = {
    "model.mogrifier_rounds": 2,
    "model.ensemble_size": 2,
    "model.dropout_words": 0.1,
    "model.dropout_recurrent": 0.1,
    "train.ema_decay": 0.9,
    "train.activation_regularization": 1.0,
    "train.temporal_regularization": 1.0,
}


@functools.cache
def gpu_kernels(op: str) -> list[Any]:
    """Those for GPUs, and for any device: what only moves data, or computes on the CPU what belongs there."""
    return [kernel for kernel in kernels.get_registered_kernels_for_op(op).kernel if kernel.device_type in ("GPU", "DEFAULT")]


def accepts(kernel: Any, node: Any) -> bool:
    """Whether a kernel computes in the types of a node."""
    by_type = [(node.attr[each.name].type, each.allowed_values.list.type) for each in kernel.constraint]
    return all(not allowed or of_node in allowed for of_node, allowed in by_type)


def ops_without_kernel(functions: StepFunctions) -> set[tuple[str, ...]]:
    """Return the operations of the training and scoring graphs that only the CPU can compute, each with its types."""
    missing = set()
    for function in (functions.train_steps, functions._score_rows):
        graph = function.get_concrete_function().graph.as_graph_def()
        names = {each.signature.name for each in graph.library.function}
        for nodes in (graph.node, *(each.node_def for each in graph.library.function)):
            for node in nodes:
                if node.op not in names and not any(accepts(kernel, node) for kernel in gpu_kernels(node.op)):
                    types = (tf.as_dtype(value.type).name for value in node.attr.values() if value.WhichOneof("value") == "type")
                    missing.add((node.op, *types))
    return missing


def functions_of(changes: dict[str, object], vocabulary: int) -> StepFunctions:
    settings = loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), {**SMALL, **changes}))
    batching = settings.batching
    ids = np.zeros([batching.batch_size, 2 * batching.sequence_length + 1], np.int32)
    held_out = HeldOut(documents=[Document("a", 0, 3)], scored_words=2, unknown_words=0, unknown_types=0, characters=9)
    splits = {"validation": held_out, "test": held_out}, {"validation": ids[0, :3], "test": ids[0, :3]}
    batches = Batches("stream", batching.batch_size, batching.sequence_length, vocabulary, {}, "", ids, *splits)
    model = setup.build_model(settings, np.ones(vocabulary, int))
    return setup.build_trainer(settings, "bfloat16", batches, model, Hooks()).functions


@pytest.mark.parametrize(
    ("changes", "vocabulary"),
    [
        (EVERYTHING, 50),
        ({}, 20_000),  # so large that the softmax is tiled
        ({"train.sampled_words": 20}, 50),
        ({"model.adaptive_cutoffs": [10, 30], "model.tie_weights": False}, 50),
    ],
    ids=["everything", "tiled", "sampled", "adaptive"],
)
def test_all_of_a_training_can_be_computed_on_a_gpu(changes: dict[str, object], vocabulary: int) -> None:
    # The text of an assertion of TensorFlow's own.
    assert ops_without_kernel(functions_of(changes, vocabulary)) <= {("Const", "string")}


def test_an_operation_for_the_cpu_only_is_found() -> None:
    graph = tf.function(tf.strings.length).get_concrete_function(tf.TensorSpec([], tf.string)).graph
    node = next(each for each in graph.as_graph_def().node if each.op == "StringLength")
    assert not any(accepts(kernel, node) for kernel in gpu_kernels(node.op))
