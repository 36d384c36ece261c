import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import PROJECT, environment
from lstm_lm.io.interruption import Interruption


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_recorded_and_a_second_one_stops_immediately(number, code):
    before = signal.signal(number, signal.default_int_handler)
    try:
        with Interruption() as interruption:
            assert interruption.reason is None
            os.kill(os.getpid(), number)
            assert (interruption.reason, interruption.code) == ("stopped", code)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        assert signal.getsignal(number) == signal.default_int_handler
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_is_closed_may_say_so_more_than_once(first):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    try:
        with Interruption() as interruption:
            for number in (first, signal.SIGHUP, signal.SIGHUP):
                os.kill(os.getpid(), number)
            assert (interruption.reason, interruption.code) == ("stopped", 128 + first)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            assert interruption.reason is None
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("shell", [False, True])
def test_the_end_of_the_parent_dvc_process_is_detected(tmp_path, shell):
    stage = tmp_path / "stage.py"
    stage.write_text(
        f"import sys, time; sys.path.insert(0, {str(PROJECT / 'src')!r})\n"
        "from lstm_lm.io.interruption import Interruption\n"
        "with Interruption() as interruption:\n"
        "    print('entered', flush=True)\n"
        "    for _ in range(200):\n"
        "        time.sleep(0.05)\n"
        "        if interruption.reason: print(interruption.reason, flush=True); break\n"
    )
    command = f"{sys.executable} {stage}" + ("; true" if shell else "")
    dvc = tmp_path / "dvc"
    dvc.write_text(f"import subprocess; subprocess.run({command!r}, shell=True)\n")
    process = subprocess.Popen(
        [sys.executable, str(dvc)], env=environment(DVC_STAGE="train"), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout.readline() == "entered\n"
        time.sleep(0.2)
        process.kill()
        assert process.stdout.readline() == "dvc is gone\n"
    finally:
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.communicate(timeout=20)


@pytest.mark.slow
@pytest.mark.parametrize("in_interruption", [False, True])
def test_a_stage_ends_soon_after_its_dvc_unless_an_interruption_ends_it(tmp_path, in_interruption):
    context = "Interruption()" if in_interruption else "contextlib.nullcontext()"
    stage = tmp_path / "stage.py"
    stage.write_text(
        f"import contextlib, os, sys, time; sys.path.insert(0, {str(PROJECT / 'src')!r})\n"
        "from lstm_lm.io import interruption\n"
        "from lstm_lm.io.interruption import Interruption\n"
        "interruption.POLL_SECONDS = 0.1\n"
        "interruption.end_with_dvc()\n"
        f"with {context}:\n"
        "    print('running', flush=True)\n"
        "    time.sleep(2)\n"
        "    print('at a safe point', flush=True)\n"
        "time.sleep(60)\n"
    )
    dvc = tmp_path / "dvc"
    dvc.write_text(f"import subprocess; subprocess.run([{sys.executable!r}, {str(stage)!r}])\n")
    process = subprocess.Popen(
        [sys.executable, str(dvc)],
        env=environment(DVC_STAGE="vocab"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "running\n"
    time.sleep(0.5)  # it looks for its dvc
    process.kill()
    # The pipe is at its end when the stage has ended.
    assert process.communicate(timeout=20)[0] == ("at a safe point\n" if in_interruption else "")
