"""Video and sentences in, a stream of masks out: the five steps of the model, over frames as they come."""
