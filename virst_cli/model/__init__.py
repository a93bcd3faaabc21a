"""The networks of VIRST, without any code that reads files or videos."""
