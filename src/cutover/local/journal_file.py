"""The journal's lines: what a record looks like in bytes, and what may be believed of a file.

One record is one line of canonical JSON. `hash` is the SHA-256 of the same JSON without `hash`, and
`prev` is the hash of the line before, so a changed, missing or moved line shows. What no chain shows is a cut at a line's
end: compare the head hash with one that was printed or sent elsewhere (docs/promises.md P23).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from cutover.core.journal import VERSION
from cutover.core.journal.codec import FIRST, UPCASTS, body, parse
from cutover.core.journal.contents import Damage, DamageKind, JournalContents
from cutover.core.journal.events import TYPES, Event, Record
from cutover.core.moment import Moment, wall_text
from cutover.core.values import canonical_json, digest

ENVELOPE = frozenset(
    {"v", "seq", "run", "epoch", "type", "at", "boot_ms", "boot_id", "prev", "hash"}
)
FIRST_PREV = ""
"""`prev` of the first record."""


_A_TURN = 4 << 20
"""No turn's records are longer: so far back a fallback may begin."""


_LAST_YEAR, _LAST_MS = 2200, 7_258_118_400_000
"""No run is as late as that: durations after it still fit into a calendar, which ends with the year 9999."""


def normal(record: Record) -> Record:
    """The record as it will be read back: whole milliseconds, lists for nested tuples."""
    at = record.at
    wall = at.wall.replace(microsecond=at.wall.microsecond // 1000 * 1000)
    event = parse(record.event.type, body(record.event))
    return Record(record.seq, record.epoch, Moment(wall, at.boot_ms, at.boot_id), event)


def encode(record: Record, run: str, prev: str) -> tuple[bytes, str]:
    """The record's line with its newline, and its hash.

    Raises:
        TypeError: when the event holds what a journal cannot (a float, None).
    """
    data: dict[str, Any] = {
        **body(record.event),
        "v": VERSION,
        "seq": record.seq,
        "run": run,
        "epoch": record.epoch,
        "type": record.event.type,
        "at": wall_text(record.at.wall),
        "boot_ms": record.at.boot_ms,
        "boot_id": record.at.boot_id,
        "prev": prev,
    }
    hashed = digest(canonical_json(data))
    return canonical_json({**data, "hash": hashed}).encode("ascii") + b"\n", hashed


def read_journal(data: bytes) -> JournalContents:
    """Everything in `data` that may be believed. Never raises, whatever the bytes are."""
    records: list[Record] = []
    run, head, good = "", FIRST_PREV, 0
    while good < len(data):
        end = data.find(b"\n", good)
        last = end < 0 or end + 1 == len(data)
        line = data[good:] if end < 0 else data[good:end]
        # A file system may give zeros for blocks that a power loss kept from the disk: also never finished.
        if end < 0 or (last and b"\0" in line):
            return JournalContents(tuple(records), run, head, good, torn=data[good:])
        try:
            record, line_run, line_hash = _decode(line, head)
            _continues(records, record, run, line_run)
        except _DisbeliefError as found:
            damage = Damage(len(records) + 1, found.kind, str(found))
            return JournalContents(tuple(records), run, head, good, damage=damage)
        records.append(record)
        run, head, good = line_run, line_hash, end + 1
    return JournalContents(tuple(records), run, head, good)


def newest_epoch(data: bytes) -> int:
    """The highest epoch of any intact line, whatever it follows; 0 without one.

    It proves that somebody wrote a record of that epoch, not that all before it is sound.
    """
    newest = 0
    for line in data.split(b"\n")[:-1]:
        epoch, hashed, version = _fields(line, "epoch", "hash", "v")
        if type(epoch) is not int or type(version) is not int or epoch <= newest:
            continue
        if digest(line.decode("ascii", "replace").replace(f'"hash":"{hashed}",', "", 1)) == hashed:
            newest = epoch
    return newest


def join(journal: bytes, fallback: bytes) -> tuple[int, bytes]:
    """How many bytes of the journal count, and the fallback's lines that come after them.

    The fallback continues the journal from its last record, or from an earlier one of the same epoch: records whose
    append failed may stand in the journal all the same, but nothing was done on them, and what was done is in the
    fallback. Lines that the journal holds already are skipped, so that a crash while they are copied is repaired by
    copying again. A fallback from elsewhere adds nothing.
    """
    contents = read_journal(journal)
    good = contents.good_bytes
    lines = [line for line in fallback.split(b"\n")[:-1] if line]
    # the latest first: what stands in the journal already is not looked at again
    for number in range(len(lines) - 1, -1, -1):
        prev, epoch = _fields(lines[number], "prev", "epoch")
        kept = _end_of(journal, good, contents.head_hash, prev, epoch)
        if kept is None:
            continue
        rest = b"".join(line + b"\n" for line in lines[number:])
        whole = read_journal(journal[:kept] + rest)
        more = rest[: whole.good_bytes - kept]
        if not more or journal[kept:good].startswith(more):
            return good, b""
        return kept, more
    return good, b""


def join_all(journal: bytes, fallbacks: Sequence[bytes]) -> tuple[int, bytes]:
    """As `join`, for the fallbacks of several processes, each of which may go on where another one ends."""
    kept, more = read_journal(journal).good_bytes, b""
    left = list(fallbacks)
    while left:
        for number, fallback in enumerate(left):
            good, next_more = join(journal[:kept] + more, fallback)
            if next_more:
                more = (journal[:kept] + more)[:good][min(kept, good) :] + next_more
                kept = min(kept, good)
                del left[number]
                break
        else:
            break
    return kept, more


def _end_of(journal: bytes, good: int, head: str, prev: object, epoch: object) -> int | None:
    """Where the record ends that a fallback's line follows; None when it follows none, or records of others came after."""
    if not isinstance(prev, str):
        return None
    if prev == head:
        return good
    needle = f'"hash":"{prev}"'.encode("ascii", "replace")
    at = journal.rfind(needle, max(0, good - _A_TURN), good) if prev else -1
    if at < 0:
        return None
    end = journal.find(b"\n", at, good) + 1
    after = journal[end:good].split(b"\n")[:-1]
    return end if after and all(_fields(line, "epoch") == (epoch,) for line in after) else None


class _DisbeliefError(Exception):
    def __init__(self, why: str, kind: DamageKind = DamageKind.CORRUPT) -> None:
        super().__init__(why)
        self.kind = kind


def _fields(line: bytes, *names: str) -> tuple[object, ...]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        data = None
    return tuple(data.get(name) if isinstance(data, dict) else None for name in names)


def _decode(line: bytes, head: str) -> tuple[Record, str, str]:
    try:
        text = line.decode("ascii")
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise _DisbeliefError("not a line of JSON") from None
    if not isinstance(data, dict) or not data.keys() >= ENVELOPE:
        raise _DisbeliefError("not a journal record")
    version, hashed = data["v"], data["hash"]
    if type(version) is int and version > VERSION:
        raise _DisbeliefError(
            f"format {version}; this program reads up to {VERSION}", DamageKind.NEWER
        )
    # Over the bytes as they stand, not over what they parse to: another spelling is another text.
    if digest(text.replace(f'"hash":"{hashed}",', "", 1)) != hashed:
        raise _DisbeliefError("its hash does not fit its text")
    if data["prev"] != head:
        raise _DisbeliefError("it does not follow the line before (prev)")
    return _record(data, version), str(data["run"]), str(hashed)


def _record(data: dict[str, Any], version: object) -> Record:
    if type(version) is not int or version < FIRST:
        raise _DisbeliefError(f"format {version!r} was never released")
    try:
        for older in range(version, VERSION):
            data = UPCASTS[older](data)
    except (KeyError, ValueError, TypeError) as error:
        raise _DisbeliefError(f"cannot be read as format {VERSION}: {error!r}") from None
    rest = {name: value for name, value in data.items() if name not in ENVELOPE}
    try:
        _refuse_absurd(rest)
        event = parse(data["type"], rest)
        return Record(_whole(data, "seq"), _whole(data, "epoch"), _moment(data), event)
    except (ValueError, TypeError) as error:
        kind = DamageKind.NEWER if _unheard(data["type"], rest) else DamageKind.CORRUPT
        raise _DisbeliefError(str(error), kind) from None


def _unheard(type_name: object, rest: dict[str, Any]) -> bool:
    cls: type[Event] | None = TYPES.get(type_name) if isinstance(type_name, str) else None
    return cls is None or bool(rest.keys() - {field.name for field in dataclasses.fields(cls)})


def _whole(data: dict[str, Any], name: str) -> int:
    value = data[name]
    if type(value) is not int:
        raise ValueError(f"{name!r} is not a whole number")
    return value


def _moment(data: dict[str, Any]) -> Moment:
    at, boot_id = data["at"], data["boot_id"]
    # fromisoformat is ten times as fast as strptime, and a journal has many lines
    if (
        not isinstance(at, str)
        or len(at) != 24
        or not at.endswith("Z")
        or not isinstance(boot_id, str)
    ):
        raise ValueError("'at' or 'boot_id' is not what a journal holds")
    wall, boot_ms = datetime.fromisoformat(at), _whole(data, "boot_ms")
    if not 1970 <= wall.year < _LAST_YEAR or not 0 <= boot_ms < _LAST_MS:
        raise ValueError("'at' or 'boot_ms' is no time at which a run can be")
    return Moment(wall, boot_ms, boot_id)


def _refuse_absurd(data: dict[str, Any]) -> None:
    """What no record ever holds, at any depth: a float, null, a time beyond every clock.

    Raises:
        ValueError: naming what it is.
    """
    left: list[Iterable[tuple[str, Any]]] = [data.items()]
    while left:
        for name, value in left.pop():
            kind = type(value)  # a journal has many values: no call for each of them
            if kind is str or kind is bool:
                continue
            if kind is int:
                if name[-3:] == "_ms" and not -1 <= value < _LAST_MS:
                    raise ValueError(f"{name!r} is no time at which a run can be")
            elif kind is dict:
                left.append(value.items())
            elif kind is list:
                left.append([(name, inner) for inner in value])
            else:
                raise ValueError(f"{name!r} is {value}")


def _continues(records: list[Record], record: Record, run: str, line_run: str) -> None:
    if record.seq != len(records) + 1:
        raise _DisbeliefError(f"record {record.seq} stands where {len(records) + 1} belongs")
    if records and line_run != run:
        raise _DisbeliefError(f"it belongs to run {line_run!r}, not {run!r}")
    if records and record.epoch < records[-1].epoch:
        raise _DisbeliefError(
            f"epoch {record.epoch} after epoch {records[-1].epoch}: two runners wrote"
        )
