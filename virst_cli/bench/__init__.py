"""Benchmarks: a data set, a model or its masks, and a report of how well they fit.

samples.py      what a data set is: videos, sentences, true masks
datasets/       the data sets by name
metrics.py      J and F of one frame
scores.py       masks -> a row per expression -> means
baselines.py    what one gets without understanding the sentence
course.py       which videos a run takes, and how far it is
runner.py       a model over a data set
predictions.py  masks from elsewhere over a data set
report.py       the result, and its JSON
table.py        the result for people
"""

from virst_cli.bench.course import Progress
from virst_cli.bench.datasets import open_dataset
from virst_cli.bench.predictions import score_predictions
from virst_cli.bench.report import Report
from virst_cli.bench.runner import Model, run
from virst_cli.bench.samples import Dataset, Expression, Sample

__all__ = ["Dataset", "Expression", "Model", "Progress", "Report", "Sample", "open_dataset", "run", "score_predictions"]
