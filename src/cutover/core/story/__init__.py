"""What a person is told of a run, and how: the only owner of sentences (design 3.4).

`Story.begin(plan)`, then `tell(story, record)` for every record; views render the story.
"""

from cutover.core.story.ending import NEXT, ending, next_command
from cutover.core.story.holds import HOLD_WORDS, HoldWords, after_deadline
from cutover.core.story.judged import told
from cutover.core.story.model import Line, Stand, StepStory, Story, Tone, baked, tell
from cutover.core.story.oddities import Oddities, oddities_text
from cutover.core.story.sentences import sentence
from cutover.core.story.standing import (
    Standing,
    evidence_text,
    left_ms,
    minute_line,
    outlook,
    standings,
)
from cutover.core.story.words import (
    about,
    clock_text,
    group_name,
    route_name,
    stamp,
)

__all__ = [
    "HOLD_WORDS",
    "NEXT",
    "HoldWords",
    "Line",
    "Oddities",
    "Stand",
    "Standing",
    "StepStory",
    "Story",
    "Tone",
    "about",
    "after_deadline",
    "baked",
    "clock_text",
    "ending",
    "evidence_text",
    "group_name",
    "left_ms",
    "minute_line",
    "next_command",
    "oddities_text",
    "outlook",
    "route_name",
    "sentence",
    "stamp",
    "standings",
    "tell",
    "told",
]
