"""Install requirements.lock into a virtual environment: with uv where it serves the user's pip configuration, otherwise with pip.

usage: install_lock.py VENV [LOCK]

LOCK is another lock, for packages beside those of requirements.lock.

uv itself is pinned in the lock: pip installs that one package, and uv the others. On 2 cores of an AMD EPYC the whole set-up takes
2 minutes with pip, 30 to 36 s with uv, and 10 s once uv's cache is filled.
"""

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

LOCK = Path("requirements.lock")

# pip's settings, and the environment variable in which uv expects the same value.
UV_VARIABLES = {
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "index-url": "UV_DEFAULT_INDEX",
    "no-cache-dir": "UV_NO_CACHE",
    "proxy": "ALL_PROXY",
    "retries": "UV_HTTP_RETRIES",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "trusted-host": "UV_INSECURE_HOST",
}

# They don't change what is installed. Extra indexes and links can only offer the files that the lock's hashes allow, so uv works
# without them. Where they are the only source of a file, uv fails and pip takes over.
IRRELEVANT = set(
    """
    break-system-packages cache-dir compile disable-pip-version-check extra-index-url find-links log no-color no-compile no-input
    no-python-version-warning no-warn-script-location prefer-binary progress-bar quiet require-hashes require-virtualenv
    root-user-action verbose
    """.split()
)
# They send packages elsewhere than into the environment, or nowhere.
DIVERTING = {"dry-run", "ignore-installed", "prefix", "python", "report", "root", "target", "user"}
UV_DIVERTING = set("UV_CONSTRAINT UV_EXCLUDE_NEWER UV_NO_BINARY UV_OVERRIDE UV_PREFIX UV_PYTHON UV_SYSTEM_PYTHON UV_TARGET".split())
FALSE = {"", "0", "f", "false", "n", "no", "off"}


class UvUnsuitableError(Exception):
    """Why uv cannot install the lock here."""


def read_pip_settings(listing: str) -> dict[str, str]:
    """Return pip's settings from the output of `pip config list`, by name, without those that are switched off.

    As in pip, a value in the environment overrides the one for `pip install`, and that one the global one.
    """
    by_section: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section in by_section:
            by_section[section][name.replace("_", "-")] = str(ast.literal_eval(value))
    merged = by_section["global"] | by_section["install"] | by_section[":env:"]
    return {name: value for name, value in merged.items() if value.lower() not in FALSE}


def uv_environment(settings: Mapping[str, str], locked: set[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that make uv follow pip's settings.

    Args:
        settings: pip's, by name.
        locked: names of the packages in the lock.
        environ: the user's environment. Its own settings for uv take precedence.

    Raises:
        UvUnsuitableError: a setting has no equivalent.
    """
    variables = {"UV_SYSTEM_CERTS": "true"}  # like pip: the system's certificates
    if environ.get("PYTHONDONTWRITEBYTECODE"):  # as in many containers: otherwise each process would compile TensorFlow, for 10 s
        variables["UV_COMPILE_BYTECODE"] = "true"
    if bundle := environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE"):
        variables["SSL_CERT_FILE"] = bundle
    for name, value in settings.items():
        if name == "constraint":
            _check_constraints(value.split(), locked)
        elif name in UV_VARIABLES:
            variables[UV_VARIABLES[name]] = " ".join(value.split())
        elif name not in IRRELEVANT | DIVERTING:
            raise UvUnsuitableError(f"uv has no equivalent of pip's setting {name!r}")
    if Path(variables.get("SSL_CERT_FILE", os.devnull)).is_dir():
        variables["SSL_CERT_DIR"] = variables.pop("SSL_CERT_FILE")
    if proxy := variables.pop("ALL_PROXY", None):
        variables |= dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"), proxy)
    return {name: value for name, value in variables.items() if not (name.startswith("UV_") and name in environ)}


def _check_constraints(files: Iterable[str], locked: set[str]) -> None:
    """Raise UvUnsuitableError if a constraint may concern a package that a lock pins.

    With hashes required, uv accepts no constraints but exact pins, so they can only be left out.
    """
    for file in files:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UvUnsuitableError(f"pip's constraints {file} could not be read") from error
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        names = [re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*($|[<>=!~;@\[(])", line) for line in lines if line]
        if any(name is None or normalize(name[1]) in locked for name in names):
            raise UvUnsuitableError(f"pip's constraints {file} concern packages that are locked")


def normalize(name: str) -> str:
    """Return a package's name as the lock spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked_packages(lock: str) -> dict[str, str]:
    """Split a lock into its packages: {name: its lines}. A package may have different versions for different Pythons."""
    packages: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", lock.strip()):
        name = block.partition("==")[0]
        packages[name] = packages.get(name, "") + block + "\n"
    return packages


def pip(venv: Path, *arguments: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the environment's pip. Its output is captured only for `pip config`."""
    command = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", *arguments]
    stdout = subprocess.PIPE if arguments[0] == "config" else None
    return subprocess.run(command, env=environ, stdout=stdout, text=True, check=False)


def pip_environment(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which pip has these settings, without those that would divert the packages from the environment.

    A setting in one of pip's files, such as `target`, cannot be switched off, so pip is kept from reading them.

    Args:
        settings: pip's, by name.
        environ: the user's environment.
    """
    kept = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in settings.items() if name not in DIVERTING}
    others = {name: value for name, value in environ.items() if not name.startswith("PIP_")}
    return {**others, **kept, "PIP_CONFIG_FILE": os.devnull, "PIP_USER": "0"}


def bootstrap_uv(venv: Path, lines: str, environ: Mapping[str, str]) -> str:
    """Install the uv that the lock pins, and return its version.

    Raises:
        UvUnsuitableError: there is none for this system, or it does not run.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as only_uv:
        only_uv.write(lines)
        only_uv.flush()
        # --only-binary: building uv would take longer than it saves.
        options = ["--quiet", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", only_uv.name]
        if pip(venv, "install", *options, environ=environ).returncode:
            raise UvUnsuitableError("uv could not be installed (see above)")
    try:
        return subprocess.run([venv / "bin/uv", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    except (OSError, IndexError, subprocess.CalledProcessError) as error:
        raise UvUnsuitableError("uv does not run on this system") from error


def install_with_uv(venv: Path, settings: Mapping[str, str], lock: Path) -> None:
    """Install a lock with uv, in the version that requirements.lock pins.

    Args:
        venv: folder of the environment.
        settings: pip's, by name.
        lock: the file to install.
    Raises:
        UvUnsuitableError: it could not, with the reason.
    """
    packages = locked_packages(LOCK.read_text(encoding="utf-8"))
    locked = set(packages) | set(locked_packages(lock.read_text(encoding="utf-8")))
    variables = uv_environment(settings, locked, os.environ)
    version = bootstrap_uv(venv, packages["uv"], pip_environment(settings, os.environ))
    print(f"installing {lock} with uv {version} ...", flush=True)
    command = [str(venv / "bin/uv"), "pip", "install", "--quiet", "--python", str(venv / "bin/python")]
    command += ["--require-hashes", "--requirement", str(lock)]
    environ = {name: value for name, value in os.environ.items() if name not in UV_DIVERTING}
    if subprocess.run(command, env=environ | variables, check=False).returncode:
        raise UvUnsuitableError("uv failed (see above)")
    if not any(venv.glob("lib/python*/site-packages/dvc/__init__.py")):
        raise UvUnsuitableError("uv installed the packages elsewhere, as its configuration says")


def install(venv: Path, lock: Path = LOCK) -> int:
    """Install a lock with uv, otherwise with pip, and return the exit code."""
    # PIP_PYTHON would make pip run with that Python.
    listing = pip(venv, "config", "list", environ={name: value for name, value in os.environ.items() if name != "PIP_PYTHON"})
    if listing.returncode:  # it has reported why
        return listing.returncode
    settings = read_pip_settings(listing.stdout)
    try:
        install_with_uv(venv, settings, lock)
    except UvUnsuitableError as reason:
        time = ", about 2 minutes" if lock == LOCK else ""
        print(f"installing {lock} with pip{time}: {reason} ...", flush=True)
        options = ["--quiet", "--require-hashes", "--requirement", str(lock)]
        return pip(venv, "install", *options, environ=pip_environment(settings, os.environ)).returncode
    return 0


if __name__ == "__main__":
    sys.exit(install(*map(Path, sys.argv[1:])))
