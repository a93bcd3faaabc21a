"""Benchmarks: a data set, a model or a folder of masks, and a report of how well the masks fit.

samples.py           what a data set is: videos, sentences, true masks
datasets/            the data sets by name
mask_sources.py      what a source of masks is, and the one that asks a model
predictions.py       a folder of masks as a source
mask_store.py        a folder that a model fills, and from which a later run continues
mask_png.py          reads a mask from a PNG
metrics.py           J and F of one frame
robustness.py        A and R of one frame (ReVOS)
scores.py            masks -> a score per expression -> means
annotators.py        the standard protocol of Ref-DAVIS17
baselines.py         scores that need no understanding of the sentence
parallel.py          a function over many items on all cores, in order
selection.py         which videos a run takes, and its progress
runner.py            a data set and a source of masks -> a report
bench_model.py       the model that is scored, and what is recorded about it
distribute.py        a run whose masks are made by the workers of an engine
score_model.py       a model's run, here or on an engine
report.py            the result, and its JSON
published_scores.py  figures of other systems
report_tables.py     the result as tables, ready to be rendered
text_tables.py       these tables for a terminal
page.py              the result as a web page (page.html.j2), with example pictures (page_examples.py)
submission.py        a zip file for a benchmark server
"""

from virst_cli.bench.bench_model import BenchModel
from virst_cli.bench.datasets import open_dataset
from virst_cli.bench.datasets.world import WorldSet
from virst_cli.bench.mask_sources import Model
from virst_cli.bench.mask_store import open_store
from virst_cli.bench.report import Report
from virst_cli.bench.runner import run_benchmark, score_predictions
from virst_cli.bench.samples import Dataset, Expression, Sample
from virst_cli.bench.score_model import score_model
from virst_cli.bench.selection import BenchProgress
from virst_cli.bench.submission import check_submission, write_submission

__all__ = [
    "BenchModel",
    "BenchProgress",
    "Dataset",
    "Expression",
    "Model",
    "Report",
    "Sample",
    "WorldSet",
    "check_submission",
    "open_dataset",
    "open_store",
    "run_benchmark",
    "score_model",
    "score_predictions",
    "write_submission",
]
