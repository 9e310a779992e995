"""Plans that nobody wrote a scenario for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MINIMAL = Path(__file__).resolve().parents[2] / "plans" / "minimal.yaml"


def fresh_plan(weights: Sequence[int], *, bake: str = "10m", more: str = "") -> str:
    """The text of a short plan with these steps, and everything else left to the defaults."""
    text = MINIMAL.read_text(encoding="utf-8")
    begin, end = text.index("steps:"), text.index("hold_back:")
    steps = ", ".join(f"{{weight: {weight}, bake: {bake}}}" for weight in weights)
    return f"{text[:begin]}steps: [{steps}]\n{text[end:]}{more}"
