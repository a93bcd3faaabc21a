"""Training: data, losses, stages and the loop. `setup` says what is trained on what."""
