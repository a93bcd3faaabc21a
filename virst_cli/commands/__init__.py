"""The commands of `virst`, one file each. A command parses its options, calls one function of the library, and prints."""
