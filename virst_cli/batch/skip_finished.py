"""Which videos of a batch are skipped: those that an earlier batch has finished in the same way."""

from virst_cli.errors import OutputError
from virst_cli.files.shown import shown
from virst_cli.outputs.record import RUN_FILE
from virst_cli.runs.run import Run, RunResult


def skip_finished(run: Run) -> RunResult | None:
    """The result of a video that is finished already; only renderings that it lacks are made. None for any other video.

    Raises OutputError if the folder holds a finished run of another request. The message of `RecordWriter.open` would suggest
    --overwrite, which segments all videos of a batch again.
    """
    result = run.finished()
    folder = run.job.folder
    if result is None and (folder / RUN_FILE).exists():
        what = "holds a finished run of another video, sentence, model or setting"
        how = "delete it, or choose another folder with -o (--overwrite segments all videos again)"
        raise OutputError(f"{shown(folder)} {what}; {how}")
    return result
