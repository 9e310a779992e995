"""Action lists in short lines."""

from __future__ import annotations

import pytest

from cutover.core.routing import RouteConfig
from cutover.render.actions import action_lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[]", ()),
        ("not json", ("not json",)),
        ('{"a": 1}', ('{"a": 1}',)),
        ("[3]", ("3",)),
        ('[{"Type": "fixed-response", "Order": 2}]', ("fixed-response",)),
        (
            (
                '[{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "arn:x:targetgroup/eks/1", '
                '"Weight": 10}], "TargetGroupStickinessConfig": {"Enabled": true, "DurationSeconds": 600}}}]'
            ),
            ("forward  eks 10  sticky 600s",),
        ),
    ],
)
def test_an_action_is_one_short_line(text: str, lines: tuple[str, ...]) -> None:
    assert action_lines(RouteConfig(text, None, attached=True)) == lines
