"""Calls to an emulator on this machine leave through no proxy, not even those that fetch credentials."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.command import called
from tests.cli.emulated import emulated_aws

WAIVED = "[{check: metrics, why: no traffic here}, {check: calibration, why: no traffic here}]"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What reaches the proxy of the environment; it answers nothing."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def listen() -> None:
            while True:
                try:
                    with listening.accept()[0] as line:
                        heard.append(line.recv(4_096))
                except OSError:
                    return

        Thread(target=listen, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield heard
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
def test_an_emulated_preflight_reaches_no_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: list[bytes]
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/dev\ncredential_source = Environment\n"
    )
    with monkeypatch.context() as before:
        for name in ("HTTP_PROXY", "http_proxy"):
            before.delenv(name)  # the test's own clients
        server = emulated_aws()
        aws = server.__enter__()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        plan = tmp_path / "shop.yaml"
        plan.write_text(aws.plan_text(waive=WAIVED))
        for profile in ([], ["--profile", "dev"]):
            done = called("preflight", plan, *profile)
            assert done.code == 0, done.err
    finally:
        server.__exit__(None, None, None)
    assert proxy == []
