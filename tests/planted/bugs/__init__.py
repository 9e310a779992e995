"""Every planted bug."""

from __future__ import annotations

from tests.planted.bug import Planted
from tests.planted.bugs.back import BACK
from tests.planted.bugs.evidence import EVIDENCE
from tests.planted.bugs.forward import FORWARD
from tests.planted.bugs.journal import JOURNAL
from tests.planted.bugs.people import PEOPLE
from tests.planted.bugs.wire import WIRE

PLANTED: tuple[Planted, ...] = (*JOURNAL, *FORWARD, *EVIDENCE, *BACK, *PEOPLE, *WIRE)
