"""The AWS session: one attempt per call, hard timeouts, walls, and AWS's clock."""

from __future__ import annotations

import os
import threading
from email.utils import parsedate_to_datetime
from random import Random
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

from cutover import __version__
from cutover.aws import endpoint_policy, unmodelled
from cutover.aws.replies import hold_to_promise
from cutover.aws.retry import Retry, has_ended
from cutover.aws.write_tickets import permit_write
from cutover.core.errors import CredentialsError, UsageError, masked
from cutover.core.moment import wall_ms
from cutover.ports import Clock

if TYPE_CHECKING:
    import boto3

CONNECT_SECONDS: Final = 3
READ_SECONDS: Final = 4
"""How long a read's answer is waited for: a lost one must leave time to ask again within the turn's 13 s."""

WRITE_SECONDS: Final = 10
"""How long a write's answer is waited for; it is not sent again, so all of the turn's deadline is its own."""

SKEW_NOISE_MS: Final = 2_000
"""The Date header has whole seconds and is as old as the reply's way: less than this is no skew."""


def open_session(
    clock: Clock,
    *,
    profile: str | None = None,
    region: str | None = None,
    dry_run: bool = False,
    random: Random | None = None,
) -> AwsSession:
    """The session of a live command, from `--profile`, `--region` and `AWS_*` as the AWS CLI reads them.

    Raises:
        RefusedError: when a setting would send calls to something that is neither AWS nor loopback.
        CredentialsError: when the profile does not exist or its files cannot be read.
        UsageError: when no Region is known.
    """
    import boto3  # noqa: PLC0415  # 0.1 s that `cutover --help` must not pay
    from botocore import exceptions  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    from cutover.aws import credentials  # noqa: PLC0415

    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        scoped: dict[str, Any] = session._session.get_scoped_config()  # noqa: SLF001  # boto3 has no public way
        services: dict[str, Any] = session._session.full_config.get("services", {})  # noqa: SLF001
    except exceptions.BotoCoreError as error:
        raise CredentialsError(
            masked(str(error)), hint="Check --profile, AWS_PROFILE and ~/.aws/config."
        ) from None
    if not session.region_name:
        raise UsageError("no AWS Region is known", hint="Pass --region or set AWS_REGION.")
    credentials.install(session._session, clock)  # noqa: SLF001
    endpoint_policy.refuse_dualstack(os.environ, scoped)
    loopback = endpoint_policy.emulated_by(
        endpoint_policy.custom_endpoints(os.environ, scoped, services)
    )
    if loopback:
        # also for the clients that botocore makes itself, to fetch credentials
        session._session.set_default_client_config(Config(proxies={}))  # noqa: SLF001  # boto3 has no public way
    else:
        endpoint_policy.refuse_unusable_proxies(getproxies())
    return AwsSession(
        session, clock, emulated=loopback, loopback=loopback, dry_run=dry_run, random=random
    )


class AwsSession:
    """Clients of one boto3 session, made once each, with the same walls around all of them.

    Args:
        session: live or ready-made (a rehearsal brings its own, with dummy keys, on moto).
        clock: for the skew, and the sleeps between tries of a read.
        emulated: not the real AWS; stamped into the journal.
        loopback: emulated by a server on this machine: no client may resolve to anything else.
        dry_run: refuse every operation that is not read-only, below the adapters.
        trust_date: measure the skew by AWS's Date header; emulators send their own clock, so by
            default only where the session is real.
        random: the jitter between tries of a read.

    Attributes:
        emulated: as given.
        dry_run: as given.
        reads: tries reads again while the turn allows.
        clock: as given.
    """

    def __init__(
        self,
        session: boto3.Session,
        clock: Clock,
        *,
        emulated: bool,
        loopback: bool = False,
        dry_run: bool = False,
        trust_date: bool | None = None,
        random: Random | None = None,
    ) -> None:
        self.boto = session
        self.clock = clock
        self.emulated = emulated
        self.dry_run = dry_run
        self.reads = Retry(clock, random or Random())
        self._loopback = loopback
        self._trust_date = (not emulated) if trust_date is None else trust_date
        self._skew_ms = 0
        self._clients: dict[str, Any] = {}
        self._unguarded = ""
        self._making = threading.Lock()

    @property
    def on_the_wire(self) -> bool:
        """Calls leave this process: to AWS, or to an emulator behind a loopback endpoint."""
        return self._loopback or not self.emulated

    @property
    def unguarded(self) -> str:
        """Why this botocore's connections do not ask a write's ticket; empty when they do."""
        return self._unguarded

    def keys(self) -> None:
        """Have keys to sign with, refreshed where they must be.

        Raises:
            BotoCoreError, ClientError: when there are none.
        """
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

        credentials = self.boto.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        credentials.get_frozen_credentials()

    @property
    def region(self) -> str:
        """The Region every client asks."""
        return str(self.boto.region_name)

    @property
    def skew_ms(self) -> int:
        """AWS's clock minus ours by the last reply; 0 before any and below what its header can show."""
        return self._skew_ms

    def client(self, service: str) -> Any:
        """The client of a service, with its walls.

        Raises:
            RefusedError: when its endpoint is not one this session may use.
        """
        with self._making:  # boto3 sessions are not safe to make clients side by side
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415

        client = self.boto.client(
            service,
            config=Config(
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=WRITE_SECONDS if service == "elbv2" else READ_SECONDS,
                max_pool_connections=32,
                user_agent_extra=f"cutover/{__version__}",
                use_dualstack_endpoint=False,
                # this machine is reached without a proxy, whatever HTTP_PROXY says; None: as the environment says
                proxies={} if self._loopback else None,
            ),
        )
        endpoint_policy.check_endpoint(client.meta.endpoint_url, loopback=self._loopback)
        if service == "elbv2":
            from cutover.aws.wire import guard  # noqa: PLC0415

            self._unguarded = guard(client)
        client.meta.events.register_first("before-call", self._before_call)
        client.meta.events.register_last("after-call", self._after_call)
        if service == "elbv2":
            unmodelled.watch(client)
        return client

    def _before_call(self, model: Any, context: dict[str, Any], **_: Any) -> None:
        endpoint_policy.check_operation(model.name, dry_run=self.dry_run)
        if model.name in endpoint_policy.WRITES:
            permit_write(here=not self.on_the_wire)
        else:
            context["read_timeout"] = (
                READ_SECONDS  # an older botocore waits as long as for a write
            )

    def _after_call(self, http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
        if http_response.status_code < 300:
            hold_to_promise(model.name, parsed)
        elif has_ended(str(_error_code(parsed))):
            refused = getattr(self.boto.get_credentials(), "refused", None)
            if refused is not None:
                refused()
        if self._trust_date:
            self._learn_skew(http_response.headers.get("Date"))

    def _learn_skew(self, date: Any) -> None:
        try:
            said = wall_ms(parsedate_to_datetime(date)) + 500  # the middle of the second it names
        except Exception:  # noqa: BLE001  # a header that is no date, in whatever way
            return
        skew = said - self.clock.now().wall_ms
        self._skew_ms = skew if abs(skew) > SKEW_NOISE_MS else 0


def _error_code(parsed: Any) -> Any:
    said = parsed.get("Error") if isinstance(parsed, dict) else None
    return said.get("Code", "") if isinstance(said, dict) else ""
