from __future__ import annotations

import threading

from core.generation.control import Control, Decision


def test_a_pause_holds_until_it_ends() -> None:
    control, answers = Control(), []
    control.pause()
    thread = threading.Thread(target=lambda: answers.append(control.wait_while_paused()))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    control.go_on()
    thread.join(5)
    assert answers == [Decision.GO_ON]


def test_a_stop_ends_a_pause() -> None:
    control = Control()
    control.pause()
    threading.Timer(0.05, control.stop_now).start()
    assert control.wait_while_paused() is Decision.STOP_NOW


def test_a_stop_cannot_be_taken_back() -> None:
    control = Control()
    control.stop_after_image()
    control.pause()
    control.go_on()
    assert control.decision is Decision.STOP_AFTER_IMAGE
    control.stop_now()
    control.stop_after_image()
    assert control.decision is Decision.STOP_NOW
