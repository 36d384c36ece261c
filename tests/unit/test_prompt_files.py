import json
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from drift_reports import logged
from lstm_lm.errors import UserError
from lstm_lm.serving.prompts import files
from lstm_lm.serving.prompts.files import LoggedPrompt, PromptWriter


def lines(folder: Path) -> list[str]:
    return [prompt.prompt for prompt in files.read(folder) if prompt is not None]


def test_what_is_written_is_read_whatever_the_text(tmp_path: Path) -> None:
    prompt = LoggedPrompt("2026-11-29T00:00:00.000+00:00", "id", "lstm_lm", "fp_1", 'é "quoted"\n\u2028 \ud800 \x00', 3, ("zounds",))
    writer = PromptWriter(tmp_path, 10**6)
    writer.write([prompt.encode()])
    writer.close()
    [path] = files.files(tmp_path)
    assert len(path.read_bytes().splitlines()) == 1
    [found] = files.read(tmp_path)
    assert found is not None
    assert found.prompt == prompt.prompt.replace("\ud800", "?")  # half a character cannot be stored
    assert (found.unknown, found.words, json.loads(path.read_bytes())["time"]) == (("zounds",), 3, prompt.time)


def test_only_this_user_reads_prompts(tmp_path: Path) -> None:
    folder = tmp_path / "a/prompts"
    files.prepare(folder)
    writer = PromptWriter(folder, 100)
    writer.write([b"x\n"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert files.files(folder)[0].stat().st_mode & 0o777 == 0o600
    writer.close()


def test_the_oldest_files_make_room(tmp_path: Path) -> None:
    writer = PromptWriter(tmp_path, 10_000)
    for number in range(2_000):
        writer.write([b"%04d%s\n" % (number, b"x" * 45)])
        assert sum(path.stat().st_size for path in files.files(tmp_path)) <= 10_000
    kept = [int(line[:4]) for path in files.files(tmp_path) for line in path.read_bytes().splitlines()]
    assert kept == list(range(kept[0], 2_000))
    assert 180 <= len(kept) <= 200  # of 200 that fit
    writer.close()


def test_several_writers_lose_nothing_and_mix_no_lines(tmp_path: Path) -> None:
    def write(number: int) -> None:
        writer = PromptWriter(tmp_path, 10**6)
        for each in logged([f"{number} {i}" for i in range(200)]):
            writer.write([each.encode()])
        writer.close()

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(write, range(4)))
    assert sorted(lines(tmp_path)) == sorted(f"{number} {i}" for number in range(4) for i in range(200))


def test_a_file_that_somebody_removes_is_begun_again(tmp_path: Path) -> None:
    writer = PromptWriter(tmp_path, 10**6)
    writer.write([logged(["first"])[0].encode()])
    files.files(tmp_path)[0].unlink()
    writer.write([logged(["second"])[0].encode()])
    assert lines(tmp_path) == ["second"]
    writer.close()


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """The operating system writes no file beyond a size, in bytes: the beginning of what is too long, then nothing, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 10])
def test_a_full_disk_leaves_no_empty_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(files, "RETRY_SECONDS", 0.0)
    writer = PromptWriter(tmp_path, 10**6)
    with no_file_over(room):
        for _ in range(3):
            with pytest.raises(OSError):
                writer.write([logged(["first"])[0].encode()])
    assert list(tmp_path.iterdir()) == []
    writer.write([logged(["second"])[0].encode()])
    assert lines(tmp_path) == ["second"]
    writer.close()


def test_a_disk_that_fills_up_keeps_whole_lines(tmp_path: Path) -> None:
    line = logged(["first"])[0].encode()
    writer = PromptWriter(tmp_path, 10**6)
    with no_file_over(len(line) + 10), pytest.raises(OSError, match="No space left"):
        writer.write([line, line])
    assert files.files(tmp_path)[0].read_bytes() == line


def test_after_a_failure_the_disk_is_left_alone_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(files.time, "monotonic", lambda: now)
    writer = PromptWriter(tmp_path, 10**6)
    line = logged(["first"])[0].encode()
    with no_file_over(0), pytest.raises(OSError):
        writer.write([line])
    now += files.RETRY_SECONDS - 0.1
    with pytest.raises(OSError):  # so that the prompts count as dropped
        writer.write([line])
    assert list(tmp_path.iterdir()) == []
    now += 0.2
    writer.write([line])
    assert lines(tmp_path) == ["first"]
    writer.close()


def test_damaged_lines_are_counted(tmp_path: Path) -> None:
    good = logged(["thou art"])[0].encode()
    (tmp_path / "prompts-1.jsonl").write_bytes(good + b'{"time": "x"}\n[1]\nnull\n\xff\n' + good + good[:30])
    assert lines(tmp_path) == ["thou art"] * 2
    assert list(files.read(tmp_path)).count(None) == 5


def test_a_folder_without_prompts_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder: name the one that the server logs"):
        list(files.read(tmp_path / "absent"))
    with pytest.raises(UserError, match=r"holds no prompts-\*.jsonl"):
        list(files.read(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--log-prompts .*file/prompts: Not a directory: choose another folder"):
        files.prepare(tmp_path / "file/prompts")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
