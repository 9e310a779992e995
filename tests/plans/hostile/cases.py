"""Plans that are wrong or hostile, each with every line that `cutover validate` must say about it.

`write_cases` puts them into a directory, so that a test can give them to the command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ARN = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
BASE = """\
version: 1
name: shop
aws: {region: ap-northeast-1, account: "123456789012"}
routes:
  - rule: RULE
    source: EC2
    destination: EKS
steps:
  - {weight: 5, bake: 10m}
  - {weight: 25, bake: 10m}
  - {weight: 100, bake: 30m}
gates:
  - errors: {max: 1%}
managed_by: none
"""
STEPS = "steps:\n  - {weight: 5, bake: 10m}\n  - {weight: 25, bake: 10m}\n  - {weight: 100, bake: 30m}\n"
_BALANCER = "app/prod/50dc6c495c0c9188"
_WORDS = {
    "RULE": f"{ARN}listener-rule/{_BALANCER}/f2f7dc8efc522ab2/9683b2d02a6cabee",
    "LISTENER": f"{ARN}listener/{_BALANCER}/f2f7dc8efc522ab2",
    "LISTENER2": f"{ARN}listener/app/other/60dc6c495c0c9188/f2f7dc8efc522ab2",
    "EC2": f"{ARN}targetgroup/shop-ec2/73e2d6bc24d8a067",
    "EKS": f"{ARN}targetgroup/shop-eks/943f017f100becff",
    "OTHER": f"{ARN}targetgroup/shop-new/1111111111111111",
}


@dataclass(frozen=True)
class Case:
    """One wrong plan and its problems, `LINE:COLUMN: message`, in order."""

    name: str
    data: bytes
    problems: tuple[str, ...]


def spelled(text: str) -> bytes:
    """The text with RULE, EC2, EKS and the like written out as ARNs."""
    return re.sub(
        r"\b(RULE|LISTENER2?|EC2|EKS|OTHER)\b", lambda command: _WORDS[command[1]], text
    ).encode()


def edited(*edits: tuple[str, str], head: str = "", tail: str = "") -> str:
    """BASE with each old text replaced by the new one, once."""
    text = BASE
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return head + text + tail


def edit(
    name: str, *edits: tuple[str, str], head: str = "", tail: str = "", says: tuple[str, ...]
) -> Case:
    """BASE with edits."""
    return Case(name, spelled(edited(*edits, head=head, tail=tail)), says)


def raw(name: str, data: str | bytes, *, says: tuple[str, ...]) -> Case:
    """A text or bytes of its own."""
    return Case(name, data if isinstance(data, bytes) else spelled(data), says)


def write_cases(directory: Path) -> tuple[tuple[Path, Case], ...]:
    """Every case as a file of the directory."""
    files = []
    for case in CASES:
        path = directory / f"{re.sub('[^a-z0-9]+', '-', case.name.lower())}.yaml"
        path.write_bytes(case.data)
        files.append((path, case))
    return tuple(files)


CASES: tuple[Case, ...] = (
    # YAML itself
    raw("empty file", "", says=("1:1: the file is empty",)),
    raw("only comments", "# nothing\n\n# here\n", says=("1:1: the file is empty",)),
    raw("only a document mark", "---\n", says=("1:1: the file is empty",)),
    raw(
        "a command instead of a plan",
        "hello\n",
        says=("1:1: expected keys and values, found the text 'hello'",),
    ),
    raw(
        "a list instead of a plan",
        "- version: 1\n",
        says=("1:1: expected keys and values, found a list",),
    ),
    raw("null", "null\n", says=("1:1: the file is empty",)),
    edit(
        "anchor", ("source: EC2", "source: &ec2 EC2"), says=("6:13: anchor &ec2 is not allowed",)
    ),
    edit(
        "alias",
        ("source: EC2", "source: &g EC2"),
        ("destination: EKS", "destination: *g"),
        says=(
            "6:13: anchor &g is not allowed",
            "7:18: alias *g is not allowed",
        ),
    ),
    raw(
        "billion laughs",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        says=(
            "1:1: `aws` is missing",
            "1:1: `name` is missing",
            "1:1: `routes` is missing",
            "1:1: `steps` is missing",
            "1:1: `version` is missing",
            "1:1: unknown key `a`",
            "1:4: anchor &a is not allowed",
            "2:1: unknown key `b`",
            "2:4: anchor &b is not allowed",
            "2:8: alias *a is not allowed",
            "2:12: alias *a is not allowed",
            "3:1: unknown key `c`",
            "3:5: alias *b is not allowed",
            "3:9: alias *b is not allowed",
        ),
    ),
    edit(
        "billions of laughs in aliases of aliases",
        ("source: EC2", "source: &a [x, x]"),
        tail="".join(f"b{i}: [*a, *a]\n" for i in range(1_000)),
        says=(
            "6:13: anchor &a is not allowed",
            *(
                f"{line}:{column}: alias *a is not allowed"
                for line in range(15, 65)
                for column in ((6, 10) if line < 25 else (7, 11))
            ),
        )[:100],
    ),
    edit(
        "alias of no anchor, as value and as key",
        ("source: EC2", "source: *none"),
        tail="*none : 1\n",
        says=(
            "6:13: alias *none is not allowed",
            "15:1: alias *none is not allowed",
        ),
    ),
    edit(
        "one anchor twice",
        ("source: EC2", "source: &a EC2"),
        ("destination: EKS", "destination: &a EKS"),
        says=("6:13: anchor &a is not allowed", "7:18: anchor &a is not allowed"),
    ),
    edit(
        "tag on a key", ("name: shop", "!!str name: shop"), says=("2:1: tag !!str is not allowed",)
    ),
    edit(
        "merge key",
        tail="safety:\n  <<: {on_drift: hold}\n",
        says=("16:3: merge key << is not allowed",),
    ),
    edit(
        "python tag",
        ("name: shop", "name: !!python/object/apply:os.system [id]"),
        says=("2:7: tag !!python/object/apply:os.system is not allowed",),
    ),
    edit(
        "string tag",
        ('account: "123456789012"', "account: !!str 123456789012"),
        says=("3:40: tag !!str is not allowed",),
    ),
    edit(
        "second document", tail="---\nversion: 1\n", says=("15:1: a second document starts here",)
    ),
    edit("directive", head="%YAML 1.1\n---\n", says=("1:1: YAML directives (%) are not allowed",)),
    edit(
        "duplicate key",
        ("name: shop", "name: shop\nname: shop2"),
        says=("3:1: key `name` is here twice; first in line 2",),
    ),
    edit(
        "duplicate key in a gate",
        ("{max: 1%}", "{max: 1%, max: 2%}"),
        says=("13:23: key `max` is here twice; first in line 13",),
    ),
    edit(
        "tab indentation",
        ("    source: EC2", "\tsource: EC2"),
        says=("6:1: a tab cannot indent YAML",),
    ),
    edit(
        "unclosed quote",
        ("name: shop", 'name: "shop'),
        says=(
            "2:7: this quoted text goes over several lines",
            "3:41: this line is indented unlike its neighbours",
        ),
    ),
    edit(
        "unclosed brace",
        ("{weight: 5, bake: 10m}", "{weight: 5, bake: 10m"),
        says=("10:5: the `[` or `{` of line 9 is not closed, or a comma is missing here",),
    ),
    edit(
        "two colons",
        ("name: shop", "name: shop: two"),
        says=("2:11: a second `: ` in one line, or a wrong indentation",),
    ),
    edit(
        "bad indentation",
        ("    source: EC2", "   source: EC2"),
        says=("6:4: this line is indented unlike its neighbours",),
    ),
    edit(
        "list as key",
        tail="? [a, b]\n: 1\n",
        says=("15:3: a key is a word, not a list or mapping",),
    ),
    edit("number as key", tail="1: 2\n", says=("15:1: a key is a word, not 1",)),
    edit("true as key", tail="true: 2\n", says=("15:1: a key is a word, not true",)),
    edit(
        "nested too deep",
        tail="deep: " + "[" * 40 + "]" * 40 + "\n",
        says=("15:38: nested deeper than 32 levels",),
    ),
    edit(
        "nested as deep as the file is long",
        tail="deep: " + "[" * 60_000 + "\n",
        says=("15:38: nested deeper than 32 levels",),
    ),
    raw(
        "lists in lists without a bracket",
        "- " * 30_000,
        says=("1:65: nested deeper than 32 levels",),
    ),
    edit(
        "syntax error below another problem",
        ("name: shop", "name: shop\nname: shop2"),
        ("managed_by: none", "managed_by: [none"),
        says=("16:1: the `[` or `{` of line 15 is not closed, or a comma is missing here",),
    ),
    edit(
        "percent sign first",
        ("name: shop", "name: %shop"),
        says=("2:7: text that starts with % needs quotes",),
    ),
    edit(
        "at sign first",
        ("name: shop", "name: @shop"),
        says=("2:7: text that starts with @ needs quotes",),
    ),
    edit(
        "unknown escape",
        ("name: shop", 'name: "\\q"'),
        says=("2:9: unknown escape in double quotes",),
    ),
    edit(
        "text after the end",
        tail="...\nmore: 1\n",
        says=("16:1: text after the end of the document",),
    ),
    edit("key without value", tail="windows:\n", says=("15:1: `windows` has no value",)),
    edit(
        "approve without value",
        ("{weight: 25, bake: 10m}", "{weight: 25, bake: 10m, approve: }"),
        says=("10:29: `approve` has no value",),
    ),
    edit("tilde", tail="store: ~\n", says=("15:8: ~ is not a value here",)),
    edit(
        "empty list entry",
        ("  - errors: {max: 1%}", "  - errors: {max: 1%}\n  -"),
        says=("14:4: this entry of the list is empty",),
    ),
    # characters
    raw("NUL", BASE.replace("shop", "sh\0op"), says=("2:9: hidden character \\x00",)),
    raw(
        "escape sequence",
        BASE.replace("shop", "\x1b[2Jshop"),
        says=("2:7: hidden character \\x1b",),
    ),
    raw(
        "right-to-left override",
        BASE.replace("managed_by: none", "managed_by: none # \u202eenon"),
        says=("14:20: hidden character \\u202e",),
    ),
    raw(
        "zero width space in a key",
        BASE.replace("managed_by", "managed\u200b_by"),
        says=("14:8: hidden character \\u200b",),
    ),
    raw(
        "escaped NUL",
        BASE.replace("name: shop", 'name: "sh\\0op"'),
        says=("2:7: this text holds the hidden character \\x00",),
    ),
    raw(
        "escaped bidi",
        BASE.replace("name: shop", 'name: "sh\\u202Eop"'),
        says=("2:7: this text holds the hidden character \\u202e",),
    ),
    raw(
        "escaped surrogate",
        BASE.replace("name: shop", 'name: "\\uD800"'),
        says=("2:7: this text holds the hidden character \\ud800",),
    ),
    raw(
        "escape beyond Unicode",
        BASE.replace("name: shop", 'name: "\\UFFFFFFFF"'),
        says=("2:10: an escape or a number that is out of range",),
    ),
    raw(
        "line separator",
        BASE.replace("shop", "sh\u2028op"),
        says=("2:9: hidden character \\u2028",),
    ),
    raw(
        "lone carriage return",
        BASE.replace("shop", "shop\rname: x"),
        says=(
            "2:11: hidden character \\x0d",
            "2:16: a second `: ` in one line, or a wrong indentation",
        ),
    ),
    raw(
        "no UTF-8",
        BASE.replace("shop", "sh\u00f6p").encode("latin-1"),
        says=("2:9: byte 0xf6 is not UTF-8: save the file as UTF-8",),
    ),
    raw("UTF-16", BASE.encode("utf-16"), says=("1:1: UTF-16 text: save the file as UTF-8",)),
    raw("too large", "#" * (64 * 1024) + "\n", says=("1:1: larger than 64 KiB: this is no plan",)),
    raw(
        "too many values",
        "a: [" + "1," * 11000 + "]\n",
        says=("1:19999: more than 10,000 values",),
    ),
    # kinds and keys
    edit("unknown key", ("managed_by", "manged_by"), says=("14:1: unknown key `manged_by`",)),
    edit(
        "unknown key in a step",
        ("{weight: 5, bake", "{wieght: 5, bake"),
        says=(
            "9:5: `weight` is missing",
            "9:6: unknown key `wieght`",
        ),
    ),
    edit(
        "key in the wrong place",
        tail="hold_timeout: 2h\n",
        says=("15:1: unknown key `hold_timeout`",),
    ),
    edit("YAML 1.1 on as key", tail="on: drift\n", says=("15:1: unknown key `on`",)),
    edit("version missing", ("version: 1\n", ""), says=("1:1: `version` is missing",)),
    edit(
        "version of the future",
        ("version: 1", "version: 2"),
        says=("1:10: must be 1, found the number 2",),
    ),
    edit(
        "version as text",
        ("version: 1", 'version: "1"'),
        says=("1:10: must be 1, found the text '1'",),
    ),
    edit("steps missing", (STEPS, ""), says=("1:1: `steps` is missing",)),
    edit("no steps", (STEPS, "steps: []\n"), says=("8:8: must not be empty",)),
    edit(
        "steps as a mapping",
        (STEPS, "steps: {weight: 5}\n"),
        says=("8:8: expected a list, found keys and values",),
    ),
    edit(
        "account as number",
        ('"123456789012"', "123456789012"),
        says=("3:40: expected text, found the number 123456789012",),
    ),
    edit(
        "short account",
        ('"123456789012"', '"12345"'),
        says=('3:40: an account is 12 digits in quotes, for example "123456789012"',),
    ),
    edit(
        "no Region",
        ("region: ap-northeast-1", "region: tokyo"),
        says=("3:15: not a Region; write for example ap-northeast-1",),
    ),
    edit(
        "name with a path",
        ("name: shop", "name: ../../etc"),
        says=(
            "2:7: a name is 1 to 64 letters, digits, dots, dashes or underscores, and starts with a letter or digit",
        ),
    ),
    edit(
        "weight as text",
        ("weight: 25", 'weight: "25"'),
        says=("10:14: a weight is a bare number of percent, for example 25 or 0.5",),
    ),
    edit(
        "weight with sign",
        ("weight: 25", "weight: 25%"),
        says=("10:14: a weight is a bare number of percent, for example 25 or 0.5",),
    ),
    edit(
        "weight true",
        ("weight: 25", "weight: true"),
        says=("10:14: a weight is a bare number of percent, for example 25 or 0.5",),
    ),
    edit(
        "weight 0",
        ("weight: 5", "weight: 0"),
        says=("9:14: weight 0 is not above 0 and at most 100 (percent)",),
    ),
    edit(
        "weight above 100",
        ("weight: 100", "weight: 101"),
        says=("11:14: weight 101 is not above 0 and at most 100 (percent)",),
    ),
    edit(
        "negative weight",
        ("weight: 5", "weight: -5"),
        says=("9:14: weight -5 is not above 0 and at most 100 (percent)",),
    ),
    edit(
        "weight too fine",
        ("weight: 25", "weight: 25.55"),
        says=("10:14: weight 25.55 is finer than 0.1 %",),
    ),
    edit(
        "weight as a fraction of one",
        ("weight: 25", "weight: 0.25"),
        says=(
            "10:14: weight 0.25 is finer than 0.1 %; a weight is percent: for the fraction 0.25 of one write 25",
        ),
    ),
    edit(
        "every weight a fraction of one",
        ("weight: 5", "weight: 0.1"),
        ("weight: 25", "weight: 0.5"),
        ("weight: 100", "weight: 1"),
        says=(
            "9:14: every weight is a fraction of one, but weights are percent: this plan would end at 1 %",
        ),
    ),
    edit(
        "weight not a number",
        ("weight: 25", "weight: .nan"),
        says=("10:14: a weight is a bare number of percent, for example 25 or 0.5",),
    ),
    edit(
        "weight octal",
        ("weight: 25", "weight: 025"),
        says=("10:14: a weight is a bare number of percent, for example 25 or 0.5",),
    ),
    edit(
        "bare bake",
        ("bake: 10m", "bake: 10"),
        says=("9:23: needs a unit: write for example 90s, 10m or 1h30m",),
    ),
    edit(
        "sexagesimal bake",
        ("bake: 10m", "bake: 10:00"),
        says=("9:23: '10:00' is not a duration; write for example 90s, 10m or 1h30m",),
    ),
    edit(
        "bake in words",
        ("bake: 10m", "bake: ten minutes"),
        says=("9:23: 'ten minutes' is not a duration; write for example 90s, 10m or 1h30m",),
    ),
    edit(
        "blank approve",
        ("{weight: 25, bake: 10m}", "{weight: 25, bake: 10m, approve: ' '}"),
        says=("10:38: this text is empty; say it in words, or remove the line",),
    ),
    edit(
        "approve yes",
        ("{weight: 25, bake: 10m}", "{weight: 25, bake: 10m, approve: true}"),
        says=("10:38: expected text, found true",),
    ),
    edit(
        "acknowledge yes",
        tail="acknowledge_big_bang: yes\n",
        says=("15:23: expected true or false, found the text 'yes'",),
    ),
    edit(
        "percent without sign",
        tail="safety: {source_reserve: 0.9}\n",
        says=("15:26: needs a unit: write for example 1% or 0.2%",),
    ),
    edit(
        "reserve above all",
        tail="safety: {source_reserve: 101%}\n",
        says=("15:26: 101% is more than all healthy targets",),
    ),
    edit(
        "unknown answer",
        tail="safety: {on_drift: hald}\n",
        says=("15:20: the text 'hald' is not one of 'rollback' or 'hold'",),
    ),
    edit(
        "unknown owner",
        ("managed_by: none", "managed_by: terrafrom"),
        says=(
            "14:13: the text 'terrafrom' is not one of 'terraform', 'cloudformation' or 'none'",
        ),
    ),
    # whole plan
    edit(
        "weights fall",
        ("weight: 25", "weight: 4"),
        says=("10:14: weights must rise: step 2 is 4 %, after 5 %",),
    ),
    edit(
        "weights repeat",
        ("weight: 25", "weight: 5"),
        says=("10:14: weights must rise: step 2 is 5 %, after 5 %",),
    ),
    edit(
        "a step after 100",
        ("{weight: 100, bake: 30m}", "{weight: 100, bake: 30m}\n  - {weight: 100, bake: 30m}"),
        says=("12:14: step 4 comes after the step at 100",),
    ),
    edit(
        "bake below one period",
        ("bake: 10m", "bake: 2m"),
        says=(
            "9:23: a bake of 2m ends before its first period of evidence is complete (observe.period 1m + observe.settle 2m)",
        ),
    ),
    edit(
        "bake of a year",
        ("bake: 30m", "bake: 365d"),
        says=("11:25: a bake of 365d is longer than 14d",),
    ),
    edit(
        "big bang unacknowledged",
        ("  - {weight: 5, bake: 10m}\n  - {weight: 25, bake: 10m}\n", ""),
        says=("9:14: the only step moves all traffic at once",),
    ),
    edit(
        "one side",
        ("destination: EKS", "destination: EC2"),
        says=("7:18: source and destination are the same target group",),
    ),
    edit(
        "route twice",
        (
            "    destination: EKS",
            "    destination: EKS\n  - rule: RULE\n    source: EC2\n    destination: EKS",
        ),
        says=("8:11: this route is in the plan twice; first as route 1",),
    ),
    edit(
        "sides mixed",
        (
            "    destination: EKS",
            "    destination: EKS\n  - listener: LISTENER\n    source: EKS\n    destination: OTHER",
        ),
        says=("7:18: target group shop-eks is the destination here and the source of route 2",),
    ),
    edit(
        "other account",
        (
            "source: EC2",
            "source: "
            + ARN.replace("123456789012", "999999999999")
            + "targetgroup/shop-ec2/73e2d6bc24d8a067",
        ),
        says=("6:13: this ARN is in account 999999999999, but aws.account is 123456789012",),
    ),
    edit(
        "other Region",
        (
            "source: EC2",
            "source: "
            + ARN.replace("ap-northeast-1", "us-east-1")
            + "targetgroup/shop-ec2/73e2d6bc24d8a067",
        ),
        says=("6:13: this ARN is in us-east-1, but aws.region is ap-northeast-1",),
    ),
    edit(
        "group on two balancers",
        (
            "    destination: EKS",
            "    destination: EKS\n  - listener: LISTENER2\n    source: EC2\n    destination: OTHER",
        ),
        says=(
            "9:13: target group shop-ec2 is on app/other/60dc6c495c0c9188 here and on app/prod/50dc6c495c0c9188 in route 1",
        ),
    ),
    edit(
        "one name, two ids",
        (
            "    destination: EKS",
            "    destination: EKS\n  - listener: LISTENER\n    source: EC2\n    destination: "
            + ARN
            + "targetgroup/shop-eks/ffffffffffffffff",
        ),
        says=("10:18: another ARN in this plan also names the target group shop-eks",),
    ),
    edit(
        "network load balancer",
        ("rule: RULE", "listener: " + ARN + "listener/net/prod/50dc6c495c0c9188/f2f7dc8efc522ab2"),
        says=(
            "5:15: a Network Load Balancer (net/) splits connections and has no HTTP metrics to judge: only Application Load Balancers (app/) can be cut over",
        ),
    ),
    edit(
        "gateway load balancer",
        ("rule: RULE", "listener: " + ARN + "listener/gwy/prod/50dc6c495c0c9188/f2f7dc8efc522ab2"),
        says=(
            "5:15: a Gateway Load Balancer (gwy/) has no HTTP routes: only Application Load Balancers (app/) can be cut over",
        ),
    ),
    edit(
        "listener under rule",
        ("rule: RULE", "rule: LISTENER"),
        says=(
            "5:11: this is the ARN of a listener, not of a listener rule; write it under `listener:`",
        ),
    ),
    edit(
        "load balancer as route",
        ("rule: RULE", "listener: " + ARN + "loadbalancer/app/prod/50dc6c495c0c9188"),
        says=("5:15: this is the ARN of a load balancer, not of a listener",),
    ),
    edit(
        "group as route",
        ("rule: RULE", "rule: EC2"),
        says=("5:11: this is the ARN of a target group, not of a listener rule",),
    ),
    edit(
        "rule as group",
        ("source: EC2", "source: RULE"),
        says=("6:13: this is the ARN of a listener rule, not of a target group",),
    ),
    edit(
        "no ARN",
        ("source: EC2", "source: shop-ec2"),
        says=(
            "6:13: not the ARN of a target group; write for example arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID",
        ),
    ),
    edit(
        "ARN cut short",
        ("source: EC2", "source: " + ARN + "targetgroup/shop-ec2"),
        says=(
            "6:13: incomplete or malformed ARN of a target group; write for example arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID",
        ),
    ),
    edit(
        "ARN of S3",
        ("source: EC2", "source: arn:aws:s3:::shop"),
        says=(
            "6:13: not the ARN of a target group; write for example arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID",
        ),
    ),
    edit(
        "rule and listener",
        ("rule: RULE", "rule: RULE\n    listener: LISTENER"),
        says=(
            "5:5: a route is either a `rule` (a listener rule) or a `listener` (its default action), not both",
        ),
    ),
    edit(
        "neither rule nor listener",
        ("  - rule: RULE\n    source", "  - source"),
        says=(
            "5:5: a route is either a `rule` (a listener rule) or a `listener` (its default action); neither is given",
        ),
    ),
    edit(
        "left and moved",
        tail='leave: [{rule: RULE, why: "later"}]\n',
        says=("15:16: this is route 1: it cannot be moved and left",),
    ),
    edit(
        "leave without why", tail="leave: [{rule: LISTENER}]\n", says=("15:9: `why` is missing",)
    ),
    edit(
        "waive without why",
        tail="waive: [{check: owner-tags}]\n",
        says=("15:9: `why` is missing",),
    ),
    edit(
        "waived twice",
        tail="waive: [{check: owner-tags, why: a}, {check: owner-tags, why: b}]\n",
        says=("15:46: check owner-tags is waived twice; first as entry 1",),
    ),
    # gates
    edit(
        "unknown gate",
        ("errors: {max: 1%}", "erors: {max: 1%}"),
        says=("13:5: unknown key `erors`",),
    ),
    edit(
        "no gates",
        ("gates:\n  - errors: {max: 1%}\n", "gates: []\n"),
        says=(
            "12:8: an empty list of gates would pass everything; remove the section to get the default gates",
        ),
    ),
    edit(
        "gates as a mapping",
        ("gates:\n  - errors: {max: 1%}\n", "gates: {errors: {max: 1%}}\n"),
        says=("12:8: expected a list, found keys and values",),
    ),
    edit(
        "two gates in one entry",
        ("errors: {max: 1%}", "errors: {max: 1%}\n    healthy: {min: 2}"),
        says=("13:5: a gate is one key with its settings, for example `- errors: {max: 1%}`",),
    ),
    edit(
        "gate as a command",
        ("  - errors: {max: 1%}", "  - healthy"),
        says=("13:5: expected keys and values, found the text 'healthy'",),
    ),
    edit(
        "gate without a limit",
        ("errors: {max: 1%}", "errors: {}"),
        says=("13:5: `max` is missing",),
    ),
    edit(
        "latency without a limit",
        ("errors: {max: 1%}", "latency: {percentile: 95}"),
        says=(
            "13:14: latency needs `max`, `versus_source` or both: there is no limit to judge by",
        ),
    ),
    edit(
        "gate twice",
        ("errors: {max: 1%}", "errors: {max: 1%}\n  - errors: {max: 2%}"),
        says=("14:5: gate errors is in the plan twice; first as gate 1",),
    ),
    edit(
        "metric twice",
        (
            "errors: {max: 1%}",
            "metric: {name: m, namespace: N, metric: M, max: 1}\n  - metric: {name: m, namespace: N, metric: M2, max: 1}",
        ),
        says=("14:5: gate metric.m is in the plan twice; first as gate 1",),
    ),
    edit("limit of 100%", ("max: 1%", "max: 100%"), says=("13:19: must be below 100%",)),
    edit(
        "rate without unit",
        ("errors: {max: 1%}", "capacity: {max_requests_per_target: 200}"),
        says=("13:41: needs a unit: write for example 200/min or 5/s",),
    ),
    edit("skip gates", tail="skip_gates: true\n", says=("15:1: unknown key `skip_gates`",)),
    edit(
        "hold_back without a unit",
        tail="hold_back: 5\n",
        says=("15:12: needs a unit: write for example 5%",),
    ),
    edit(
        "more held back than a sliver",
        tail="hold_back: 30%\n",
        says=("15:12: 30% is more than 20%: write a step of its own for it",),
    ),
    edit(
        "a last bake below the step before",
        ("weight: 25", "weight: 96"),
        tail="hold_back: 5%\n",
        says=("15:12: the last bake would be at 95 %, not above the step before at 96 %",),
    ),
    edit(
        "gate that can never pass",
        ("max: 1%", "max: 0.001%, judge: threshold"),
        tail="traffic: 600/min\n",
        says=(
            "9:23: gate errors can never pass here: it needs 300,000 requests on the destination, and 10m of all the expected traffic is about 4,800",
            "10:24: gate errors can never pass here: it needs 300,000 requests on the destination, and 10m of all the expected traffic is about 4,800",
            "11:25: gate errors can never pass here: it needs 300,000 requests on the destination, and 30m of all the expected traffic is about 16,800",
        ),
    ),
    # times, windows, notify, store
    edit(
        "blind budget below metric age",
        tail="safety: {blind_budget: 2m}\n",
        says=(
            "15:24: evidence is never younger than 3m15s (observe.period + settle + poll): the run would hold at once",
        ),
    ),
    edit(
        "hold timeout 0",
        tail="safety: {hold_timeout: 0s}\n",
        says=("15:24: nobody can answer a hold within 0s",),
    ),
    edit(
        "hold for ever",
        tail="safety: {hold_timeout: 365d}\n",
        says=("15:24: a hold of 365d is longer than 14d",),
    ),
    edit("poll 0", tail="observe: {poll: 0s}\n", says=("15:17: poll must be longer than 0s",)),
    edit(
        "poll above period",
        tail="observe: {poll: 5m}\n",
        says=("15:17: polls that are further apart than periods see a breach late",),
    ),
    edit(
        "window in words",
        tail="windows: [{not: weekends, zone: UTC}]\n",
        says=(
            '15:17: \'weekends\' is not a span of time; write for example "Fri 17:00-Mon 08:00" (weekly) or "22:00-06:00" (every day)',
        ),
    ),
    edit(
        "window without zone",
        tail='windows: [{not: "Fri 17:00-Mon 08:00"}]\n',
        says=("15:11: `zone` is missing",),
    ),
    edit(
        "window of no length",
        tail='windows: [{not: "Mon 08:00-Mon 08:00", zone: UTC}]\n',
        says=(
            "15:17: 'Mon 08:00-Mon 08:00' starts where it ends: it would forbid every raise, always",
        ),
    ),
    edit(
        "window at 25:00",
        tail='windows: [{not: "25:00-26:00", zone: UTC}]\n',
        says=(
            '15:17: \'25:00-26:00\' has a time that no clock shows; write for example "Fri 17:00-Mon 08:00" (weekly) or "22:00-06:00" (every day)',
        ),
    ),
    edit(
        "window on a Caturday",
        tail='windows: [{not: "Cat 17:00-Mon 08:00", zone: UTC}]\n',
        says=("15:17: 'Cat' is not a day; write one of Mon Tue Wed Thu Fri Sat Sun",),
    ),
    edit(
        "unknown zone",
        tail='windows: [{not: "17:00-08:00", zone: Asia/Tokio}]\n',
        says=(
            "15:38: 'Asia/Tokio' is no time zone; write for example Asia/Tokyo, Europe/Berlin or UTC",
        ),
    ),
    edit(
        "zone as a path",
        tail='windows: [{not: "17:00-08:00", zone: ../../etc/passwd}]\n',
        says=(
            "15:38: '../../etc/passwd' is no time zone; write for example Asia/Tokyo, Europe/Berlin or UTC",
        ),
    ),
    edit(
        "windows that leave no time",
        tail='windows:\n  - {not: "00:00-12:00", zone: UTC}\n  - {not: "12:00-24:00", zone: UTC}\n',
        says=("17:11: with this window no raise would ever be allowed",),
    ),
    edit(
        "inline secret",
        tail="notify: [{slack: https://hooks.slack.com/services/T0/B0/SECRET}]\n",
        says=(
            "15:18: a secret does not belong in a plan; write env:NAME and put the value into that environment variable",
        ),
    ),
    edit(
        "inline routing key",
        tail="notify: [{pagerduty: 0123456789abcdef0123456789abcdef}]\n",
        says=(
            "15:22: a secret does not belong in a plan; write env:NAME and put the value into that environment variable",
        ),
    ),
    edit(
        "two receivers in one entry",
        tail="notify: [{slack: env:A, webhook: env:B}]\n",
        says=("15:10: a receiver is one key, for example `- slack: env:SLACK_WEBHOOK`",),
    ),
    edit(
        "receiver without topic",
        tail="notify: [{sns: my-topic}]\n",
        says=(
            "15:16: not the ARN of an SNS topic; write for example arn:aws:sns:REGION:ACCOUNT:TOPIC",
        ),
    ),
    edit(
        "store in S3",
        tail="store: s3://bucket\n",
        says=("15:8: a store is `local` or `dynamodb://TABLE`",),
    ),
    edit(
        "store in DynamoDB",
        tail="store: dynamodb://cutover\n",
        says=("15:8: this version keeps journal and lease on this machine only",),
    ),
    edit(
        "several at once",
        ("name: shop", "name: ''"),
        ("weight: 25", "weight: 4"),
        ("max: 1%", "max: 1"),
        ("managed_by: none", "managed_by: nobody"),
        says=(
            "2:7: a name is 1 to 64 letters, digits, dots, dashes or underscores, and starts with a letter or digit",
            "10:14: weights must rise: step 2 is 4 %, after 5 %",
            "13:19: needs a unit: write for example 1% or 0.2%",
            "14:13: the text 'nobody' is not one of 'terraform', 'cloudformation' or 'none'",
        ),
    ),
)
