"""moto keeps its state in globals, by account: each world takes an account that nobody else can mean."""

from __future__ import annotations

from itertools import count
from typing import Any

from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.model_instances import reset_model_data
from moto.elbv2.models import ELBv2Backend, elbv2_backends

_BACKENDS: Any = BackendDict
_REGIONS: Any = AccountSpecificBackend._generate_regions
_NUMBERS = count(1)


def claim(region: str) -> ELBv2Backend:
    """An empty ELBv2 backend; its `account_id` is moto's key only, ARNs carry the plan's account."""
    account = f"{next(_NUMBERS):012d}"
    backend = ELBv2Backend(region, account)
    dict.__setitem__(elbv2_backends[account], region, backend)
    return backend


def release(account: str) -> None:
    """Forget everything of that account.

    moto also keeps every model and every backend ever made, in a list and in a cache of names of Regions: through them each
    world would stay in memory, 30 MB of it.
    """
    for used in [*_BACKENDS._instances]:
        dict.pop(used, account, None)
    reset_model_data()
    _REGIONS.cache_clear()
