"""The engine over minutes that are past: a table judged offline, and whole cutovers tried on history.

Nothing here judges or decides: `core.engine.decide` does, in a run that is simulated (`cutover judge`, `cutover
backtest`).
"""

from cutover.core.backtest.column_mapping import COLUMNS, ColumnMapping, mapping_of_table
from cutover.core.backtest.evaluations import Action, Evaluation, looks
from cutover.core.backtest.history import History, past_of_minutes, past_of_rows
from cutover.core.backtest.report import HourOfDay, Report, Twitchy, report_of
from cutover.core.backtest.rows import NOTHING, Group, Row
from cutover.core.backtest.simulation import (
    SimulatedCutover,
    SimulatedEnd,
    attempt,
    starts,
)
from cutover.core.backtest.split import split

__all__ = [
    "COLUMNS",
    "NOTHING",
    "Action",
    "ColumnMapping",
    "Evaluation",
    "Group",
    "History",
    "HourOfDay",
    "Report",
    "Row",
    "SimulatedCutover",
    "SimulatedEnd",
    "Twitchy",
    "attempt",
    "looks",
    "mapping_of_table",
    "past_of_minutes",
    "past_of_rows",
    "report_of",
    "split",
    "starts",
]
