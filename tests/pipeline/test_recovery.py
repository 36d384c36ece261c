"""What a killed dvc or a power failure leaves, repaired by `python src/cli.py check`, and then used by the real dvc."""

import hashlib
from pathlib import Path

import pytest

from conftest import digests, run

pytestmark = pytest.mark.slow
CHECK = ["python", "src/cli.py", "check"]
REPRO = ["python", "-m", "dvc", "repro"]
UP_TO_DATE = "Data and pipelines are up to date.\n"


def check(project: Path) -> list[str]:
    """Return what the check prints."""
    return run(CHECK, project).stdout.splitlines()


def test_dvc_refuses_broken_records_and_the_check_repairs_them(project: Path) -> None:
    records = {"dvc.lock": "", ".dvc/tmp/rwlock": '{"write": {"/'}
    for name, left in records.items():
        (project / name).write_text(left)
        refused = run([*REPRO, "--force", "--single-item", "batching"], project, check=False)
        assert refused.returncode != 0
        [line] = check(project)
        assert line.startswith(f"warning: {name} was left incomplete by a dvc that was killed: ")
    for entry in (project / ".dvc/cache/runs").glob("??/*/*"):
        entry.unlink()
    (project / "dvc.lock").unlink()
    refused = run([*REPRO, "batching"], project, check=False)
    assert refused.returncode != 0
    assert check(project) == ["warning: .dvc/cache/runs contained incomplete records of a dvc that was killed: removed them"]
    run([*REPRO, "batching"], project)
    assert check(project) == []


def test_without_a_committed_lock_file_no_finished_stage_runs_again(project: Path) -> None:
    before = digests(project / "models")
    lock = (project / "dvc.lock").read_bytes()
    run(["git", "rm", "-q", "--cached", "dvc.lock"], project)
    run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "without"], project)
    (project / "dvc.lock").write_text("")
    [line] = check(project)
    assert "removed it; what later runs made is taken from DVC's cache" in line
    printed = run(REPRO, project).stdout
    assert printed.count("is cached - skipping run") == 5
    assert "Running stage" not in printed
    assert (project / "dvc.lock").read_bytes() == lock
    assert digests(project / "models") == before


def test_an_output_that_dvc_restored_from_a_damaged_file_is_made_again(project: Path) -> None:
    output = project / "data/vocab/vocab.csv"
    content = output.read_bytes()
    digest = hashlib.md5(content).hexdigest()
    damaged = project / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(content[:20])
    damaged.chmod(0o444)
    output.unlink()
    run(["python", "-m", "dvc", "checkout", "data/vocab"], project)
    assert output.read_bytes() == content[:20]
    assert run(["python", "-m", "dvc", "status"], project).stdout.endswith(UP_TO_DATE)  # DVC does not notice
    [line] = check(project)
    assert "contained damaged files: removed 1; " in line
    printed = run(REPRO, project).stdout
    assert printed.count("Running stage") == 1
    assert output.read_bytes() == content
    assert check(project) == []
