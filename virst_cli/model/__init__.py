"""The networks. They know nothing of time beyond a clip, and nothing of files."""
