"""Masks through time: which frames are used for what, what is remembered of them, and one step per frame (TDAU)."""
