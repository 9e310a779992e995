"""The way back of a route: the config that returns it, and the stickiness strategy that recalls sticky clients. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cutover.aws.route_config import (
    Ends,
    config_of_actions,
    others,
    pair_sum,
    put_weights,
    spelled_out,
    take_out,
    weights_in,
    weights_of,
)
from cutover.core.arn import resource
from cutover.core.preflight.split import MOST, split
from cutover.core.routing import RouteConfig
from cutover.core.values import NONE

STICKINESS_STRATEGIES: Final = ("keep", "unstick", "remove")


def way_back(
    live: RouteConfig,
    snapshot: RouteConfig,
    ends: Ends,
    stickiness_strategy: str,
    *,
    verbatim: bool,
) -> RouteConfig | None:
    """The config that takes the route back, or None when our groups are gone.

    Verbatim is the snapshot, spelled as it was found; otherwise `live` with only our two weights as in the snapshot. Over
    either, `stickiness strategy` recalls clients that a stickiness cookie would keep on the destination:
    `unstick` turns group stickiness off where the destination stays in the action, `remove` takes
    it out. AWS docs: a request with a valid stickiness cookie ignores weights (rule action types).
    What the live config holds and this version cannot read goes along as `unmodelled`, for the write to name.
    """
    back = _way_back(live, snapshot, ends, stickiness_strategy, verbatim=verbatim)
    if back is None or not live.unmodelled:
        return back
    return replace(back, unmodelled=live.unmodelled)


def _way_back(
    live: RouteConfig,
    snapshot: RouteConfig,
    ends: Ends,
    stickiness_strategy: str,
    *,
    verbatim: bool,
) -> RouteConfig | None:
    base = snapshot if verbatim else _only_weights_back(live, snapshot, ends)
    if base is None or ends.destination not in weights_of(base):
        return base
    if stickiness_strategy == "keep":
        return base
    actions, forward = spelled_out(base)
    if forward is None or len(weights_in(forward)) < 2:
        return base
    if stickiness_strategy == "unstick":
        forward["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": False}
    elif stickiness_strategy == "remove":
        take_out(forward, ends)
    else:
        raise ValueError(
            f"no rollback stickiness strategy {stickiness_strategy!r}; there are {', '.join(STICKINESS_STRATEGIES)}"
        )
    return config_of_actions(actions, ends)


def stickiness_strategy_for(
    config: RouteConfig, ends: Ends, target_sticky: Sequence[str]
) -> tuple[str, str]:
    """The rollback stickiness strategy of a route as found and why, in a clause for people.

    Args:
        config: the route before the run.
        ends: its two groups.
        target_sticky: ARNs of groups of the resulting action whose *target* stickiness is on.
    """
    if target_sticky and not config.sticky:
        return "none", (
            f"target stickiness is on for {', '.join(resource(arn) for arn in target_sticky)} and group stickiness "
            "is off, so AWS refuses an action with two groups"
        )
    if target_sticky:
        return (
            "remove",
            "target stickiness forbids switching group stickiness off, so the group is taken out",
        )
    if config.sticky and not config.attached:
        return (
            "remove",
            "the destination's group is taken out again, which voids its stickiness cookies",
        )
    if config.sticky:
        return (
            "unstick",
            "weight 0 recalls no cookie, so group stickiness is switched off and must be put back later",
        )
    return "keep", "no stickiness is in the way: the snapshot is restored"


def _only_weights_back(live: RouteConfig, snapshot: RouteConfig, ends: Ends) -> RouteConfig | None:
    actions, forward = spelled_out(live)
    if forward is None or ends.source not in weights_in(forward):
        return None
    weights = weights_in(forward)
    found = weights_of(snapshot)
    if ends.destination not in weights:
        if weights[ends.source] == 0:
            put_weights(forward, {ends.source: found.get(ends.source, 0) or 1})
        return config_of_actions(actions, ends)
    bound = pair_sum(live, ends) if any(others(live, ends).values()) else None
    put_weights(forward, _weights_back(snapshot, ends, bound))
    return config_of_actions(actions, ends)


def _weights_back(snapshot: RouteConfig, ends: Ends, bound: int | None) -> dict[str, int]:
    """Our two weights as in the snapshot; a live sum that cannot carry them gives the source all of it."""
    if bound == 0:  # somebody emptied the pair beside a third group: only the snapshot has a sum
        found = weights_of(snapshot)
        return {
            ends.source: found.get(ends.source, 0) or 1,
            ends.destination: found.get(ends.destination, 0),
        }
    try:
        source, destination = split(snapshot.weight or NONE, bound)
    except ValueError:
        source, destination = min(bound or MOST, MOST), 0
    return {ends.source: source, ends.destination: destination}
