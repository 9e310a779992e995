"""What every `Inbox` in virtual time must do; `store.py` has what outlives a process."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from cutover.core.moment import Moment
from cutover.core.observation import CommandName
from cutover.ports import Inbox

STOPPING = (CommandName.PAUSE, CommandName.ROLLBACK, CommandName.INTERRUPT)
GOING_ON = (CommandName.RESUME, CommandName.APPROVE, CommandName.FINISH)


class InboxStage(ABC):
    """An inbox to which nobody has said anything yet."""

    inbox: Inbox

    @abstractmethod
    def now(self) -> Moment:
        """This instant, in virtual time."""

    @abstractmethod
    def say_in(self, ms: int, name: CommandName) -> None:
        """Somebody says this so much later; at once for 0."""


class InboxContract:
    """The suite."""

    def names(self, stage: InboxStage, until: Moment) -> list[CommandName]:
        return [command.name for command in stage.inbox.wait(until)]

    def test_a_time_that_is_past_only_polls(self, stage: InboxStage) -> None:
        before = stage.now()
        assert self.names(stage, before.plus(-1_000)) == []
        assert self.names(stage, before) == []
        assert stage.now() == before

    def test_without_a_command_it_waits_until_then(self, stage: InboxStage) -> None:
        before = stage.now()
        assert self.names(stage, before.plus(15_000)) == []
        assert stage.now().after(before) == 15_000

    def test_a_command_wakes_it_and_is_heard_once(self, stage: InboxStage) -> None:
        before = stage.now()
        stage.say_in(3_000, CommandName.PAUSE)
        assert self.names(stage, before.plus(15_000)) == [CommandName.PAUSE]
        assert stage.now().after(before) <= 3_000 + 1_000
        assert self.names(stage, stage.now()) == []

    def test_commands_are_heard_in_the_order_in_which_they_were_said(
        self, stage: InboxStage
    ) -> None:
        names = (CommandName.RESUME, CommandName.PAUSE, CommandName.ROLLBACK)
        for name in names:
            stage.say_in(0, name)
        assert tuple(self.names(stage, stage.now().plus(1_000))) == names

    @pytest.mark.parametrize("name", [*STOPPING, *GOING_ON])
    def test_what_waits_and_stops_is_known_before_it_is_heard(
        self, stage: InboxStage, name: CommandName
    ) -> None:
        assert stage.inbox.stopping() == ""
        stage.say_in(0, name)
        for _ in range(2):  # asking takes nothing
            assert bool(stage.inbox.stopping()) is (name in STOPPING)
        assert self.names(stage, stage.now()) == [name]
        assert stage.inbox.stopping() == ""
