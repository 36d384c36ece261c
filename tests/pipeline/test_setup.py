"""scripts/setup.sh: problems are reported in one line with exit code 1, and the packages are installed by uv or else by pip.

No test installs a package: that the real set-up works is shown by the environment that runs the tests.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

from conftest import PROJECT, copy_project, environment, run

TOO_OLD = 'test "$1" = --version && echo Python 3.8.1 || exit 1'
NO_VENV = 'case "$2" in *version_info*) exit 0;; *) exit 1;; esac'

# A fake python3. Its `-m venv FOLDER` creates an environment whose python is FAKE_VENV_PYTHON.
FAKE_PYTHON = """\
case "$1$2" in
    --version) echo Python 3.12.9;;
    -mvenv) mkdir -p "$3/bin" && cp "$FAKES/venv_python" "$3/bin/python" && touch "$3/bin/activate";;
    scripts/install_lock.py*) exec "$REAL_PYTHON" "$@";;
esac"""
# A fake python of an environment. It logs what pip is asked to install. The uv that it "installs" is FAKE_UV.
FAKE_VENV_PYTHON = """\
case "$*" in
    *"pip --disable-pip-version-check config list") echo "$SETTINGS_OF_PIP";;
    *" --requirement requirements"*".lock") echo "pip installs the lock, PIP_USER=$PIP_USER $PIP_TARGET" >>"$FAKES/log"; exit $EXIT_OF_PIP;;
    scripts/install_lock.py*) exec "$REAL_PYTHON" "$@";;
    *" --only-binary=:all: "*) echo "pip installs uv" >>"$FAKES/log"; cp "$FAKES/uv" "$(dirname "$0")/uv";;
esac"""
FAKE_UV = """\
test "$1" = --version && { echo "uv 0.0.1 (fake)"; exit $UV_RUNS; }
echo "uv installs the lock, UV_DEFAULT_INDEX=$UV_DEFAULT_INDEX UV_PYTHON=$UV_PYTHON" >>"$FAKES/log"
site="$(dirname "$0")/../lib/python3.12/site-packages/dvc"
test -n "$UV_ELSEWHERE" || { mkdir -p "$site" && touch "$site/__init__.py"; }
exit $UV_EXIT"""


def write_program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def installer() -> ModuleType:
    """scripts/install_lock.py as a module."""
    spec = importlib.util.spec_from_file_location("install_lock", PROJECT / "scripts/install_lock.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("python3", "arguments", "message"),
    [
        (TOO_OLD, [], "Python 3.11, 3.12 or 3.13 is required, but this system has Python 3.8.1"),
        (TOO_OLD, ["python3"], "PYTHON=python3 is Python 3.8.1: Python 3.11, 3.12 or 3.13 is required"),
        (TOO_OLD, ["nonsense"], "PYTHON=nonsense: no such program"),
        (NO_VENV, [], "python3 has no venv module: install it"),
    ],
)
def test_a_missing_prerequisite_is_reported_in_one_line(tmp_path: Path, python3: str, arguments: list[str], message: str) -> None:
    write_program(tmp_path / "bin/python3", python3)
    for name in ("cmp", "sh"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    script = ["sh", str(PROJECT / "scripts/setup.sh"), str(tmp_path / "venv"), *arguments]
    done = subprocess.run(script, cwd=PROJECT, env=environment(PATH=str(tmp_path / "bin")), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_that_make_did_not_create_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/user.txt").write_text("precious")
    done = subprocess.run(["sh", "scripts/setup.sh", str(tmp_path / "venv")], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was not created by make: remove it, or choose another folder with VENV=..." in done.stderr
    assert (tmp_path / "venv/user.txt").read_text() == "precious"


def test_an_environment_that_fits_the_lock_is_left_alone(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(str(shutil.which("python3")))
    shutil.copy(PROJECT / "requirements.lock", venv / "requirements.lock")
    before = sorted(venv.rglob("*"))
    subprocess.run(["sh", "scripts/setup.sh", str(venv)], cwd=PROJECT, check=True)
    assert sorted(venv.rglob("*")) == before


@pytest.mark.slow
def test_the_page_for_plots_is_created_where_it_is_missing(tmp_path: Path) -> None:
    """It is created even if another checkout created the environment."""
    project, venv = copy_project(tmp_path / "project"), tmp_path / "venv"
    write_program(venv / "bin/python", f'exec "{sys.executable}" "$@"')
    shutil.copy(PROJECT / "requirements.lock", venv / "requirements.lock")
    page = project / ".dvc/plots.html"
    run(["sh", "scripts/setup.sh", str(venv)], project)
    assert "{plot_divs}" in page.read_text()
    assert run(["git", "status", "--porcelain"], project).stdout == ""
    page.write_text("edited")
    run(["sh", "scripts/setup.sh", str(venv)], project)
    assert page.read_text() == "edited"
    os.utime(page, (0, 0))  # made by an earlier version of the project
    run(["sh", "scripts/setup.sh", str(venv)], project)
    assert "{plot_divs}" in page.read_text()


def set_up_with_fakes(folder: Path, *arguments: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run setup.sh with fake programs. Return the finished process and the log of installations."""
    fakes = folder / "fakes"
    write_program(fakes / "python3", FAKE_PYTHON)
    write_program(fakes / "venv_python", FAKE_VENV_PYTHON)
    write_program(fakes / "uv", FAKE_UV)
    outcomes = {"SETTINGS_OF_PIP": "", "EXIT_OF_PIP": "0", "UV_RUNS": "0", "UV_EXIT": "0"} | variables
    env = environment(FAKES=str(fakes), REAL_PYTHON=sys.executable, **outcomes)
    env["PATH"] = f"{fakes}{os.pathsep}{env['PATH']}"
    for name in [name for name in env if name.startswith("UV_") and name not in outcomes]:
        del env[name]
    script = ["sh", "scripts/setup.sh", str(folder / "a venv"), *arguments]
    done = subprocess.run(script, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    return done, (fakes / "log").read_text().splitlines()


def test_uv_installs_the_lock_and_follows_the_configured_index(tmp_path: Path) -> None:
    done, log = set_up_with_fakes(tmp_path, SETTINGS_OF_PIP="global.index-url='https://mirror.example/simple'\ninstall.user='yes'")
    assert done.returncode == 0, done.stderr
    assert log == ["pip installs uv", "uv installs the lock, UV_DEFAULT_INDEX=https://mirror.example/simple UV_PYTHON="]
    assert "installing requirements.lock with uv 0.0.1 ...\n" in done.stdout
    assert (tmp_path / "a venv/requirements.lock").read_bytes() == (PROJECT / "requirements.lock").read_bytes()
    assert "DO_NOT_TRACK" in (tmp_path / "a venv/bin/activate").read_text()


@pytest.mark.parametrize(
    ("variables", "attempts", "reason"),
    [
        ({"UV_EXIT": "2"}, ["pip installs uv", "uv installs the lock, UV_DEFAULT_INDEX= UV_PYTHON="], "uv failed (see above)"),
        (
            {"UV_ELSEWHERE": "1", "UV_PYTHON": "3.8"},
            ["pip installs uv", "uv installs the lock, UV_DEFAULT_INDEX= UV_PYTHON="],
            "uv installed the packages elsewhere, as its configuration says",
        ),
        ({"UV_RUNS": "1"}, ["pip installs uv"], "uv does not run on this system"),
        ({"SETTINGS_OF_PIP": "global.no-index='true'"}, [], "uv has no equivalent of pip's setting 'no-index'"),
    ],
)
def test_pip_takes_over_and_the_reason_is_reported(tmp_path: Path, variables: dict[str, str], attempts: list[str], reason: str) -> None:
    done, log = set_up_with_fakes(tmp_path, PIP_USER="1", PIP_TARGET="/nowhere", **variables)
    assert done.returncode == 0, done.stderr
    assert log == [*attempts, "pip installs the lock, PIP_USER=0 "]
    assert f"installing requirements.lock with pip, about 2 minutes: {reason} ...\n" in done.stdout


def test_an_environment_that_could_not_be_filled_is_tried_again(tmp_path: Path) -> None:
    done, _ = set_up_with_fakes(tmp_path, UV_EXIT="2", EXIT_OF_PIP="1")
    assert done.returncode == 1
    assert "error: the packages of requirements.lock could not be installed (see above)\n" in done.stderr
    assert not (tmp_path / "a venv/requirements.lock").exists()
    done, log = set_up_with_fakes(tmp_path)
    assert done.returncode == 0, done.stderr
    assert log[-1] == "uv installs the lock, UV_DEFAULT_INDEX= UV_PYTHON="


CUDA = "requirements-cuda.lock"


def test_an_extra_is_installed_on_top_and_kept_by_later_calls(tmp_path: Path) -> None:
    done, log = set_up_with_fakes(tmp_path, "", "cuda")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("installing")] == [
        "installing requirements.lock with uv 0.0.1 ...",
        f"installing {CUDA} with uv 0.0.1 ...",
    ]
    venv = tmp_path / "a venv"
    assert (venv / CUDA).read_bytes() == (PROJECT / CUDA).read_bytes()

    def installed_again() -> list[str]:
        done, more = set_up_with_fakes(tmp_path)
        assert done.returncode == 0, done.stderr
        assert (len(more) == len(log)) is ("installing" not in done.stdout)
        log[:] = more
        return re.findall("installing ([^ ]+)", done.stdout)

    assert installed_again() == []
    (venv / CUDA).write_text("of an earlier commit")
    assert installed_again() == [CUDA]
    (venv / "requirements.lock").write_text("of an earlier commit")  # the whole environment is made again
    assert installed_again() == ["requirements.lock", CUDA]
    assert (venv / "extras").read_text() == "cuda\n"


def test_an_extra_is_added_to_an_environment_that_is_there(tmp_path: Path) -> None:
    set_up_with_fakes(tmp_path)
    done, _ = set_up_with_fakes(tmp_path, "", "docs cuda")
    assert re.findall("installing ([^ ]+)", done.stdout) == ["requirements-docs.lock", CUDA]
    done, _ = set_up_with_fakes(tmp_path, "", "cuda")
    assert done.stdout == ""
    assert sorted((tmp_path / "a venv/extras").read_text().split()) == ["cuda", "docs"]


def test_an_extra_that_could_not_be_installed_is_tried_again(tmp_path: Path) -> None:
    set_up_with_fakes(tmp_path)
    for arguments in (("", "cuda"), ()):
        done, _ = set_up_with_fakes(tmp_path, *arguments, UV_EXIT="2", EXIT_OF_PIP="1")
        assert done.returncode == 1
        assert f"error: the packages of {CUDA} could not be installed (see above): try again, or go on without them" in done.stderr
    assert not (tmp_path / "a venv" / CUDA).exists()


@pytest.mark.parametrize("name", ["gpu", "../cuda", "*", "cuda,docs"])
def test_an_unknown_extra_is_reported_before_anything_is_installed(tmp_path: Path, name: str) -> None:
    script = ["sh", "scripts/setup.sh", str(tmp_path / "venv"), "", f"docs {name}"]
    done = subprocess.run(script, cwd=PROJECT, capture_output=True, text=True, check=False)
    names = sorted(path.name.removeprefix("requirements-").removesuffix(".lock") for path in PROJECT.glob("requirements-*.lock"))
    assert done.returncode == 1
    assert {"cuda", "docs"} <= set(names)
    assert done.stderr == f"error: EXTRAS: there is no {name}: choose from {' '.join(names)}\n"
    assert not (tmp_path / "venv").exists()


def test_cuda_is_for_linux_on_x86_64_only(tmp_path: Path) -> None:
    write_program(tmp_path / "bin/uname", 'test "$1" = -s && echo Darwin || echo arm64')
    env = environment(PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    script = ["sh", "scripts/setup.sh", str(tmp_path / "venv"), "", "cuda"]
    done = subprocess.run(script, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: EXTRAS=cuda is for Linux on x86-64, and this is Darwin arm64: leave it out\n"


def test_settings_of_pip_are_merged_in_its_own_order_and_those_switched_off_are_dropped(installer: ModuleType) -> None:
    listing = (
        ":env:.default-timeout='9'\nglobal.timeout='1'\nglobal.cert='/a=b'\ninstall.cert='/c'\ndownload.proxy='p'\nglobal.no_index='no'"
    )
    assert installer.read_pip_settings(listing) == {"default-timeout": "9", "timeout": "1", "cert": "/c"}


def test_settings_that_would_install_elsewhere_do_not_reach_pip_and_the_others_do(installer: ModuleType) -> None:
    settings = {"index-url": "https://a.example", "target": "/t", "prefix": "/p", "user": "yes", "extra-index-url": "x\ny"}
    environ = {"PIP_TARGET": "/t", "PIP_PREFIX": "/q", "HOME": "/h", "PIP_CONFIG_FILE": "/c"}
    assert installer.pip_environment(settings, environ) == {
        "HOME": "/h",
        "PIP_INDEX_URL": "https://a.example",
        "PIP_EXTRA_INDEX_URL": "x\ny",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_USER": "0",
    }


def test_settings_of_pip_become_variables_of_uv_and_those_of_the_user_stay(installer: ModuleType, tmp_path: Path) -> None:
    def convert(settings: dict[str, str], **environ: str) -> dict[str, str]:
        variables: dict[str, str] = installer.uv_environment(settings, {"numpy"}, environ)
        assert variables.pop("UV_SYSTEM_CERTS") == "true"
        return variables

    assert convert({"cert": "/a.pem", "find-links": "/wheels", "user": "1", "target": "/t"}) == {"SSL_CERT_FILE": "/a.pem"}
    assert convert({}, PYTHONDONTWRITEBYTECODE="1") == {"UV_COMPILE_BYTECODE": "true"}
    assert convert({}, REQUESTS_CA_BUNDLE="/b.pem") == {"SSL_CERT_FILE": "/b.pem"}
    assert convert({"cert": str(tmp_path)}) == {"SSL_CERT_DIR": str(tmp_path)}
    assert convert({"proxy": "p:1"}) == {"ALL_PROXY": "p:1", "HTTP_PROXY": "p:1", "HTTPS_PROXY": "p:1"}
    assert convert({"trusted-host": "a\nb"}) == {"UV_INSECURE_HOST": "a b"}
    assert convert({"index-url": "https://a.example", "timeout": "5"}, UV_DEFAULT_INDEX="https://b.example") == {"UV_HTTP_TIMEOUT": "5"}


@pytest.mark.parametrize(
    ("constraints", "is_suitable"),
    [("# none\n\ntorch<2  # why\n", True), ("Some_Package<2\n", False), ("-c more.txt\n", False), ("https://a.example/b.whl\n", False)],
)
def test_constraints_that_may_concern_the_lock_need_pip(installer: ModuleType, tmp_path: Path, constraints: str, is_suitable: bool) -> None:
    (tmp_path / "constraints.txt").write_text(constraints)
    settings = {"constraint": str(tmp_path / "constraints.txt")}
    if is_suitable:
        assert "UV_SYSTEM_CERTS" in installer.uv_environment(settings, {"some-package"}, {})
    else:
        with pytest.raises(installer.UvUnsuitableError, match="constraints"):
            installer.uv_environment(settings, {"some-package"}, {})


@pytest.mark.parametrize(("lock", "least"), [("requirements.lock", 100), ("requirements-docs.lock", 50), (CUDA, 30)])
def test_a_lock_has_names_versions_and_hashes_and_no_addresses(installer: ModuleType, lock: str, least: int) -> None:
    text = (PROJECT / lock).read_text()
    lines = text.splitlines()
    assert all("://" not in line and not line.startswith("-") for line in lines)
    pins = [line for line in lines if not line.startswith(" ")]
    assert all("==" in line for line in pins)
    assert sum(line.startswith("    --hash=sha256:") for line in lines) >= len(pins) > least
    packages = installer.locked_packages(text)
    assert "".join(packages.values()) == text
    assert all(installer.normalize(name) == name for name in packages)


@pytest.mark.parametrize("lock", ["requirements-docs.lock", CUDA])
def test_the_locks_agree_and_one_pins_uv(installer: ModuleType, lock: str) -> None:
    packages, more = (installer.locked_packages((PROJECT / each).read_text()) for each in ("requirements.lock", lock))
    assert packages["uv"].count("--hash") > 10
    both = set(packages) & set(more)
    assert len(both) > 10
    assert all(set(re.findall("==([^ ]+)", more[name])) <= set(re.findall("==([^ ]+)", packages[name])) for name in both)


@pytest.mark.parametrize("succeeds", [True, False])
def test_the_packages_of_the_site_are_installed_once_or_the_failure_is_reported(tmp_path: Path, succeeds: bool) -> None:
    venv = tmp_path / "a venv"
    write_program(venv / "bin/python", f'echo "$@" >>"{tmp_path}/log"; exit {int(not succeeds)}')
    for _ in range(2):
        done = subprocess.run(["sh", "scripts/setup_docs.sh", str(venv)], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is succeeds
    assert done.stderr == ("" if succeeds else "error: the packages of requirements-docs.lock could not be installed (see above)\n")
    installation = f"scripts/install_lock.py {venv} requirements-docs.lock"
    assert (tmp_path / "log").read_text().splitlines() == [installation] * (1 if succeeds else 2)


def test_the_lock_for_gpus_adds_nvidias_libraries_on_linux_x86_64_only(installer: ModuleType) -> None:
    packages, more = (installer.locked_packages((PROJECT / each).read_text()) for each in ("requirements.lock", CUDA))
    assert all(name.startswith("nvidia-") for name in set(more) - set(packages))
    assert {"tensorflow", "nvidia-cudnn-cu12", "nvidia-cublas-cu12"} <= set(more)
    pins = re.findall(r"^[a-z].*", (PROJECT / CUDA).read_text(), re.MULTILINE)
    assert all("platform_machine == 'x86_64' and sys_platform == 'linux'" in pin for pin in pins)


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def test_ci_the_commit_hook_and_the_container_call_make() -> None:
    load = YAML(typ="safe").load
    jobs = load(PROJECT / ".github/workflows/ci.yml")["jobs"].values()
    commands = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    commands += [hook["entry"] for repo in load(PROJECT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    commands.append(json.loads((PROJECT / ".devcontainer/devcontainer.json").read_text())["postCreateCommand"])
    assert {"make lint", "make test", "make test-fast", "make setup"} <= set(commands)
    for command in commands:
        program, target = command.split()
        assert program == "make"
        assert target in makefile_targets()


def test_the_citation_names_the_current_version() -> None:
    citation = YAML(typ="safe").load(PROJECT / "CITATION.cff")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
