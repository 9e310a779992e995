"""The keys that calls are signed with, never held up by a refresh that hangs.

botocore refreshes temporary credentials in the thread that signs, behind one lock: while a helper, SSO or AssumeRole
hangs there, every other call waits, the rollback's too (botocore/credentials.py, RefreshableCredentials). Here a
refresh has a thread of its own, keys that are still valid go on being used meanwhile, and when they are not, a refresh
that hangs is waited for only so long before another is begun beside it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from botocore import exceptions as aws
from botocore.credentials import ReadOnlyCredentials, create_credential_resolver

from cutover.core.moment import Moment
from cutover.core.values import duration_text
from cutover.ports import Clock

PATIENCE_MS: Final = 8_000
"""How long one refresh is waited for; after it whoever needs keys begins another beside it."""

AHEAD_S: Final = 15 * 60
"""Refreshed when less is left, as botocore does it."""

LEAST_S: Final = 30
"""Keys with less left are not signed with: a call of 13 s must be answered before they end."""

APART_MS: Final = 5_000
"""A refresh ahead of time that failed is not tried again sooner."""

MOST: Final = 8
"""Refreshes that may hang at once before the next is begun only once a minute: what hangs must not keep one that works away."""

THEN_APART_MS: Final = 60_000

_SLICE_MS: Final = 50

Load = Callable[[], Any]
"""Goes through botocore's whole chain of providers; None when none has credentials."""


@dataclass
class _Attempt:
    began: Moment
    over: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


class LiveCredentials:
    """Stands for a session's credentials; `get_frozen_credentials` is what botocore's signer asks.

    Args:
        load: makes botocore's own credentials.
        clock: measures patience.
        patience_ms: see `PATIENCE_MS`.
    """

    def __init__(self, load: Load, clock: Clock, *, patience_ms: int = PATIENCE_MS) -> None:
        self._load = load
        self._clock = clock
        self._patience_ms = patience_ms
        self._lock = threading.Lock()
        self._found: Any = None
        self._frozen: ReadOnlyCredentials | None = None
        self._running: list[_Attempt] = []
        self._failed: Moment | None = None
        self._asked_again: Moment | None = None
        self._here = threading.local()

    @property
    def found(self) -> Any:
        """Botocore's own credentials; None before they were found."""
        return self._found

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Keys that are valid now.

        Raises:
            BotoCoreError: when there are none; not later than the patience.
            ClientError: when AWS refuses to give any.
        """
        with self._lock:
            self._here.keys = keys = self._frozen
            if keys is not None and not self._ends_within(LEAST_S):
                if (
                    self._ends_within(AHEAD_S)
                    and not self._running
                    and not self._failed_just_now()
                ):
                    with suppress(RuntimeError):  # no thread to be had: these keys are still good
                        self._begin()
                return keys
            mine = not self._running
            attempt = self._begin() if mine else self._running[-1]
        self._here.keys = keys = self._waited_for(attempt, mine=mine)
        return keys

    def refused(self) -> None:
        """AWS says that the keys this thread signed with have ended, or are wrong: the next call looks for new ones.

        Keys in a file or a profile are renewed there by whoever logs in again; botocore would never look.
        """
        with self._lock:
            again = (
                self._asked_again is None or self._clock.now().after(self._asked_again) > APART_MS
            )
            if (
                again
                and self._frozen is not None
                and self._frozen is getattr(self._here, "keys", None)
            ):
                self._found, self._frozen = None, None
                self._asked_again = self._clock.now()

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """As botocore's credentials have it, for endpoints that depend on the account."""

        def value() -> Any:
            return getattr(self.get_frozen_credentials(), name, None)

        return value

    def _waited_for(self, attempt: _Attempt, *, mine: bool) -> ReadOnlyCredentials:
        """The keys of whichever refresh is the first to have some; one that another caller began may hang already."""
        waited_ms = 0
        while True:
            over = attempt.over.wait(_SLICE_MS / 1000)
            waited_ms += _SLICE_MS
            with self._lock:
                if self._frozen is not None and not self._ends_within(0):
                    return self._frozen
                if over and attempt.error is not None:
                    raise attempt.error
                if max(waited_ms, self._clock.now().after(attempt.began)) < self._patience_ms:
                    continue
                if mine or not self._may_begin():
                    raise aws.CredentialRetrievalError(
                        provider=self._provider(),
                        error_msg=f"no answer within {duration_text(self._patience_ms)}",
                    )
                newest = self._running[-1] if self._running else attempt
                if (
                    newest is not attempt
                    and self._clock.now().after(newest.began) < self._patience_ms
                ):
                    attempt, waited_ms = newest, 0  # somebody else has begun one meanwhile
                    continue
                attempt, mine, waited_ms = self._begin(), True, 0

    def _may_begin(self) -> bool:
        """Another refresh beside those that hang: at first at once, later one a minute."""
        if len(self._running) < MOST:
            return True
        return self._clock.now().after(self._running[-1].began) >= THEN_APART_MS

    def _begin(self) -> _Attempt:
        """Refresh in a thread of its own; past one that hangs, through the whole chain again."""
        known = None if self._running else self._found
        attempt = _Attempt(self._clock.now())
        thread = threading.Thread(target=self._refresh, args=(attempt, known), daemon=True)
        thread.name = "cutover-keys"
        thread.start()  # it waits for our lock before it takes itself off the list
        self._running.append(attempt)
        return attempt

    def _refresh(self, attempt: _Attempt, known: Any) -> None:
        try:
            found = self._load() if known is None else known
            keys = _keys_of(found, refreshed=known is not None)
        except Exception as error:  # noqa: BLE001  # whatever a provider raises, there are no keys
            attempt.error = _meaning(error, self._provider())
            keys, found = None, None
        with self._lock:
            if keys is not None:
                self._found, self._frozen, self._failed = found, keys, None
            else:
                self._failed = self._clock.now()
            self._running.remove(attempt)
        attempt.over.set()

    def _ends_within(self, seconds: int) -> bool:
        needed = getattr(self._found, "refresh_needed", None)
        return bool(needed is not None and needed(refresh_in=seconds))

    def _failed_just_now(self) -> bool:
        return self._failed is not None and self._clock.now().after(self._failed) < APART_MS

    def _provider(self) -> str:
        return str(getattr(self._found, "method", "") or "credentials")


def _keys_of(found: Any, *, refreshed: bool) -> ReadOnlyCredentials:
    """The keys of botocore's credentials.

    botocore would fetch those again that are new and end within 15 minutes; they are good until they end.
    """
    if found is None:
        raise aws.NoCredentialsError
    needed = getattr(found, "refresh_needed", None)
    new = None
    if not refreshed and needed is not None and not needed(refresh_in=LEAST_S):
        new = getattr(found, "_frozen_credentials", None)
    keys: ReadOnlyCredentials = new or found.get_frozen_credentials()
    if not all(isinstance(text, str) and text for text in (keys.access_key, keys.secret_key)):
        raise ValueError("a key is missing or is no text")
    return keys


def _meaning(error: Exception, provider: str) -> Exception:
    """An answer or a loss of AWS as it is; everything else is credentials that cannot be had."""
    known = (aws.BotoCoreError, aws.ClientError)
    if isinstance(error, known):
        return error
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        what = f"its answer is not JSON ({type(error).__name__}: {error})"
    else:
        what = f"{type(error).__name__}: {error}"
    return aws.CredentialRetrievalError(provider=provider, error_msg=what)


class Resolver:
    """botocore's component that finds credentials: it answers at once, and finds them when they are needed."""

    def __init__(self, credentials: LiveCredentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> LiveCredentials:
        """The session's credentials."""
        return self._credentials


def install(session: Any, clock: Clock) -> None:
    """Let a botocore session find its credentials in the patient way."""

    def load() -> Any:
        return create_credential_resolver(session).load_credentials()

    session.register_component("credential_provider", Resolver(LiveCredentials(load, clock)))
