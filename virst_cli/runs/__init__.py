"""One job from the command line: checked, estimated, run, resumed, rendered again; and what `virst doctor` finds out."""
