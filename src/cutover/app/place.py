"""Where this user's runs are."""

from __future__ import annotations

import os

from cutover.local.state_directory import StateDirectory


def state_directory() -> StateDirectory:
    """Where this user's runs are; nothing is created.

    Raises:
        UsageError: when no such place is known.
    """
    return StateDirectory.find(os.environ)
