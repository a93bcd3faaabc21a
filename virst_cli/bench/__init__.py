"""Benchmarks: a data set, a model or its masks, and a report of how well they fit.

samples.py      what a data set is: videos, sentences, true masks
datasets/       the data sets by name
sources.py      where masks come from: a model that is asked,
predictions.py  a folder of masks from elsewhere,
store.py        or a folder that a model fills, and from which a later run goes on
metrics.py      J and F of one frame
robustness.py   A and R of one frame (ReVOS)
scores.py       masks -> a row per expression -> means
annotators.py   the standard protocol of Ref-DAVIS17
baselines.py    what one gets without understanding the sentence
course.py       which videos a run takes, and how far it is
runner.py       a data set and a source -> a report
spread.py       the same with many workers, which fill the store
report.py       the result, and its JSON
table.py        the result for people
published.py    figures of other systems
submission.py   a zip file for a benchmark server
page.py         the result as a web page, with its tables (page_tables.py) and pictures (page_examples.py)
mask_file.py    a mask from a PNG, and no more work than that
parallel.py     a function over many things on all cores, in order
"""

from virst_cli.bench.datasets import open_dataset
from virst_cli.bench.mask_sources import Model
from virst_cli.bench.mask_store import open_store
from virst_cli.bench.report import Report
from virst_cli.bench.runner import run_benchmark, score_predictions
from virst_cli.bench.samples import Dataset, Expression, Sample
from virst_cli.bench.selection import BenchProgress
from virst_cli.bench.submission import check_submission, write_submission

__all__ = [
    "BenchProgress",
    "Dataset",
    "Expression",
    "Model",
    "Report",
    "Sample",
    "check_submission",
    "open_dataset",
    "open_store",
    "run_benchmark",
    "score_predictions",
    "write_submission",
]
