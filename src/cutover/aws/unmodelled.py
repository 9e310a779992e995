"""What AWS said about a route's actions and the SDK's model does not know: it would be lost by writing the list back.

botocore drops every member that its service model has no name for, without a word. ModifyRule and ModifyListener replace
the whole list (AWS docs), so a route that uses a younger feature would lose it with the first change. The raw reply
still has it: it is held against the model, and what the model lacks is named beside the rule or listener.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.etree import ElementTree as ET

UNMODELLED: Final = "UnmodelledActionMembers"
"""The key under which a rule or listener of a parsed reply carries the names; ours, never AWS's."""

_LISTS: Final = {
    "DescribeRules": ("Rules", "RuleArn", "Actions"),
    "DescribeListeners": ("Listeners", "ListenerArn", "DefaultActions"),
}


def watch(client: Any) -> None:
    """Have the replies of this ELBv2 client that hold actions looked at before anybody reads them."""
    model = client.meta.service_model
    service = model.service_id.hyphenize()
    for operation in _LISTS:
        client.meta.events.register(
            f"response-received.{service}.{operation}",
            _Guard(operation, model.operation_model(operation).output_shape),
        )


class _Guard:
    """One operation's handler: marks the items of a parsed reply."""

    def __init__(self, operation: str, shape: Any) -> None:
        self._items, self._arn, self._actions = _LISTS[operation]
        self._shape = shape.members[self._items].member.members[self._actions]

    def __call__(
        self,
        response_dict: Mapping[str, Any] | None = None,
        parsed_response: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        body = (response_dict or {}).get("body")
        if not body or not parsed_response:
            return
        items = {str(one.get(self._arn)): one for one in parsed_response.get(self._items, ())}
        for arn, names in self._unmodelled(body):
            if arn in items:
                items[arn][UNMODELLED] = names

    def _unmodelled(self, body: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
        try:
            root = ET.fromstring(body)  # noqa: S314  # botocore has parsed the same bytes with the same parser
        except ET.ParseError:
            return  # then botocore could not read it either, and says so
        for element in root.iter():
            if _name(element) != self._items:
                continue
            for item in element:
                parts = {_name(part): part for part in item}
                if self._actions in parts and self._arn in parts:
                    names = tuple(dict.fromkeys(_unknown(parts[self._actions], self._shape, "")))
                    if names:
                        yield (parts[self._arn].text or "").strip(), names


def _unknown(element: ET.Element, shape: Any, path: str) -> Iterator[str]:
    """Members below `element` that `shape` does not have, as `ForwardConfig.Mirror`."""
    if shape.type_name == "list":
        for one in element:
            yield from _unknown(one, shape.member, path)
    elif shape.type_name == "structure":
        known = {
            member.serialization.get("name", name): member
            for name, member in shape.members.items()
        }
        for one in element:
            here = f"{path}.{_name(one)}" if path else _name(one)
            if _name(one) in known:
                yield from _unknown(one, known[_name(one)], here)
            else:
                yield here


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
