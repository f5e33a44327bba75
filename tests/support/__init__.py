"""What every test gets without asking, and the few helpers it may ask for.

Without asking (the plugins of tests/conftest.py):

- ``async def test_…`` runs on a fresh event loop. ``@pytest.mark.virtual_time`` gives it a loop whose clock jumps to the
  next timer when nothing else is to do: hours of play take seconds. Code that asks ``time.monotonic()`` instead of its
  loop, or works in a thread, does not jump.
- A test ends within 60 s, or as ``@pytest.mark.timeout(seconds)`` says.
- Tasks, threads, child processes (orphaned grandchildren too) and sockets that outlive a test fail it by name. So does
  an exception that nobody saw: in a task, a callback, a thread or a finaliser. Warnings are errors.
- What a fixture of a wider scope starts belongs to that fixture, and must be gone when the fixture is.
- Tests marked ``slow``, ``bench``, ``engines`` or ``board`` are deselected and counted, unless ``-m`` names the marker or
  ``KONTOR_WITH`` lists it (``KONTOR_WITH=slow,engines``). A ``board`` test needs real hardware.

For the asking: :func:`need` (skip where something installable is missing; ``KONTOR_REQUIRE=all`` makes that a failure),
:func:`free_port`, :func:`until` and :func:`wait_for`, and the fixtures ``free_port`` and ``short_dir``.
"""

from tests.support.need import need
from tests.support.ports import free_port
from tests.support.virtual_time import VirtualTimeLoop
from tests.support.waiting import until, wait_for

__all__ = ["VirtualTimeLoop", "free_port", "need", "until", "wait_for"]
