"""What one long training shows, and when a signal stops it."""

import io
import os
import signal

import pytest
from rich.console import Console

from search.cli import training_progress
from search.cli.training_progress import TrainingScreen


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when a test says so."""
    now = [100.0]
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: now[0])
    return now


def screen_on(text):
    return TrainingScreen(Console(file=text, width=80))


def test_lines_now_and_then_with_speed_and_time_left(clock):
    text = io.StringIO()
    with screen_on(text) as screen:
        screen.begins("trial 3", 1000, 5000)
        screen.measured(1000, 30.0)
        for step in range(1001, 1102):  # The first takes long: it is compiled.
            clock[0] += 60 if step == 1001 else 0.5
            screen.stepped(step, 0.125)
        screen.measured(1101, 31.25)
        clock[0] += 50
        screen.measured(5000, 32.5)
    assert text.getvalue().splitlines() == [
        "trial 3: 1000 of 5000 steps done",
        "step 1000 of 5000  30.00 dB",
        "step 1001 of 5000  loss 0.125  30.00 dB",
        "step 1062 of 5000  loss 0.125  30.00 dB  2 steps/s  33 min left",
        "step 1101 of 5000  loss 0.125  31.25 dB  2 steps/s  32 min left",
        "step 5000 of 5000  loss 0.125  32.50 dB  40 steps/s",
    ]


def test_numbers_of_a_teacher_are_not_its_students(clock):
    text = io.StringIO()
    with screen_on(text) as screen:
        screen.begins("teacher mialgo_track1", 0, 1)
        screen.stepped(1, 0.125)
        screen.measured(1, 31.25)
        screen.begins("trial 3", 0, 1)
        screen.measured(0, 20.0)
    assert text.getvalue().splitlines()[-1] == "step 0 of 1  20.00 dB"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(45, "45 s"), (720, "12 min"), (12_000, "3 h 20 min"), (190_800, "2 d 5 h")],
)
def test_durations(seconds, said):
    assert training_progress._duration(seconds) == said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(number, interrupt)
    try:
        text = io.StringIO()
        with screen_on(text) as screen:
            screen.begins("trial 3", 0, 10)
            assert not screen.stops()
            os.kill(os.getpid(), number)
            assert screen.stops()
            assert "stopping after this step" in text.getvalue()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        assert signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)


def test_a_signal_while_nothing_is_trained_ends_at_once():
    before = signal.getsignal(signal.SIGTERM)
    with screen_on(io.StringIO()), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
