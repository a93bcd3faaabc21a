"""When a model counts as small."""

SMALL = 1 << 30  # bytes of weights; below it a model stays in memory between videos, and is checked whenever it is opened
