"""One random rehearsal, held to every promise that its journal can break."""

from __future__ import annotations

import random
from pathlib import Path

from cutover.core.state import Phase, replay
from cutover.local.state_directory import StateDirectory
from cutover.wiring import rehearsed
from tests.promises.from_records import journal_broken
from tests.proofs.weather import random_plan, random_scenario


def rehearse(place: Path, seed: int) -> str:
    """Rehearse the plan and scenario of a seed; how it ended, in a few words.

    Raises:
        AssertionError: when a promise was broken; the message names the seed.
    """
    chance = random.Random(seed)
    plan, scenario = random_plan(chance), random_scenario(chance)
    try:
        result = rehearsed.rehearse(
            plan, scenario, name=f"seed {seed}", seed=seed, place=StateDirectory(place / str(seed))
        )
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    contents = result.run.contents()
    found = journal_broken(plan, contents.records, int(result.exit_code))
    if replay(plan, contents.records) != result.state:
        found.append("the journal does not fold to what the process had")
    if contents.damage is not None:
        found.append(f"the journal is damaged: {contents.damage}")
    if result.state.phase is Phase.ROLLED_BACK and not scenario.writer:
        found += [
            f"ROLLED_BACK, and {route} still sends {weight} per mille to the destination"
            for route, weight in result.truth.weights.items()
            if weight > 0
        ]
    if found:
        raise AssertionError(f"seed {seed}: {'; '.join(found)}")
    return f"{result.state.phase} {int(result.exit_code)}"
