"""Who drives a run, for commands that only look and load little."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Holder:
    """Who drives a run, as its lease says: for people only, the lease itself decides."""

    run: str
    pid: int
    host: str
    since: str
