"""Walls below the SDK: which endpoints may be asked, and which operations may be called.

Design 5.4: a loopback endpoint makes the session emulated; any other custom endpoint is refused.
AWS docs: endpoints can come from `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, `endpoint_url` in
a profile or in its `services` section, and `use_dualstack_endpoint` (SDKs and Tools reference guide,
service-specific endpoints). Two walls, because there are many ways: the settings are looked at before
the first client, and every client's resolved endpoint again.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from cutover.core.errors import RefusedError, UsageError, masked, printable

WRITES: Final = frozenset({"ModifyRule", "ModifyListener"})
"""The only operations that change anything and are ever allowed."""

_READS: Final = ("Describe", "Get", "List")
_NOT_IN_A_URL: Final = re.compile(r"[\s\\\x00-\x20\x7f]")

Resolve = Callable[[str], Sequence[str]]
"""The addresses of a host's name."""

_AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu")


class DryRunError(RefusedError):
    """A session that may only read was asked to write."""


def parsed_url(where: str, url: str) -> SplitResult:
    """A setting that must be the URL of a server.

    Raises:
        UsageError: for anything that no client could send a request to, or different ones to different hosts.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise _no_url(where, url, "it cannot be parsed") from None
    if parts.scheme not in ("http", "https"):
        raise _no_url(where, url, "it does not begin with http:// or https://")
    try:
        _ = parts.port  # only looked at when it is asked for
    except ValueError:
        raise _no_url(where, url, "its port is no number up to 65535") from None
    # urlsplit drops line breaks and tabs in silence, and others end a host at a backslash
    if not host or _NOT_IN_A_URL.search(url):
        raise _no_url(where, url, "it holds a blank or a backslash" if host else "it has no host")
    return parts


def _no_url(where: str, url: str, why: str) -> UsageError:
    # where it ends cannot be told, so everything before the last @ may be a password
    shown = printable(re.sub(r"(?s)(?:(?<=://)|^).*@", "***@", url))
    return UsageError(
        f"{where} is no URL of a server: {shown}: {why}",
        hint="write it like http://127.0.0.1:5000, or unset it; nothing was sent",
    )


def is_loopback(host: str, resolve: Resolve | None = None) -> bool:
    """Whether the host is this machine: a loopback address, or a `localhost` that leads to nothing else.

    RFC 6761 section 6.3 wants `localhost` and `*.localhost` to be loopback; resolvers need not keep to it.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        pass
    if host != "localhost" and not host.endswith(".localhost"):
        return False
    found = (resolve or _resolved)(host)
    return bool(found) and all(ip_address(one.partition("%")[0]).is_loopback for one in found)


def _resolved(host: str) -> tuple[str, ...]:
    """Every address that the host's name has here; none when it has none."""
    try:
        return tuple(str(found[4][0]) for found in socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return ()


def is_aws(parts: SplitResult) -> bool:
    """Whether the URL is a standard AWS endpoint, reached by TLS."""
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
        UsageError: when one of them is no URL.
        RefusedError: when any of them points anywhere else.
    """
    for where, url in endpoints.items():
        host = parsed_url(where, url).hostname or ""
        if not is_loopback(host):
            named = host.endswith("localhost")
            why = (
                "does not resolve to this machine" if named else "is neither AWS nor this machine"
            )
            raise RefusedError(
                f"{where} sends AWS calls to {masked(url)}, which {why}",
                hint="Unset it, or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true; only loopback may stand in for AWS.",
            )
    return bool(endpoints)


def refuse_unusable_proxies(proxies: Mapping[str, str]) -> None:
    """Refuse a proxy that nothing could be sent to, before the first call fails on it.

    Args:
        proxies: by scheme, as the environment has them (`urllib.request.getproxies`).

    Raises:
        UsageError: for one that is no URL of a server.
    """
    for scheme in ("http", "https", "all"):
        # a bare host and port is taken for http, as botocore does
        url = proxies.get(scheme, "")
        if url:
            parsed_url(f"{scheme.upper()}_PROXY", url if "://" in url else f"http://{url}")


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
        UsageError: when it is no URL.
        RefusedError: when it is not where this session may send anything.
    """
    parts = parsed_url("the endpoint", url)
    if loopback and not is_loopback(parts.hostname or ""):
        raise RefusedError(
            f"this session is emulated, but {masked(url)} would be asked: some endpoints are custom and some are not",
            hint="Set AWS_ENDPOINT_URL (without a service) to the emulator.",
        )
    if not loopback and not is_aws(parts):
        raise RefusedError(
            f"{masked(url)} is not a standard AWS endpoint",
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
