"""The places in which people really have a project: the commands that they type, in each of them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conftest import COMMIT, PROJECT, TINY, change_params, copy_project, environment, move_copy, run, write_corpus

# Run in a project: an experiment up to the vocabulary. Prints whether it existed, its documents, and its prompts.
EXPERIMENT = """\
import json
from lstm_lm.config import loading
from lstm_lm.experiments import runner
done, existed = runner.run({"vocab.min_count": 3}, "few", ["vocab"])
documents = [each["name"] for each in json.loads(done.read("data/raw/source.json"))["files"]]
params = loading.parse(runner._git("show", f"{done.rev}:./params.yaml"), "params.yaml")
print(json.dumps([existed, done.name, documents, params["reporting"]["prime_texts"]]))
"""


def use_environment(project: Path) -> None:
    """Make the packages that run the tests the environment of a project, in the eyes of scripts/setup.sh."""
    program = project / ".venv/bin/python"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    shutil.copy(PROJECT / "requirements.lock", project / ".venv/requirements.lock")
    (project / ".dvc/plots.html").touch()


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(["make", "--no-print-directory", *arguments], folder, check=False, **variables)


def experiment(project: Path) -> tuple[bool, str, list[str], list[str]]:
    existed, name, documents, prompts = json.loads(run(["python", "-c", EXPERIMENT], project, PYTHONPATH="src").stdout.splitlines()[-1])
    return existed, name, documents, prompts


@pytest.mark.slow
def test_an_experiment_of_a_project_in_a_subfolder_has_what_the_checkout_has(tmp_path: Path) -> None:
    """The folder has a name that shells, addresses and DVC's own files find hard; its text and a module are unknown to Git."""
    repository = tmp_path / "my wörk's 100% [1] & $x"
    project = repository / "ml/lm"
    copy_project(project)
    shutil.rmtree(project / ".git")
    write_corpus(project / "data/own")
    prompts = ["cost ${train.seed}", "a"]
    change_params(project, {**TINY, "reporting.prime_texts": prompts})
    with (project / "src/vocab.py").open("a") as script:
        script.write("\nimport lstm_lm.extra\n")
    run(["git", "init", "-q"], repository)
    (repository / ".git/info/exclude").write_text("part-0*.txt\nmore/\n")
    run(["git", "add", "--all"], repository)
    run([*COMMIT, "first"], repository)
    (project / "src/lstm_lm/extra.py").touch()
    (project / "data/own/more").mkdir()
    (project / "data/own/more/ignored.txt").write_text("the king and the queen of england\n" * 50)

    existed, name, documents, kept = experiment(project)
    assert (existed, name, kept) == (False, "few", prompts)
    assert len(documents) == 21
    assert "more/ignored.txt" in " ".join(documents) or "more--ignored.txt" in " ".join(documents)
    assert experiment(project)[:2] == (True, "few")
    (project / "data/own/part-00.txt").write_text("another text that git ignores\n" * 50)
    assert experiment(project)[:2] == (False, "few-2")

    run(["git", "worktree", "add", "-q", "--detach", tmp_path / "tree"], repository)
    (tmp_path / "tree/ml/lm/src/lstm_lm/extra.py").touch()
    existed, name, documents, _ = experiment(tmp_path / "tree/ml/lm")
    assert (existed, name, len(documents)) == (False, "few-3", 10)


@pytest.mark.slow
def test_a_downloaded_copy_without_git_runs_the_pipeline(tmp_path: Path) -> None:
    project = tmp_path / "unzipped"
    copy_project(tmp_path / "source")
    run(["git", "archive", "--format=zip", "--output", tmp_path / "project.zip", "HEAD"], tmp_path / "source")
    shutil.unpack_archive(tmp_path / "project.zip", project)
    write_corpus(project / "data/own")
    change_params(project, TINY)
    ceiling = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}

    done = make(project, "experiment", **ceiling)  # without an environment: said before the set-up
    assert done.returncode == 2
    assert done.stdout.startswith(
        "error: experiments need a Git repository with a commit, and this folder is in none: "
        "for a downloaded copy, run first: git init && git add --all && git commit -m first\n"
    )
    use_environment(project)
    assert "the pipeline runs without, but experiments (make experiment) need one\n" in make(project, "setup", **ceiling).stdout
    assert make(project, "setup", **ceiling).stdout == ""
    run(["python", "-m", "dvc", "repro", "vocab"], project, **ceiling)
    assert (project / "data/vocab/vocab.csv").exists()

    run(["git", "init", "-q"], project)
    done = make(project, "compare")
    assert done.stdout.startswith(
        "error: experiments need a Git repository with a commit, and this one has no commit yet: run first: git add"
    )
    run(["git", "add", "--all"], project)
    run([*COMMIT, "first"], project)
    assert "No experiments are based on the last commit yet" in make(project, "compare").stdout


@pytest.mark.slow
def test_a_checkout_with_windows_newlines_is_named_and_converted(tmp_path: Path) -> None:
    source = copy_project(tmp_path / "source")
    checkout = tmp_path / "a checkout"
    run(["git", "-c", "core.autocrlf=true", "clone", "-q", source, checkout], tmp_path)
    texts = [path for path in checkout.rglob("*") if path.is_file() and ".git" not in path.parts and b"\0" not in path.read_bytes()]
    assert not any(b"\r\n" in path.read_bytes() for path in texts)  # as .gitattributes says
    use_environment(checkout)
    for path in texts:  # a ZIP made on Windows
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    done = make(checkout, "repro")
    assert done.returncode == 2
    assert done.stdout.startswith("error: the files here have Windows newlines (CRLF): convert them with: make newlines\n")
    assert make(checkout, "newlines").returncode == 0
    assert run(["git", "status", "--porcelain"], checkout).stdout == ""
    assert make(checkout, "setup").returncode == 0


def test_a_shallow_clone_is_named_before_the_setup(tmp_path: Path) -> None:
    run(["git", "init", "-q", "source"], tmp_path)
    for name in ("Makefile", "scripts/setup.sh", "scripts/check_repository.sh"):
        (tmp_path / "source" / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / "source" / name)
    for message in ("first", "second"):
        run(["git", "add", "--all"], tmp_path / "source")
        run([*COMMIT, message, "--allow-empty"], tmp_path / "source")
    run(["git", "clone", "-q", "--depth", "1", f"file://{tmp_path / 'source'}", "shallow"], tmp_path)
    done = make(tmp_path / "shallow", "experiment")
    assert done.stdout.startswith(
        "error: experiments need the whole history, and this is a shallow clone: run first: git fetch --unshallow\n"
    )
    assert not (tmp_path / "shallow/.venv").exists()


@pytest.mark.parametrize("name", ["renamed", "it's a new 'plàce'"])
def test_an_environment_that_moved_with_its_project_runs_its_own_programs(tmp_path: Path, name: str) -> None:
    old, new = tmp_path / "old", tmp_path / name
    (old / ".dvc").mkdir(parents=True)
    (old / ".dvc/plots.html").touch()
    (old / "requirements.lock").touch()
    shutil.copytree(PROJECT / "scripts", old / "scripts")
    run(["git", "init", "-q"], old)
    run([sys.executable, "-m", "venv", "--without-pip", ".venv"], old)
    (old / ".venv/made-by-make").touch()
    (old / ".venv/requirements.lock").touch()
    code = "import sys\nprint(sys.prefix, sys.argv[1:])\n"
    for program, head in {
        "by-pip": f"#!{old}/.venv/bin/python\n",
        "by-uv": f"#!/bin/sh\n'''exec' '{old}/.venv/bin/python' \"$0\" \"$@\"\n' '''\n",
        "foreign": "#!/bin/sh\n",
    }.items():
        (old / ".venv/bin" / program).write_text(head + ("echo kept\n" if program == "foreign" else code))
        (old / ".venv/bin" / program).chmod(0o755)
    assert run(["sh", "scripts/setup.sh", ".venv"], old).stdout == ""
    old.rename(new)
    printed = run(["sh", "scripts/setup.sh", ".venv"], new).stdout
    assert printed == f".venv was moved here from {old}/.venv: adapting its programs ...\n"
    assert run(["sh", "scripts/setup.sh", ".venv"], new).stdout == ""
    for program in ("by-pip", "by-uv"):
        assert run([str(new / ".venv/bin" / program), "a b", "c"], tmp_path).stdout == f"{new}/.venv ['a b', 'c']\n"
    assert run([str(new / ".venv/bin/foreign")], tmp_path).stdout == "kept\n"
    activated = 'PATH=/usr/bin:/bin; . .venv/bin/activate; command -v by-pip; echo "$DO_NOT_TRACK"'
    assert run(["sh", "-c", activated], new).stdout == f"{new}/.venv/bin/by-pip\ntrue\n"


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="becoming another user needs root and setpriv")
@pytest.mark.parametrize("home", [None, "/proc"])
def test_a_user_that_the_system_does_not_know_runs_the_pipeline(finished_project: Path, home: str | None) -> None:
    """As in a container: no entry in /etc/passwd, and no home or one that cannot be written to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # unlike the folders of pytest
        project = move_copy(finished_project, Path(folder) / "project")
        use_environment(project)
        for path in (project, *project.rglob("*")):
            os.chown(path, 12345, 12345, follow_symlinks=False)
        # The capability: the Python that runs the tests may be in root's home.
        user = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        variables = {name: value for name, value in environment().items() if name not in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME")}
        if home:
            variables["HOME"] = home

        def make_repro() -> str:
            done = subprocess.run([*user, "make", "repro"], cwd=project, env=variables, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        assert "Data and pipelines are up to date." in make_repro()
        if home is None:
            change_params(project, {"evaluate_sample.temperatures": [0.0, 0.9]})
            assert "Running stage 'evaluate-sample'" in make_repro()
