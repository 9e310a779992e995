"""What a person is told of a run, and how: the only owner of sentences.

`RunView.begin(plan)`, then `fold(view, record)` for every record; every surface renders that view.
"""

from cutover.core.messages.anomalies import Anomalies, anomalies_text
from cutover.core.messages.ending import NEXT, ending, next_command
from cutover.core.messages.holds import HOLD_WORDS, HoldWords, after_deadline
from cutover.core.messages.live_verdicts import (
    LiveVerdict,
    ahead,
    evidence_text,
    left_ms,
    minute_line,
    standings,
)
from cutover.core.messages.model import (
    RunView,
    StepStanding,
    StepView,
    Tone,
    ViewLine,
    baked,
    fold,
)
from cutover.core.messages.phrases import reason_text, why_of, why_text
from cutover.core.messages.reasons import SENTENCES, explain
from cutover.core.messages.sentences import sentence
from cutover.core.messages.verdicts import with_sentence
from cutover.core.moment import about, clock_text, stamp

__all__ = [
    "HOLD_WORDS",
    "NEXT",
    "SENTENCES",
    "Anomalies",
    "HoldWords",
    "LiveVerdict",
    "RunView",
    "StepStanding",
    "StepView",
    "Tone",
    "ViewLine",
    "about",
    "after_deadline",
    "ahead",
    "anomalies_text",
    "baked",
    "clock_text",
    "ending",
    "evidence_text",
    "explain",
    "fold",
    "left_ms",
    "minute_line",
    "next_command",
    "reason_text",
    "sentence",
    "stamp",
    "standings",
    "why_of",
    "why_text",
    "with_sentence",
]
