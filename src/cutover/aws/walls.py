"""Walls below the SDK: which endpoints may be asked, and which operations may be called.

Design 5.4: a loopback endpoint makes the session emulated; any other custom endpoint is refused.
AWS docs: endpoints can come from `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, `endpoint_url` in
a profile or in its `services` section, and `use_dualstack_endpoint` (SDKs and Tools reference guide,
service-specific endpoints). Two walls, because there are many ways: the settings are looked at before
the first client, and every client's resolved endpoint again.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from cutover.core.errors import RefusedError

WRITES: Final = frozenset({"ModifyRule", "ModifyListener"})
"""The only operations that change anything and are ever allowed."""

_READS: Final = ("Describe", "Get", "List")
_AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu")


class DryRunError(RefusedError):
    """A session that may only read was asked to write."""


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_aws(url: str) -> bool:
    """Whether the URL is a standard AWS endpoint, reached by TLS."""
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(_AWS_DOMAINS)


def custom_endpoints(
    environment: Mapping[str, str], profile: Mapping[str, Any], services: Mapping[str, Any]
) -> dict[str, str]:
    """Every configured custom endpoint, by where it was set.

    Args:
        environment: the process's environment.
        profile: the settings of the chosen profile (botocore's scoped config).
        services: the `services` sections of the config file by name.
    """
    if _true(
        environment.get(
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", profile.get("ignore_configured_endpoint_urls")
        )
    ):
        return {}
    found = {
        name: url
        for name, url in sorted(environment.items())
        if name.startswith("AWS_ENDPOINT_URL") and url
    }
    if url := profile.get("endpoint_url"):
        found["endpoint_url in the profile"] = str(url)
    for service, settings in sorted(services.get(profile.get("services", ""), {}).items()):
        if isinstance(settings, Mapping) and (url := settings.get("endpoint_url")):
            found[f"endpoint_url of {service} in the profile's services"] = str(url)
    return found


def emulated_by(endpoints: Mapping[str, str]) -> bool:
    """Whether the settings point at this machine.

    Raises:
        RefusedError: when any of them points anywhere else.
    """
    for where, url in endpoints.items():
        if not is_loopback(url):
            raise RefusedError(
                f"{where} sends AWS calls to {url}, which is neither AWS nor this machine",
                hint="Unset it, or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true; only loopback may stand in for AWS.",
            )
    return bool(endpoints)


def refuse_dualstack(environment: Mapping[str, str], profile: Mapping[str, Any]) -> None:
    """Dual-stack endpoints are refused: no rehearsal can hold them (moto does not catch them).

    Raises:
        RefusedError: when the environment or the profile asks for them.
    """
    if _true(environment.get("AWS_USE_DUALSTACK_ENDPOINT", profile.get("use_dualstack_endpoint"))):
        raise RefusedError(
            "use_dualstack_endpoint is on, and only standard AWS endpoints are allowed",
            hint="Set AWS_USE_DUALSTACK_ENDPOINT=false for this command.",
        )


def check_endpoint(url: str, *, loopback: bool) -> None:
    """Hold a client's resolved endpoint against what the session is.

    Raises:
        RefusedError: when it is not where this session may send anything.
    """
    if loopback and not is_loopback(url):
        raise RefusedError(
            f"this session is emulated, but {url} would be asked: some endpoints are custom and some are not",
            hint="Set AWS_ENDPOINT_URL (without a service) to the emulator.",
        )
    if not loopback and not is_aws(url):
        raise RefusedError(
            f"{url} is not a standard AWS endpoint",
            hint="Remove the custom endpoint from the environment, the profile or the SDK's settings.",
        )


def check_operation(name: str, *, dry_run: bool) -> None:
    """Let reads pass, and our two writes where they may.

    Raises:
        DryRunError: for anything else.
    """
    if name.startswith(_READS) or (name in WRITES and not dry_run):
        return
    why = "this is a dry run" if dry_run else "this tool has no business with it"
    raise DryRunError(f"{name} was not sent: {why}")


def _true(value: object) -> bool:
    return str(value).strip().lower() == "true"
