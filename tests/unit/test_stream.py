import threading

import pytest

from lstm_lm_serving.errors import Cancelled, Closed
from lstm_lm_serving.output import Output
from lstm_lm_serving.stream import Stream


def opened(texts: int = 2) -> tuple[Stream, list[Output]]:
    """Return a stream of texts without any piece."""
    stream = Stream(texts)
    outputs = [Output(number, 0, str, None) for number in range(texts)]
    stream.open(outputs)
    return stream, outputs


def test_pieces_that_came_while_nobody_read_are_one() -> None:
    stream, [first, second] = opened()
    stream.add(first, "to", 1, None)
    stream.add(second, "thou", 1, None)
    stream.add(first, " be", 1, None)
    assert [(piece.text, piece.new_text, piece.count) for piece in stream.next(0)] == [(0, "to be", 2), (1, "thou", 1)]
    with pytest.raises(TimeoutError):
        stream.next(0)
    stream.add(first, " or", 1, "length")
    assert not stream.has_ended
    stream.add(second, "", 0, "stop")
    assert [(piece.new_text, piece.finish_reason) for piece in stream] == [(" or", "length"), ("", "stop")]
    assert [completion.content for completion in stream.result()] == ["to be or", "thou"]


def test_a_reader_that_waits_is_woken_by_a_piece_and_by_an_error() -> None:
    stream, [output] = opened(1)
    seen: list[object] = []
    has_read = threading.Event()

    def read() -> None:
        try:
            for piece in stream:
                seen.append(piece.new_text)
                has_read.set()
        except Closed as error:
            seen.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    stream.add(output, "to", 1, None)
    assert has_read.wait(30)
    error = Closed("the engine was closed")
    assert stream.fail(error)
    reader.join(30)
    assert seen == ["to", error]
    with pytest.raises(Closed):
        stream.result()


def test_the_first_end_counts() -> None:
    stream, [output] = opened(1)
    cancelled: list[int] = []
    stream.on_cancel(lambda: cancelled.append(1))
    stream.cancel()
    stream.cancel()
    assert not stream.fail(Closed("too late"))
    assert cancelled == [1]
    with pytest.raises(Cancelled):
        stream.next(0)
    complete, [output] = opened(1)
    complete.on_cancel(lambda: cancelled.append(2))
    complete.add(output, "to", 1, "length")
    complete.cancel()
    assert cancelled == [1]
    assert complete.result()[0].content == "to"


def test_a_callback_comes_once_for_what_was_not_read_and_at_once_if_there_is_something() -> None:
    stream, [first, second] = opened()
    called: list[int] = []
    stream.notify(lambda: called.append(1))
    assert not called
    stream.add(first, "to", 1, None)
    stream.add(second, "thou", 1, None)
    assert len(called) == 1
    stream.next(0)
    stream.add(first, " be", 1, None)
    assert len(called) == 2
    stream.notify(lambda: called.append(2))
    assert called == [1, 1, 2]


def test_a_callback_of_a_closed_event_loop_is_dropped() -> None:
    stream, [output] = opened(1)
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise RuntimeError("Event loop is closed")

    stream.notify(fail)
    stream.add(output, "to", 1, None)
    stream.next(0)
    stream.add(output, " be", 1, "length")
    assert calls == [1]


def test_the_best_texts_take_the_place_of_the_others() -> None:
    stream, outputs = opened()
    better = [Output(number, 0, str, None) for number in range(2)]
    for number, output in enumerate(better):
        output.add(f"better {number}", 2, "length")
    stream.replace(outputs, better)
    assert [piece.new_text for piece in stream] == ["better 0", "better 1"]
    assert [completion.content for completion in stream.result()] == ["better 0", "better 1"]
