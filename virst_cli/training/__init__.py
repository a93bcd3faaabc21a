"""Training of virst-nano: data, losses, stages and the loop. `setup.TrainingJob` is the entry point."""
