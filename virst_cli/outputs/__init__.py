"""Everything that a run leaves in its folder: the record (run.json, masks.jsonl) and its renderings (videos, PNG files).

    names.py          names of run folders and of files, made from videos and sentences
    arrays.py         types of the arrays that hold frames, masks and pictures
    rle.py            a mask as text, in COCO's compressed run-length encoding
    masks_jsonl.py    a frame as a line of masks.jsonl
    request_key.py    the request in run.json, and the key that tells two requests apart
    record.py         reads the record of a finished run
    record_writer.py  writes the record of a run frame by frame, and continues an interrupted one
    png_masks.py      reads masks from PNG files, as if they were a record
    palette.py        a colour for every sentence
    style.py          styles of an overlay: fill, outline, spotlight, side-by-side
    font.py           fonts for the label
    legend.py         the label that shows which colour stands for which sentence
    overlay.py        draws the masks of a frame on it
    png.py            writes masks as a folder of PNG files
    renderings.py     writes overlays, mask videos, PNG files and cutouts

The record is what counts: all renderings can be made again from it and the video.
"""
