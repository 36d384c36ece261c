import os
import socket
import sys
from pathlib import Path

import pytest

from conftest import PROJECT, run
from lstm_lm.errors import UserError
from lstm_lm.ui import console


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """`os._exit` would end pytest itself."""
    monkeypatch.setattr(console.os, "_exit", sys.exit)


def test_a_users_mistake_is_one_line_and_exit_code_1(capfd):
    def main():
        raise UserError("params.yaml: x = 0: must be >= 1")

    with pytest.raises(SystemExit) as ended:
        console.run(main)
    assert ended.value.code == 1
    assert capfd.readouterr().err == "error: params.yaml: x = 0: must be >= 1\n"


def test_a_missing_file_is_one_line(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        console.run(Path("data/batches/batches.json").read_text)
    assert ended.value.code == 1
    assert capfd.readouterr().err == "error: data/batches/batches.json: No such file or directory (made by the pipeline: dvc repro)\n"


def test_no_room_on_the_disk_is_one_line(tmp_path):
    code = (
        "import resource; from lstm_lm.ui import console; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "console.run(lambda: open('large', 'wb').write(bytes(10_000)))"
    )
    done = run([sys.executable, "-c", code], tmp_path, check=False, PYTHONPATH=str(PROJECT / "src"))
    assert done.returncode == 1
    assert done.stdout == f"error: File too large: make room for what is written to {tmp_path}, and run this again\n"


def test_a_server_is_not_started_where_it_cannot_listen(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is taken: choose another, with: make ui PORT="):
            console.check_can_serve("sh", "127.0.0.1", port, "make ui PORT=...")
    console.check_can_serve("sh", "127.0.0.1", port, "make ui PORT=...")
    with pytest.raises(UserError, match="port 99999: must be from 1 to 65535"):
        console.check_can_serve("sh", "127.0.0.1", 99999, "make ui PORT=...")
    with pytest.raises(UserError, match="nonsense is not on PATH: activate"):
        console.check_can_serve("nonsense", "127.0.0.1", port, "")


def test_ctrl_c_is_no_stack_trace(capfd):
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        console.run(main)
    assert ended.value.code == 130
    assert capfd.readouterr().err == "stopped\n"


def test_noise_below_python_is_held_back_and_shown_only_on_failure(capfd):
    with console.quiet_tensorflow():
        os.write(2, b"noise\n")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
    with pytest.raises(ImportError), console.quiet_tensorflow():
        os.write(2, b"why it failed\n")
        raise ImportError
    assert capfd.readouterr().err == "why it failed\n"


def test_durations_read_well():
    assert [console.duration(seconds) for seconds in (0.2, 59, 83, 600)] == ["0 s", "59 s", "1 min 23 s", "10 min 0 s"]


FIGURES = {
    "loss": 5.109,
    "perplexity": 165.5,
    "perplexity_low": 160.12,
    "perplexity_high": 171.33,
    "oov_rate": 0.0848,
    "adjusted_perplexity": 313.4,
    "bits_per_character": 1.586,
    "words": 43628,
    "kneser_ney_loss": 5.524,
    "kneser_ney_perplexity": 250.66,
    "kneser_ney_adjusted_perplexity": 474.66,
    "kneser_ney_bits_per_character": 1.7,
}


def test_the_table_of_held_out_figures_has_intervals_and_baselines_where_there_are_any():
    without = {name: value for name, value in FIGURES.items() if not name.endswith(("_low", "_high")) and "kneser" not in name}
    lines = console.held_out_table({"validation": without, "test": FIGURES, "samples": {"words": 3}}, beside=["test"])
    assert [line.split()[0] for line in lines] == ["held-out", "validation", "test", "Kneser-Ney"]
    assert lines[1].split() == ["validation", "43,628", "5.109", "165.50", "8.48%", "313.4", "1.586"]
    assert lines[2].split() == ["test", "43,628", "5.109", "165.50", "160.12-171.33", "8.48%", "313.4", "1.586"]
    assert lines[3].split() == ["Kneser-Ney", "n-grams", "5.524", "250.66", "474.7", "1.700"]
    assert len(set(map(len, lines))) == 1  # the columns stand one below the other
    assert len(console.held_out_table({"other, test": FIGURES})) == 2


def test_the_table_of_written_texts_has_test_text_beside_it():
    samples = {"words": 6400, "repetition_4": 0.001, "distinct_1": 0.2, "copied_4": 0.12, "test_text_copied_4": 0.09}
    lines = console.written_table({"validation": {"training_text_loss": 4.3, "generalization_gap": 0.75}, "samples": samples})
    assert lines[0] == "training text costs 4.300 nats a word, validation text 0.750 more"
    assert lines[3].split() == ["written,", "6,400", "words", "0.10%", "0.200", "-", "12.00%", "-"]
    assert lines[4].split() == ["as", "much", "test", "text", "-", "-", "-", "9.00%", "-"]
    assert console.written_table({"test": FIGURES}) == []
