"""What a run leaves behind: the record (run.json, masks.jsonl) and its renderings (overlay, mask video, PNGs, cutout).

    names.py          sentence -> slug, video -> run folder
    rle.py            one mask as text, COCO's compressed RLE
    rows.py           one frame as a line of masks.jsonl
    manifest.py       what was asked, and the key that tells two runs apart
    lock.py           one process a run folder
    files.py          written beside, flushed, renamed: how every file here comes to be
    record.py         a finished run, read strictly
    record_writer.py  a run being written: streams, resumes, finishes
    palette.py        a colour for every sentence
    style.py          which ways of showing a mask there are
    font.py           letters that ship with Pillow, and what to do about those that do not
    legend.py         which colour is which sentence, drawn once a run
    overlay.py        frame + masks -> picture
    png.py            masks as a folder of PNG files
    renderings.py     the sinks that take a run frame by frame

The first half is the record, the second its pictures; pictures can always be made again.
"""
