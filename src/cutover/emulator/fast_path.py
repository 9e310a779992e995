"""Frequent reads of a rehearsal, without validating and serialising the same request thousands of times.

The first call of every operation, and every hundredth after it, goes botocore's whole way; the others skip to the events.
What an adapter registered on its client (walls, clocks) still sees every call, and every error is the same exception.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cutover.emulator.responses import Call

WHOLE_WAY_EVERY = 100


def shortened(answers_at_once: Callable[[Call], bool]) -> Callable[..., None]:
    """A handler of `creating-client-class`: clients made from now on take the short way where they can."""
    made: dict[str, int] = {}

    class ShortWay:
        """Stands before botocore's BaseClient."""

        meta: Any
        exceptions: Any
        _service_model: Any
        _request_signer: Any

        def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> Any:
            call = Call(self._service_model.service_name, operation_name, api_params)
            number = made.get(operation_name, 0)
            made[operation_name] = number + 1
            if number % WHOLE_WAY_EVERY == 0 or not answers_at_once(call):
                return super()._make_api_call(operation_name, api_params)  # type: ignore[misc]
            model = self._service_model.operation_model(operation_name)
            name = f"{self._service_model.service_id.hyphenize()}.{operation_name}"
            context: dict[str, Any] = {"rehearsal_params": api_params}
            _, answer = self.meta.events.emit_until_response(
                f"before-call.{name}",
                model=model,
                params={},
                request_signer=self._request_signer,
                context=context,
            )
            http, parsed = answer
            self.meta.events.emit(
                f"after-call.{name}",
                http_response=http,
                parsed=parsed,
                model=model,
                context=context,
            )
            if http.status_code >= 300:
                raise self.exceptions.from_code(parsed["Error"]["Code"])(parsed, operation_name)
            return parsed

    def creating(base_classes: list[type], **_: Any) -> None:
        base_classes.insert(0, ShortWay)

    return creating
