"""This computer: its devices, number formats, memory and speed. Knows nothing of videos or models."""
