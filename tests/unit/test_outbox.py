import json
import multiprocessing
from pathlib import Path

import pytest

from lstm_lm.tracking.outbox import Outbox, Pending, outboxes


def new_outbox(root: Path) -> Outbox:
    outbox = Outbox(root, "run")
    outbox.open({"store": "x"})
    return outbox


def test_operations_come_back_in_order_until_they_are_acknowledged(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path)
    for number in range(3):
        outbox.append({"kind": "tags", "values": {"a": str(number)}})
    outbox.acknowledge(1)
    expected = [Pending(number + 1, {"kind": "tags", "values": {"a": str(number)}}) for number in (1, 2)]
    assert outbox.pending() == expected
    assert Outbox(tmp_path, "run").pending() == expected  # as another process finds it
    outbox.append({"kind": "last"})
    assert [item.number for item in outbox.pending()] == [2, 3, 4]


@pytest.mark.parametrize("torn", [1, 5, 20])
def test_half_a_line_of_a_killed_process_is_left_out_and_what_follows_is_not(torn: int, tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path)
    outbox.append({"kind": "first"})
    with (outbox.folder / "operations.jsonl").open("ab") as file:
        file.write(json.dumps({"kind": "tags", "values": {}}).encode()[:torn])
    resumed = Outbox(tmp_path, "run")
    assert [item.operation["kind"] for item in resumed.pending()] == ["first"]
    resumed.append({"kind": "second"})
    assert [item.operation["kind"] for item in resumed.pending()] == ["first", "second"]
    assert [item.operation["kind"] for item in outbox.pending()] == ["first", "second"]
    outbox.acknowledge(outbox.pending()[-1].number)
    assert Outbox(tmp_path, "run").pending() == []


def test_a_file_replaces_the_earlier_one_of_its_name(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path)
    for text in ("old", "new"):
        outbox.put("a.txt", lambda path, text=text: path.write_text(text))  # type: ignore[misc]
        outbox.put("folder", lambda path, text=text: (path.mkdir(), (path / text).write_text(text)))  # type: ignore[misc]
    assert outbox.file("a.txt").read_text() == "new"
    assert [path.name for path in outbox.file("folder").iterdir()] == ["new"]


def test_an_outbox_is_removed_only_when_everything_is_sent(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path)
    outbox.append({"kind": "first"})
    assert not outbox.remove_if_sent()
    outbox.acknowledge(1)
    assert outbox.remove_if_sent()
    assert outboxes(tmp_path) == []
    outbox.open({"store": "x"})
    outbox.append({"kind": "second"})
    assert [item.number for item in outbox.pending()] == [1]


def test_an_outbox_that_another_process_removed_while_it_was_empty_begins_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "run")
    outbox._facts = {"store": "x"}  # as of a process whose lock could not be had
    for count in (1, 2):
        Outbox(tmp_path, "run").remove_if_sent()
        for number in range(3 - count):
            outbox.append({"kind": "tags", "number": number})
        assert [item.operation["number"] for item in outbox.pending()] == list(range(3 - count))
        assert [each.facts() for each in outboxes(tmp_path)] == [{"store": "x"}]
        outbox.acknowledge(3 - count)


def test_no_process_removes_an_outbox_that_another_one_uses(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path)
    outbox.put("a.txt", lambda path: path.write_text("a"))
    assert not Outbox(tmp_path, "run").remove_if_sent()
    assert outbox.file("a.txt").exists()
    outbox.close()
    assert Outbox(tmp_path, "run").remove_if_sent()
    assert sorted(path.name for path in (tmp_path / ".tracking").iterdir()) == ["lock"]


def test_one_process_sends_an_outbox(tmp_path: Path) -> None:
    first, second = new_outbox(tmp_path), new_outbox(tmp_path)
    with first.sending() as is_first:
        assert is_first()
        with second.sending() as is_second:
            assert not is_second()
    with second.sending() as is_second:
        assert is_second()


def _append(root: Path, name: str) -> None:
    outbox = Outbox(root, "run")
    for number in range(50):
        outbox.append({"kind": name, "number": number}, durable=False)


def test_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_append, args=(tmp_path, name)) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    for name in ("a", "b"):
        assert [item.operation["number"] for item in outbox.pending() if item.operation["kind"] == name] == list(range(50))
