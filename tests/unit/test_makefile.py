"""The Makefile: which values reach the commands, shown by programs that print their arguments in place of Python."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from conftest import PROJECT

# What a shell or CI may export: zsh's prompt, a web service's port.
EXPORTED = {
    "PROMPT": "%n@%m %~ %# ",
    "PORT": "8080",
    "FILE": "/etc/passwd",
    "PRESET": "best",
    "SEEDS": "9",
    "SIZE": "9",
    "ONLY": "x",
    "TRIALS": "8",
    "MINUTES": "1",
    "OPTIONS": "--nonsense",
    "SECTIONS": "nonsense",
    "UPGRADE": "1",
    "VENV": "/nonexistent",
    "PYTHON": "/nonexistent",
    "STAGE": "nonsense",
    "MODEL": "nonsense",
    "COMPARE": "nonsense",
    "WORKERS": "9",
    "EXPERIMENTS": "nonsense",
    "LOG_PROMPTS": "nonsense",
    "FOLDER": "nonsense",
}


@pytest.fixture
def environment_folder(tmp_path: Path) -> Path:
    """An environment whose python prints its arguments, one a line, and the variables that could lead it astray."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nenv | grep -E "^(GIT_|DVC_(EXP|ROOT|STAGE)|PYTHON(PATH|SAFEPATH))" | sort\n')
    python.chmod(0o755)
    return python.parent.parent


def make(folder: Path, *arguments: str, **variables: str) -> list[str]:
    """Run make with that environment and without its set-up: the lines printed."""
    command = ["make", "--silent", f"VENV={folder}", "--old-file=setup", "--old-file=setup-docs", *arguments]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("target", "printed"),
    [
        ("sample", ["sample"]),
        ("score", ["score", "-"]),
        ("next", ["next"]),
        ("ui", ["ui"]),
        ("tensorboard", ["tensorboard"]),
        ("serve", ["serve"]),
        ("drift", ["drift", "prompts"]),
        ("search", ["search"]),
        ("ablation", ["ablation"]),
        ("presets", ["presets"]),
        ("experiment", ["experiment", "cookbook"]),
        ("ensemble", ["ensemble"]),
        ("plots", ["plots"]),
    ],
)
def test_a_variable_that_the_shell_exports_is_no_option(environment_folder: Path, target: str, printed: list[str]) -> None:
    assert make(environment_folder, target, **EXPORTED) == ["src/cli.py", *printed]


def test_the_server_gets_all_its_options(environment_folder: Path) -> None:
    given = ["PORT=5002", "MODEL=models:/lstm_lm@champion", "COMPARE=my folder", "WORKERS=2", "LOG_PROMPTS=my prompts"]
    expected = ["--port", "5002", "--model", "models:/lstm_lm@champion", "--compare", "my folder", "--workers", "2"]
    expected += ["--log-prompts", "my prompts"]
    assert make(environment_folder, "serve", *given) == ["src/cli.py", "serve", *expected]


def test_an_ensemble_gets_all_its_options(environment_folder: Path) -> None:
    assert make(environment_folder, "ensemble", "SIZE=4", "PRESET=ptb-best") == [
        *["src/cli.py", "ensemble", "--size", "4"],
        *["--preset", "ptb-best"],
    ]
    assert make(environment_folder, "ensemble", "SEEDS=4 5 6") == ["src/cli.py", "ensemble", "--seeds", "4 5 6"]


def test_the_site_is_served_on_this_machine_only(environment_folder: Path) -> None:
    expected = ["-m", "mkdocs", "serve", "--strict", "--dev-addr"]
    assert make(environment_folder, "site-serve", **EXPORTED) == [*expected, "127.0.0.1:8000"]
    assert make(environment_folder, "site-serve", "PORT=8001") == [*expected, "127.0.0.1:8001"]


def test_an_exported_venv_or_python_does_not_change_the_environment() -> None:
    command = ["make", "--dry-run", "setup"]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, **EXPORTED}, capture_output=True, text=True, check=True)
    assert 'sh scripts/setup.sh ".venv" ""' in done.stdout
    done = subprocess.run([*command, "VENV=my env", "PYTHON=python3.12"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert 'sh scripts/setup.sh "my env" "python3.12"' in done.stdout
    done = subprocess.run([*command, "EXTRAS=cuda"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert 'sh scripts/setup.sh ".venv" "" "$EXTRAS"' in done.stdout


@pytest.mark.parametrize("value", ["two words", 'it\'s "quoted"', "`date` $(date)", "a;b|c & *", "", "ünï", "-x"])
def test_a_value_given_to_make_arrives_as_it_is(environment_folder: Path, value: str) -> None:
    assert make(environment_folder, "sample", f"PROMPT={value.replace('$', '$$')}") == ["src/cli.py", "sample", "--", value]
    if value:
        escaped = value.replace("$", "$$")
        assert make(environment_folder, "score", f"FILE={escaped}", **EXPORTED) == ["src/cli.py", "score", value]
        assert make(environment_folder, "ablation", f"ONLY={escaped}", "SEEDS=1 2") == [
            *["src/cli.py", "ablation", "--only", value],
            *["--seeds", "1 2"],
        ]


def test_options_are_words_of_the_shell(environment_folder: Path) -> None:
    printed = make(environment_folder, "sample", "OPTIONS=--stop 'two words' --samples 3", "PROMPT=to be")
    assert printed == ["src/cli.py", "sample", "--stop", "two words", "--samples", "3", "--", "to be"]
    assert make(environment_folder, "next", "OPTIONS=--k 3", "PROMPT=to be") == ["src/cli.py", "next", "--k", "3", "--", "to be"]
    assert make(environment_folder, "score", "OPTIONS=--words", "FILE=a b") == ["src/cli.py", "score", "--words", "a b"]


def test_what_is_left_of_stopped_trainings_is_removed_by_its_key(environment_folder: Path) -> None:
    assert make(environment_folder, "clean-scratch", KEY="0") == ["src/cli.py", "clean-scratch"]
    assert make(environment_folder, "clean-scratch", "KEY=a1", "YES=1") == ["src/cli.py", "clean-scratch", "--yes", "--", "a1"]


def test_the_tables_of_compare_are_printed_for_a_document(environment_folder: Path) -> None:
    assert make(environment_folder, "compare", OPTIONS="--nonsense") == ["src/cli.py", "compare"]
    assert make(environment_folder, "compare", "OPTIONS=--markdown") == ["src/cli.py", "compare", "--markdown"]


def test_messages_name_make_where_it_has_a_target_for_the_command() -> None:
    """Whoever has only used make has no activated environment, in which alone `python src/cli.py` works."""
    makefile = (PROJECT / "Makefile").read_text()
    targets = {*re.findall(r"^\t@python src/cli.py ([a-z-]+)", makefile, re.MULTILINE), "dvc"}
    reference = PROJECT / "src/lstm_lm/commands/reference"  # pages about the command line itself
    found = []
    for path in sorted((PROJECT / "src/lstm_lm").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
        for text in map(str, texts):
            commands = [*re.findall(r"python src/cli\.py ([a-z-]+)", text), *re.findall(r"(?:run:|the next) (dvc) repro(?! --)", text)]
            found += [f"{path.name}: {text}" for command in commands if command in targets and reference not in path.parents]
    assert {"models", "promote", "score"} <= targets
    assert found == []


def test_variables_of_other_pythons_repositories_and_experiments_do_not_reach_the_commands(environment_folder: Path) -> None:
    left_over = {"PYTHONPATH": "/x", "PYTHONSAFEPATH": "1", "GIT_DIR": "/x/.git", "GIT_INDEX_FILE": "/x/index", "GIT_WORK_TREE": "/x"}
    left_over |= {"DVC_EXP_NAME": "x", "DVC_ROOT": "/x", "DVC_STAGE": "x", "DVC_EXP_BASELINE_REV": "x"}
    assert make(environment_folder, "docs", **left_over) == ["src/cli.py", "docs"]


def test_help_lists_every_target_once_by_group_in_80_columns() -> None:
    printed = subprocess.run(["make", "--silent", "help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    groups = [line.split(" (")[0] for line in lines if line and not line.startswith(" ")]
    assert groups == ["The pipeline", "Experiments", "Results", "Models and serving", "Development"]
    listed = [line.split()[1] for line in lines if line.startswith("  make ")]
    makefile = (PROJECT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    helpers = {"repository", "setup-docs"}  # that other targets need
    assert sorted(listed) == sorted(set(phony) - helpers)
    assert sorted(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE)) == sorted(phony)


@pytest.mark.parametrize("name", ["Makefile", "scripts/setup.sh", "scripts/check_repository.sh"])
def test_files_have_newlines_that_sh_and_make_understand(name: str) -> None:
    assert b"\r" not in (PROJECT / name).read_bytes()
