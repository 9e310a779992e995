"""Going back."""

from __future__ import annotations

from tests.promises.facts import Recorded, Setting
from tests.promises.promise import Promise


def _began(_setting: Setting, back: bool, fact: Recorded) -> tuple[bool, str]:
    if fact.type == "phase":
        back |= fact.body["after"] == "ROLLING_BACK"
    if back and fact.type == "intent" and fact.body["kind"] != "restore":
        return back, f"record {fact.seq}: a {fact.body['kind']} after the rollback began"
    return back, ""


ABSORBING = Promise(
    id="P11",
    text="Once a rollback began nothing goes forward any more in that run, whatever process drives it.",
    ends="A new run is a new attempt, with its own snapshot.",
    start=False,
    hears={Recorded: _began},
)
