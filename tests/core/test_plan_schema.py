"""The JSON Schema: what an editor makes of it, and that it agrees with the models."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import jsonschema
import pytest
import yaml

from cutover.core.gates import GATES
from cutover.core.plan import plan_schema

PLANS = Path(__file__).parents[2] / "plans"
SERVER = "yaml-language-server@1.25.0"
WRONG = """\
version: 2
name: shop
aws: {region: ap-northeast-1, account: "12"}
routes: []
steps:
  - {weight: 150, bake: 10m}
  - {wieght: 5, bake: 10m}
gates:
  - errors: {max: 1}
safety: {on_drift: hald}
"""
WRONG_LINES = {1, 3, 4, 6, 7, 9, 10}


class Samples(yaml.SafeLoader):
    """Sample plans hold nothing that YAML 1.1 and 1.2 read differently, but for dates and such: all text."""


def read(text: str) -> Any:
    return yaml.load(text, Samples)


def test_the_schema_is_a_sound_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(plan_schema())


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.name)
def test_sample_plans_satisfy_the_schema(path: Path) -> None:
    assert (
        list(jsonschema.Draft202012Validator(plan_schema()).iter_errors(read(path.read_text())))
        == []
    )


def test_the_schema_knows_every_gate_as_a_single_key() -> None:
    entry = plan_schema()["properties"]["gates"]["items"]
    assert list(entry["properties"]) == list(GATES)
    assert (entry["minProperties"], entry["maxProperties"]) == (1, 1)


def test_the_schema_allows_no_null_because_a_key_without_a_value_is_refused() -> None:
    assert '"null"' not in json.dumps(plan_schema())


def test_the_schema_is_the_same_text_every_time() -> None:
    assert json.dumps(plan_schema()) == json.dumps(plan_schema())


def test_every_default_satisfies_its_own_schema() -> None:
    schema = plan_schema()
    for model in (schema, *schema["$defs"].values()):
        for key, about in model["properties"].items():
            if "default" in about:
                whole = {**about, "$defs": schema["$defs"]}
                assert (
                    list(jsonschema.Draft202012Validator(whole).iter_errors(about["default"]))
                    == []
                ), key


def test_every_key_of_the_schema_is_explained() -> None:
    schema = plan_schema()
    silent = [
        f"{owner}.{key}"
        for owner, model in [("plan", schema), *schema["$defs"].items()]
        for key, about in model.get("properties", {}).items()
        if "description" not in about and "$ref" not in about
    ]
    assert silent == []


def test_an_editor_sees_what_is_wrong_while_it_is_typed(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """With npm the real yaml-language-server says it; without, jsonschema finds the same lines."""
    program = language_server(pytestconfig)
    if program is None:
        assert lines_by_jsonschema(WRONG) == WRONG_LINES
        return
    schema = tmp_path / "cutover.schema.json"
    schema.write_text(json.dumps(plan_schema()))
    with Server(program, schema) as server:
        assert {
            finding["range"]["start"]["line"] + 1 for finding in server.diagnostics(WRONG)
        } == WRONG_LINES
        for path in sorted(PLANS.glob("*.yaml")):
            text = path.read_text().split("\n", 1)[1]  # without the modeline: the schema is given
            assert server.diagnostics(text) == [], path.name
        offered = server.completion("version: 1\nsafety:\n  ", line=2, character=2)
        assert {"source_reserve", "on_drift", "hold_timeout"} <= offered


def lines_by_jsonschema(text: str) -> set[int]:
    starts = {
        line.split(":")[0]: number
        for number, line in enumerate(text.splitlines(), 1)
        if line[0].isalpha()
    }
    found = set()
    for error in jsonschema.Draft202012Validator(plan_schema()).iter_errors(read(text)):
        path = list(error.absolute_path)
        line = starts[path[0]]
        found.add(line + 1 + path[1] if len(path) > 1 and isinstance(path[1], int) else line)
    return found


def language_server(config: pytest.Config) -> Path | None:
    """The server's program, installed once into pytest's cache; None where npm is missing or offline."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return None
    assert config.cache is not None
    home = config.cache.mkdir("yaml-language-server")
    program = home / "node_modules/.bin/yaml-language-server"
    if not program.exists():
        done = subprocess.run(
            [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(home), SERVER],
            check=False, capture_output=True, timeout=300,
        )  # fmt: skip
        if done.returncode != 0 or not program.exists():
            return None
    return program


class Server:
    """yaml-language-server over stdio, as an editor drives it."""

    def __init__(self, program: Path, schema: Path) -> None:
        self._process = subprocess.Popen(
            [str(program), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._settings = {
            "yaml": {
                "validate": True,
                "completion": True,
                "hover": True,
                "schemas": {schema.as_uri(): "*.yaml"},
                "schemaStore": {"enable": False},
            }
        }
        self._last = 0

    def __enter__(self) -> Self:
        self._answer(
            "initialize",
            {
                "processId": None,
                "rootUri": None,
                "capabilities": {"workspace": {"configuration": True}},
            },
        )
        self._send({"method": "initialized", "params": {}})
        self._send(
            {"method": "workspace/didChangeConfiguration", "params": {"settings": self._settings}}
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def diagnostics(self, text: str) -> list[dict[str, Any]]:
        uri = self._open(text)
        for message in self._messages():
            if (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
            ):
                found: list[dict[str, Any]] = message["params"]["diagnostics"]
                return found
        raise AssertionError("the server ended")

    def completion(self, text: str, line: int, character: int) -> set[str]:
        where = {
            "textDocument": {"uri": self._open(text)},
            "position": {"line": line, "character": character},
        }
        found = self._answer("textDocument/completion", where)
        return {item["label"] for item in found["items"]}

    def _open(self, text: str) -> str:
        self._last += 1
        uri = f"file:///plan{self._last}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def _answer(self, method: str, params: dict[str, Any]) -> Any:
        self._last += 1
        mine = self._last
        self._send({"id": mine, "method": method, "params": params})
        for message in self._messages():
            if message.get("id") == mine and "method" not in message:
                return message["result"]
        raise AssertionError("the server ended")

    def _messages(self) -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None
        while True:
            length = 0
            while line := self._process.stdout.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not length:
                return
            message: dict[str, Any] = json.loads(self._process.stdout.read(length))
            if (
                "id" in message and "method" in message
            ):  # the server asks: settings, or to be registered
                sections = (
                    message["params"].get("items", [])
                    if isinstance(message.get("params"), dict)
                    else []
                )
                self._send(
                    {
                        "id": message["id"],
                        "result": [self._settings.get(item.get("section")) for item in sections]
                        if sections
                        else None,
                    }
                )
            else:
                yield message

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self._process.stdin.flush()
