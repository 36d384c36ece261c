"""Limits that keep the code readable. ruff limits branches, arguments and statements. These tests limit lines."""

import ast

import pytest

from conftest import PROJECT

MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 60
MAX_STAGE_LINES = 40
STAGES = ("download", "vocab", "batching", "train", "evaluate_sample")
MODULES = [path for folder in ("src", "benchmarks", "scripts") for path in sorted((PROJECT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_modules_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_thin_script(stage):
    assert (PROJECT / f"src/{stage}.py").read_text(encoding="utf-8").count("\n") <= MAX_STAGE_LINES
