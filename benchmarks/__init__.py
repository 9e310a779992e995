"""Every figure that the design promises, measured: `python -m benchmarks` (docs/performance.md).

One module measures one figure. Each figure is a ratio against a yardstick that is measured in the same
process run, so that a slow machine slows both; absolute times stand beside it for people.
"""
