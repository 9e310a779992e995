"""The part of the store suite that is about what operators say to a run; see `store`."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.core.observation import CommandName, OperatorCommand
from cutover.ports import Inbox
from tests.contracts.store import StoreStage
from tests.fakes import FakeClock
from tests.local.samples import (
    AT,
)


class CommandsContract:
    """What operators say to a run."""

    def inbox(self, stage: StoreStage, run: Any, others: str = "") -> Inbox:
        return stage.store().inbox(run, FakeClock(AT), others=lambda: others)

    def heard(self, inbox: Inbox) -> list[tuple[CommandName, str]]:
        return [(command.name, command.id) for command in inbox.wait(AT)]

    def leave(self, stage: StoreStage, run: Any, *commands: OperatorCommand) -> None:
        for number, command in enumerate(commands):
            assert stage.store().enqueue(run, command, AT.plus(number))

    def test_a_command_is_heard_once_as_it_was_said(self, stage: StoreStage) -> None:
        run, inbox = stage.create(), None
        said = OperatorCommand(CommandName.APPROVE, "ana@bastion", "ready ✓", detail="d", id="x1")
        self.leave(stage, run, said)
        assert stage.store().queued(run) == (said,)
        inbox = self.inbox(stage, run)
        assert inbox.wait(AT) == (said,)
        assert inbox.wait(AT) == ()
        assert stage.store().queued(run) == ()
        assert self.inbox(stage, run).wait(AT) == (), "nothing is approved twice"

    @pytest.mark.parametrize("name", [CommandName.RESUME, CommandName.APPROVE, CommandName.FINISH])
    def test_a_command_that_goes_on_is_never_heard_twice_whoever_dies(
        self, stage: StoreStage, name: CommandName
    ) -> None:
        run = stage.create()
        self.leave(stage, run, OperatorCommand(name, "ana", id="x1"))
        assert self.heard(self.inbox(stage, run)) == [(name, "x1")]
        assert self.heard(self.inbox(stage, run)) == []

    def test_commands_are_heard_in_the_order_in_which_they_were_said(
        self, stage: StoreStage
    ) -> None:
        run = stage.create()
        names = (CommandName.PAUSE, CommandName.RESUME, CommandName.APPROVE, CommandName.ROLLBACK)
        said = [OperatorCommand(name, "ana", id=f"id-{name}") for name in names]
        self.leave(stage, run, *said)
        assert list(stage.store().queued(run)) == said
        assert list(self.inbox(stage, run).wait(AT)) == said

    def test_two_that_say_the_same_are_two_by_their_ids(self, stage: StoreStage) -> None:
        run = stage.create()
        for number in (1, 2):
            said = OperatorCommand(CommandName.PAUSE, "ana", "lunch", id=f"id-{number}")
            stage.store().enqueue(run, said, AT)
        heard = self.heard(self.inbox(stage, run))
        assert sorted(heard) == [(CommandName.PAUSE, "id-1"), (CommandName.PAUSE, "id-2")]

    @pytest.mark.parametrize("name", [CommandName.PAUSE, CommandName.ROLLBACK])
    def test_a_command_that_stops_survives_a_crash_until_its_record_is_there(
        self, stage: StoreStage, name: CommandName
    ) -> None:
        run = stage.create()
        self.leave(stage, run, OperatorCommand(name, "ana", id="x1"))
        dies = self.inbox(stage, run)
        assert self.heard(dies) == [(name, "x1")]
        next_one = self.inbox(stage, run)
        assert self.heard(next_one) == [(name, "x1")], "the first one died before its record"
        assert self.heard(next_one) == []
        assert self.heard(self.inbox(stage, run)) == []

    def test_what_waits_and_stops_is_known_before_it_is_heard(self, stage: StoreStage) -> None:
        run = stage.create()
        inbox = self.inbox(stage, run)
        assert inbox.stopping() == ""
        self.leave(stage, run, OperatorCommand(CommandName.RESUME, "ana"))
        assert inbox.stopping() == ""
        self.leave(stage, run, OperatorCommand(CommandName.PAUSE, "ana"))
        assert "pause" in inbox.stopping()
        assert "pause" in inbox.stopping(), "asking takes nothing"
        assert len(inbox.wait(AT)) == 2
        assert inbox.stopping() == ""

    def test_who_has_lost_the_run_takes_no_command_from_its_owner(self, stage: StoreStage) -> None:
        run = stage.create()
        self.leave(stage, run, OperatorCommand(CommandName.APPROVE, "ana", id="x1"))
        assert self.heard(self.inbox(stage, run, others="another process")) == []
        assert self.heard(self.inbox(stage, run)) == [(CommandName.APPROVE, "x1")]

    def test_runs_do_not_hear_each_other(self, stage: StoreStage) -> None:
        one, other = stage.create("shop-1"), stage.create("cart-1")
        self.leave(stage, one, OperatorCommand(CommandName.PAUSE, "ana", id="x1"))
        assert self.heard(self.inbox(stage, other)) == []
        assert self.heard(self.inbox(stage, one)) == [(CommandName.PAUSE, "x1")]
