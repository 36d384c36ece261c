"""Programs under locales that are not UTF-8."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PROJECT, environment

CODE = """
import sys
from pathlib import Path
from lstm_lm.ui import program
def main():
    print(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print([path.name for path in sorted(Path().iterdir())] == ["é语.txt"])
program.run(main)
"""


def output(folder: Path, argument: bytes, **variables: str) -> bytes:
    """What a program prints that reads the file that its argument names."""
    program = folder.parent / "program.py"
    program.write_text(CODE, encoding="utf-8")
    command = [sys.executable, program, argument]
    done = subprocess.run(
        command, cwd=folder, env=environment(PYTHONPATH=str(PROJECT / "src"), **variables), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file, whose name only UTF-8 has."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/é语.txt").write_text("é", encoding="utf-8")
    return tmp_path / "texts"


def test_names_of_files_are_utf_8_in_an_ascii_locale(folder: Path) -> None:
    ascii_locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert output(folder, "é语.txt".encode(), **ascii_locale) == b"\\xe9\nTrue\n"


def test_names_of_files_are_utf_8_and_output_is_latin_1_in_a_latin_1_locale(folder: Path, tmp_path: Path) -> None:
    if not shutil.which("localedef") or subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", tmp_path / "de_DE.ISO-8859-1"], capture_output=True, check=False
    ).returncode not in (0, 1):  # 1: with warnings
        pytest.skip("this system cannot make a locale")
    latin = {"LC_ALL": "de_DE.ISO-8859-1", "LOCPATH": str(tmp_path)}
    assert output(folder, "é语.txt".encode(), **latin) == b"\xe9\nTrue\n"
    (folder / "é语.txt").rename(folder / "é")
    assert output(folder, "é".encode("latin-1"), **latin).startswith(b"\xe9\n")  # typed in a terminal of this locale
