"""What people and CloudWatch call the things of an ARN."""

from __future__ import annotations

import pytest

from cutover.core.arn import group_name, resource, route_name
from tests.fakes import DESTINATION, LISTENER, RULE


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (DESTINATION, "targetgroup/checkout-eks/8f2c1a9b0d3e4f56"),
        (LISTENER, "listener/app/prod-web/50dc6c495c0c9188/f2f7dc8efc522ab2"),
        ("arn:aws:iam::123456789012:role/ops:deploy", "role/ops:deploy"),
        ("checkout-eks", "checkout-eks"),
        ("", ""),
    ],
)
def test_the_resource_of_an_arn(arn: str, name: str) -> None:
    assert resource(arn) == name


@pytest.mark.parametrize(
    ("arn", "name"), [(DESTINATION, "checkout-eks"), ("checkout-eks", "checkout-eks")]
)
def test_the_name_of_a_group(arn: str, name: str) -> None:
    assert group_name(arn) == name


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (RULE, "rule 9683b2d02a6cabee"),
        (LISTENER, "listener f2f7dc8efc522ab2"),
        ("anything", "route anything"),
    ],
)
def test_a_route_is_named_as_the_console_finds_it(arn: str, name: str) -> None:
    assert route_name(arn) == name
