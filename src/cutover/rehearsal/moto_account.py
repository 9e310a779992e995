"""moto keeps its state per account in globals: a world takes one account for itself and puts it back afterwards."""

from __future__ import annotations

from typing import Any

from moto.core.base_backend import BackendDict
from moto.elbv2.models import ELBv2Backend, elbv2_backends

_BACKENDS: Any = BackendDict
_KEPT: dict[str, dict[int, Any]] = {}


def claim(account: str, region: str) -> ELBv2Backend:
    """A fresh moto account; what another user of moto in this process has there is put aside.

    Raises:
        RuntimeError: when another world has it.
    """
    if account in _KEPT:
        raise RuntimeError(f"another rehearsal of account {account} is running in this process")
    touched: list[Any] = [*_BACKENDS._instances]
    if elbv2_backends not in touched:
        touched.append(elbv2_backends)
    _KEPT[account] = {id(d): (d, dict.pop(d, account, None)) for d in touched}
    backend = ELBv2Backend(region, account)
    dict.__setitem__(elbv2_backends[account], region, backend)
    return backend


def release(account: str) -> None:
    """Forget everything of this account, and put back what was there before."""
    for used in [*_BACKENDS._instances]:
        dict.pop(used, account, None)
    for owner, before in _KEPT.pop(account, {}).values():
        dict.pop(owner, account, None)
        if before is not None:
            dict.__setitem__(owner, account, before)
