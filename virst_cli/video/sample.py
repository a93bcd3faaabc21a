"""Which frames the model looks at (spec section 3, "flex"): plain numbers, no pictures.

The published code draws a frame at random from each segment of the video; here it is the middle one, so that two runs
agree.
"""

import itertools

SHORTEST = 8  # frames the vision tower gets at least: two clips of four


def flex(length: int, limit: int = 64, clip: int = 4) -> list[int]:
    """Numbers of the frames, out of `length`, that are shown to the language model, in order.

    A whole number of clips: at most `limit` frames, one from the middle of each of as many equal segments. Up to eight
    frames all are taken, and the last one repeated to make eight.

    >>> flex(10)
    [0, 1, 2, 3, 5, 6, 7, 8]
    >>> flex(3)
    [0, 1, 2, 2, 2, 2, 2, 2]
    """
    if length < 1 or limit < clip:
        raise ValueError(f"no {clip} frames to choose: length {length}, limit {limit}")
    if length <= SHORTEST:
        return [min(i, length - 1) for i in range(SHORTEST)]
    count = clip * (min(limit, length) // clip)
    bounds = [i * length // count for i in range(count + 1)]
    return [(here + there - 1) // 2 for here, there in itertools.pairwise(bounds)]


def spread(n: int, t: int) -> list[int]:
    """`t` positions out of `n`, each in the middle of its share: floor((j + 0.5) * n / t). All, if `t` or fewer.

    >>> spread(64, 4)
    [8, 24, 40, 56]
    """
    if n <= t:
        return list(range(n))
    return [(2 * j + 1) * n // (2 * t) for j in range(t)]
