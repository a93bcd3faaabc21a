"""The Python API in one page: masks of two sentences, frame by frame, in one pass over the video.

python examples/python_api.py examples/dogs.mp4 "the dog that jumps last" "all the dogs"
"""

import sys

import virst_cli


def main(video: str, sentences: list[str]) -> None:
    model = virst_cli.load()  # the best model on this machine; load("virst-nano") names one
    for frame in model.segment(video, sentences):
        # frame.rgb (H,W,3) uint8, frame.masks (n,H,W) bool, frame.scores (n,) float: above 0 where something is seen
        shares = ", ".join(f"{mask.mean():.1%}" for mask in frame.masks)
        print(f"{frame.time:6.2f} s  {shares}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
