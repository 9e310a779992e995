"""What a journal's bytes may be believed to say."""

from __future__ import annotations

import dataclasses
import json
import random
import string
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.journal import VERSION, codec, events
from cutover.core.journal.codec import FIRST, body
from cutover.core.journal.contents import DamageKind
from cutover.core.journal.events import TYPES, Event, Record
from cutover.core.moment import Moment
from cutover.core.values import canonical_json, digest
from cutover.local.journal_file import (
    ENVELOPE,
    FIRST_PREV,
    encode,
    join,
    normal,
    read_journal,
)
from tests import records
from tests.local.samples import AT, EVERY_TYPE, NOTE, OPEN, PREFLIGHT, journal_of

GOLDEN = Path(__file__).parent / f"every-type-v{VERSION}.jsonl"


def rehashed(line: bytes, **changes: Any) -> bytes:
    data = {**json.loads(line), **changes}
    data.pop("hash")
    return canonical_json({**data, "hash": digest(canonical_json(data))}).encode() + b"\n"


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def test_every_record_type_comes_back_as_it_was_written() -> None:
    contents = read_journal(journal_of())
    assert [record.event for record in contents.records] == list(EVERY_TYPE)
    assert {record.event.type for record in contents.records} == set(TYPES)
    assert (contents.damage, contents.torn, contents.run) == (None, b"", "shop-1")


def test_the_format_of_this_version_never_changes() -> None:
    assert journal_of() == GOLDEN.read_bytes()


def test_a_record_is_one_line_of_printable_ascii_whatever_it_says() -> None:
    line, _ = encode(Record(1, 1, AT, NOTE), "shop-1", FIRST_PREV)
    assert line.count(b"\n") == 1
    assert set(line.decode("ascii").rstrip("\n")) <= set(string.printable) - set("\r\x0b\x0c\t\n")


def test_no_event_has_a_field_that_the_envelope_owns() -> None:
    for cls in TYPES.values():
        assert not ENVELOPE & {field.name for field in dataclasses.fields(cls)}, cls


def test_a_float_cannot_be_journalled() -> None:
    with pytest.raises(TypeError, match="float"):
        encode(Record(1, 1, AT, events.Observed("share", {"ppm": 0.1})), "shop-1", FIRST_PREV)


def test_a_journal_cut_at_any_byte_gives_the_records_before_the_cut_and_no_damage() -> None:
    data = journal_of()
    whole = read_journal(data).records
    ends = [at + 1 for at, byte in enumerate(data) if byte == 10]
    for cut in range(len(data)):
        contents = read_journal(data[:cut])
        complete = sum(end <= cut for end in ends)
        assert contents.damage is None
        assert contents.records == whole[:complete]
        assert contents.torn == data[contents.good_bytes : cut]


def flips(data: bytes, count: int) -> list[int]:
    return random.Random(7).sample(range(len(data) * 8), count)


@pytest.mark.parametrize(
    ("data", "bits"),
    [
        pytest.param(journal_of((OPEN, PREFLIGHT)), None, id="two records, every bit"),
        pytest.param(journal_of(), 3_000, id="every type, a seeded slice"),
    ],
)
def test_a_flipped_bit_is_reported_with_its_line_or_reads_as_a_torn_tail(
    data: bytes, bits: int | None
) -> None:
    whole = read_journal(data).records
    starts = [0] + [at + 1 for at, byte in enumerate(data) if byte == 10]
    for bit in range(len(data) * 8) if bits is None else flips(data, bits):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        contents = read_journal(bytes(flipped))
        line = sum(start <= bit // 8 for start in starts)
        assert contents.records == whole[: line - 1]
        if contents.damage is None:
            assert line == len(whole), "only the last line can pass as never finished"
            assert contents.torn
        else:
            assert contents.damage.line == line


def test_zeros_that_a_power_loss_left_at_the_end_are_a_torn_tail() -> None:
    data = journal_of((OPEN, PREFLIGHT))
    contents = read_journal(data + b"\0" * 300 + b"\n")
    assert contents.damage is None
    assert len(contents.records) == 2


@pytest.mark.parametrize(
    ("change", "kind", "why"),
    [
        (
            {"v": VERSION + 1},
            DamageKind.NEWER,
            f"format {VERSION + 1}; this program reads up to {VERSION}",
        ),
        ({"type": "prophecy"}, DamageKind.NEWER, "unknown record type 'prophecy'"),
        ({"mood": "good"}, DamageKind.NEWER, "unknown field 'mood'"),
        ({"v": FIRST - 1}, DamageKind.CORRUPT, f"format {FIRST - 1} was never released"),
        ({"v": True}, DamageKind.CORRUPT, "format True was never released"),
        ({"type": ["note"]}, DamageKind.NEWER, "unhashable"),
        ({"text": 7}, DamageKind.CORRUPT, "field 'text' is not str"),
        ({"seq": 7}, DamageKind.CORRUPT, "record 7 stands where 2 belongs"),
        ({"run": "other"}, DamageKind.CORRUPT, "belongs to run 'other'"),
        ({"epoch": 0}, DamageKind.CORRUPT, "two runners wrote"),
        ({"at": "yesterday"}, DamageKind.CORRUPT, "'at'"),
        ({"at": "2026-13-45T12:00:00.000Z"}, DamageKind.CORRUPT, "month"),
        ({"boot_ms": "1"}, DamageKind.CORRUPT, "'boot_ms' is not a whole number"),
        ({"prev": "00" * 32}, DamageKind.CORRUPT, "does not follow the line before"),
    ],
)
def test_a_line_that_says_what_it_must_not_is_refused_even_with_a_fitting_hash(
    change: dict[str, Any], kind: DamageKind, why: str
) -> None:
    first, second, third = lines(journal_of((OPEN, NOTE, PREFLIGHT)))
    contents = read_journal(first + rehashed(second, **change) + third)
    assert contents.damage is not None
    assert (contents.damage.line, contents.damage.kind) == (2, kind)
    assert why in contents.damage.why
    assert len(contents.records) == 1


@pytest.mark.parametrize(
    "wrong", [b"\n", b"[]\n", b"{}\n", b"null\n", b"\xff\n", b"[" * 5_000 + b"\n", b"NaN\n"]
)
def test_what_is_no_record_is_damage_and_never_an_exception(wrong: bytes) -> None:
    contents = read_journal(wrong + journal_of((OPEN,)))
    assert contents.damage is not None
    assert contents.damage.line == 1


def test_the_same_json_in_another_spelling_is_damage() -> None:
    (line,) = lines(journal_of((OPEN,)))
    for other in (line.replace(b'":', b'": ', 1), line[:-2] + b',"v":1}\n'):
        assert read_journal(other + line).damage is not None


def test_a_missing_repeated_or_moved_line_is_damage() -> None:
    a, b, c = lines(journal_of((OPEN, NOTE, PREFLIGHT)))
    for data in (b + c, a + c, a + a + b, a + c + b):
        assert read_journal(data).damage is not None


def test_older_records_pass_through_the_upcasts_after_the_hash_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = journal_of((records.note("old"),))
    monkeypatch.setattr("cutover.local.journal_file.VERSION", VERSION + 1)
    assert read_journal(old).damage is not None, "no upcast is known"
    monkeypatch.setitem(
        codec.UPCASTS, VERSION, lambda data: {**data, "text": data["text"] + " but newer"}
    )
    (read,) = read_journal(old).records
    assert read.event == replace(records.note("old"), text="old but newer")


def chained(said: list[tuple[int, Event]], prev: str, seq: int) -> bytes:
    data = b""
    for number, (epoch, event) in enumerate(said):
        line, prev = encode(Record(seq + number, epoch, AT, event), "shop-1", prev)
        data += line
    return data


def test_a_fallback_continues_the_journal_it_was_made_for() -> None:
    data = journal_of((OPEN, PREFLIGHT))
    more = chained([(1, NOTE), (1, NOTE)], read_journal(data).head_hash, 3)
    assert join(data, more) == (len(data), more)
    assert join(data, b"junk\n\n" + more) == (len(data), more)
    assert join(data + more[: more.index(b"\n") + 1], more)[1] in more
    assert read_journal(data + more).damage is None


def test_a_record_whose_append_failed_gives_way_to_the_fallback() -> None:
    data = journal_of((OPEN, PREFLIGHT))
    head = read_journal(data).head_hash
    unconfirmed, more = chained([(1, NOTE)], head, 3), chained([(1, PREFLIGHT)], head, 3)
    assert join(data + unconfirmed, more) == (len(data), more)


def test_a_fallback_of_another_process_or_journal_adds_nothing() -> None:
    data = journal_of((OPEN, PREFLIGHT))
    head = read_journal(data).head_hash
    later = chained([(2, NOTE)], head, 3)
    assert join(data + later, chained([(1, PREFLIGHT)], head, 3)) == (len(data + later), b"")
    assert join(data, journal_of((NOTE, NOTE, NOTE), run="other")[400:]) == (len(data), b"")


def test_a_damaged_fallback_gives_its_intact_beginning() -> None:
    data = journal_of((OPEN,))
    more = chained([(1, NOTE), (1, NOTE)], read_journal(data).head_hash, 2)
    first = lines(more)[0]
    assert join(data, first + b"junk\n") == (len(data), first)


texts = st.text(st.characters(), max_size=30)
values = st.recursive(
    st.integers() | texts | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


times = st.integers(0, 2**42)


def of_field(name: str, annotation: str) -> st.SearchStrategy[Any]:
    if name.endswith("_ms"):
        return times
    if annotation.startswith("Mapping"):
        return st.dictionaries(texts, values, max_size=3)
    if annotation.startswith("tuple"):
        return st.lists(texts, max_size=3).map(tuple)
    return st.integers() if annotation == "int" else texts


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    cls = draw(st.sampled_from(sorted(TYPES.values(), key=lambda cls: cls.type)))
    return cls(**{f.name: draw(of_field(f.name, str(f.type))) for f in dataclasses.fields(cls)})


@given(
    said=st.lists(st.tuples(any_event(), st.datetimes(timezones=st.just(UTC)), times), max_size=4),
    run=texts,
    boot_id=texts,
)
def test_any_events_round_trip(
    said: list[tuple[Event, datetime, int]], run: str, boot_id: str
) -> None:
    data, prev, written = b"", FIRST_PREV, []
    for number, (event, wall, boot_ms) in enumerate(said):
        record = Record(
            number + 1, 1, Moment(wall.replace(year=2026, day=1), boot_ms, boot_id), event
        )
        line, prev = encode(record, run, prev)
        data += line
        written.append(normal(record))
    contents = read_journal(data)
    assert contents.damage is None
    assert list(contents.records) == written
    assert [body(record.event) for record in contents.records] == [
        body(event) for event, _, _ in said
    ]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (events.MinuteSettled("comparison", 10**18, {}), "'at_ms' is no time"),
        (events.MinuteSettled("comparison", -2, {}), "'at_ms' is no time"),
        (events.Observed("alarming", {"deep": [{"at_ms": 10**18}]}), "'at_ms' is no time"),
    ],
)
def test_an_intact_line_that_says_an_absurd_time_is_damage(event: Event, why: str) -> None:
    contents = read_journal(journal_of((OPEN, event, NOTE)))
    assert contents.damage is not None
    assert contents.damage.line == 2
    assert why in contents.damage.why
    assert [record.event for record in contents.records] == [OPEN]


@pytest.mark.parametrize(
    "absurd",
    [None, 1.5, {"a": [None]}, "\u0000", 10**400, {}, True],
    ids=lambda value: repr(value)[:20],
)
def test_no_content_of_an_intact_line_makes_a_reader_raise(absurd: Any) -> None:
    for line in lines(journal_of()):
        data = json.loads(line)
        for name in data.keys() - {"hash"}:
            contents = read_journal(rehashed(line, **{name: absurd}))
            assert len(contents.records) + (contents.damage is not None) == 1


@pytest.mark.parametrize("absurd", [None, 1.5])
def test_null_and_floats_are_in_no_record(absurd: Any) -> None:
    (line,) = lines(journal_of((events.Observed("x", {"deep": [{"a": 1}]}),)))
    damage = read_journal(rehashed(line, facts={"deep": [{"a": absurd}]})).damage
    assert damage is not None
    assert f"'a' is {absurd}" in damage.why
