"""A sentence is true of its targets and of nobody else.

The truth is worked out again here from the words, the paths and the states, by other code than the grammar's.
"""

import re
from collections import Counter

import numpy as np
import pytest

from virst_cli.world import COLOURS, KINDS, TYPES, Clip, Sentence, Thing, make_clip, vocabulary
from virst_cli.world.things import ABSENT, AIR, STILL

NOUNS = {"vehicle": "car", "automobile": "car", "crate": "box", "puppy": "dog", "kitten": "cat", **{k: k for k in KINDS}}
DOES = {
    "jump": r"jump|hop|leap",
    "stop": r"stop|halt",
    "enter": r"enter|com(es?|ing) in|\bappear",
    "leave": r"leav|go(es|ing)? away|disappear",
    "still": r"still|not mov",
    "left": r"(mov|go|head)\w* (to the )?left",
    "right": r"(mov|go|head)\w* (to the )?right",
}
SPLITS = r" (?:that|moving|going|jumping|hopping|stopping|entering|leaving|coming|disappearing|standing|not|to|on|at) "


def _named(phrase: str, thing: Thing) -> bool:
    """Whether the words for kind and colour in the phrase fit the thing."""
    for word in phrase.split():
        singular = {"boxes": "box", "puppies": "puppy"}.get(word, word.removesuffix("s"))
        if singular == "animal" and thing.kind not in ("dog", "cat", "bird"):
            return False
        if singular in NOUNS and thing.kind != NOUNS[singular]:
            return False
        if word in COLOURS and thing.colour != word:
            return False
        if word in ("small", "little", "tiny", "smallest") and thing.size != "small":
            return False
        if word in ("large", "big", "huge", "largest", "biggest") and thing.size != "large":
            return False
    return True


def _action(text: str) -> str | None:
    return next((name for name, pattern in DOES.items() if re.search(pattern, text)), None)


def _starts(thing: Thing, action: str) -> list[int]:
    """Frames at which the states change in the way of the action."""
    s = thing.states
    change = {
        "jump": (s[1:] == AIR) & (s[:-1] != AIR),
        "stop": (s[1:] == STILL) & (s[:-1] > STILL) & (s[:-1] != AIR),
        "enter": (s[1:] != ABSENT) & (s[:-1] == ABSENT),
        "leave": (s[1:] == ABSENT) & (s[:-1] != ABSENT),
    }[action]
    return (np.flatnonzero(change) + 1).tolist()


def _acts(thing: Thing, action: str) -> bool:
    x = thing.path[thing.states != ABSENT, 0]
    if action == "still":
        return bool(np.ptp(thing.path, axis=0).max() < 1)
    if action in ("left", "right"):
        return bool((x[-1] - x[0]) * (1 if action == "right" else -1) > 10)
    return bool(_starts(thing, action))


def _who(text: str) -> str:
    """The part of the sentence that names the thing it asks for."""
    head = re.split(SPLITS, re.sub(r" is (?=\w+\?$)", " ", text).rstrip("?"))[0]
    return re.split(r" (?:is|in|left|right|above|over|below|under|next|near|beside|close) ", head)[0]


def _with(clips: list[Clip], *types: str) -> list[tuple[Clip, Sentence]]:
    found = [(clip, s) for clip in clips for s in clip.sentences if s.type in types]
    assert len(found) > 20
    return found


def test_attribute_and_plural_sentences_mean_all_things_with_these_looks(clips: list[Clip]) -> None:
    for clip, s in _with(clips, "attribute", "plural"):
        meant = tuple(i for i, t in enumerate(clip.things) if _named(s.text.rstrip("?"), t))
        assert meant == s.targets, s.text
        assert len(meant) == 1 if s.type == "attribute" else len(meant) > 1


def test_size_sentences_mean_the_only_one_of_that_size_among_several(clips: list[Clip]) -> None:
    for clip, s in _with(clips, "size"):
        assert tuple(i for i, t in enumerate(clip.things) if _named(s.text, t)) == s.targets
        words = [w for w in s.text.split() if w in (*COLOURS, *NOUNS, "animal")]
        assert sum(_named(" ".join(words), t) for t in clip.things) > 1


def test_motion_sentences_mean_exactly_those_that_do_it(clips: list[Clip]) -> None:
    for clip, s in _with(clips, "motion"):
        action = _action(s.text)
        assert action is not None, s.text
        verb = re.search(DOES[action], s.text)
        assert verb is not None
        who = s.text[: verb.start()]
        doing = tuple(i for i, t in enumerate(clip.things) if _named(who, t) and _acts(t, action))
        assert doing == s.targets, s.text


def test_order_sentences_mean_the_clearly_first_or_last(clips: list[Clip]) -> None:
    for clip, s in _with(clips, "order"):
        action = _action(s.text)
        assert action in ("jump", "stop", "enter", "leave"), s.text
        times = {i: _starts(t, action) for i, t in enumerate(clip.things) if _named(s.text.rstrip("?"), t)}
        done = {i: (max(v) if " last" in s.text else -min(v)) for i, v in times.items() if v}
        best, second = sorted(done, key=lambda i: -done[i])[:2]
        assert s.targets == (best,) and done[best] - done[second] >= 2, s.text


def test_position_sentences_mean_the_only_one_on_that_side(clips: list[Clip]) -> None:
    for clip, s in _with(clips, "position"):
        side = re.search(r"on the left|on the right|at the top|at the bottom", s.text)
        assert side is not None
        time = 0 if re.search(r"start|beginning", s.text) else (-1 if re.search(r"\bends?\b", s.text) else None)
        axis, sign = {"left": (0, -1), "right": (0, 1), "top": (1, -1), "bottom": (1, 1)}[side[0].split()[-1]]

        def there(t: Thing, time: int | None = time, axis: int = axis, sign: int = sign) -> bool:
            if time is not None and t.states[time] == ABSENT:
                return False
            where = t.path[t.states != ABSENT, axis] if time is None else t.path[[time], axis]
            return bool(((where - 64) * sign > 0).all())

        who = s.text[: side.start()]
        meant = tuple(i for i, t in enumerate(clip.things) if _named(who, t) and there(t))
        assert meant == s.targets, s.text


def test_relation_sentences_mean_the_only_one_so_placed(clips: list[Clip]) -> None:
    words = r" (left of|right of|above|over|below|under|next to|near|beside|close to) the "
    for clip, s in _with(clips, "relation"):
        who, relation, other = re.split(words, s.text.rstrip("?").replace("to the left", "left").replace("to the right", "right"))
        (j,) = (i for i, t in enumerate(clip.things) if _named(other, t))

        def there(t: Thing, j: int = j, relation: str = relation, clip: Clip = clip) -> bool:
            both = (t.states != ABSENT) & (clip.things[j].states != ABSENT)
            dx, dy = (clip.things[j].path - t.path)[both].mean(axis=0)
            if relation in ("next to", "near", "beside", "close to"):
                return bool(np.hypot(dx, dy) <= 60)
            return bool({"l": dx, "r": -dx, "a": dy, "o": dy, "b": -dy, "u": -dy}[relation[0]] > 6)

        meant = tuple(i for i, t in enumerate(clip.things) if i != j and _named(who, t) and there(t))
        assert meant == s.targets, s.text


def test_what_a_nothing_sentence_describes_is_not_there_or_does_not_do_it(clips: list[Clip]) -> None:
    looks, acts = 0, 0
    for clip, s in _with(clips, "nothing"):
        assert s.targets == () and not clip.masks(s).any()
        action = _action(s.text)
        if action is not None:
            verb = re.search(DOES[action], s.text)
            assert verb is not None
            named = [t for t in clip.things if _named(s.text[: verb.start()], t)]
            assert named and not any(_acts(t, action) for t in named), s.text
            acts += 1
        elif not re.search(r" (of|above|over|below|under|to|near|beside|on|at) ", s.text.replace("all of", "all")):
            assert not any(_named(s.text.rstrip("?"), t) for t in clip.things), s.text
            looks += 1
    assert looks > 20 and acts > 20


def test_a_thing_that_goes_both_ways_neither_moves_left_nor_right(long_clips: list[Clip]) -> None:
    for clip in long_clips:
        for s in clip.sentences:
            if s.type == "motion" and _action(s.text) in ("left", "right"):
                for i in s.targets:
                    steps = np.diff(clip.things[i].path[clip.things[i].states != ABSENT, 0])
                    seen = steps[np.abs(steps) < 20]  # not across an absence
                    assert (seen <= 0).all() or (seen >= 0).all()


def test_the_vocabulary_holds_every_word_and_no_other_mark_than_a_final_question_mark(clips: list[Clip]) -> None:
    words = vocabulary()
    assert words == sorted(set(words)) and 100 <= len(words) <= 150 and words == vocabulary()
    used = {w for clip in clips for s in clip.sentences for w in s.text.removesuffix("?").split(" ")}
    assert used <= set(words)
    assert all(re.fullmatch(r"[a-z]+", w) for w in words)


def test_all_types_are_frequent_and_one_in_eight_sentences_matches_nothing(clips: list[Clip]) -> None:
    counts = Counter(s.type for clip in clips for s in clip.sentences)
    share = {t: counts[t] / counts.total() for t in TYPES}
    assert min(share.values()) > 0.075 and 0.11 < share["nothing"] < 0.165, share


@pytest.mark.parametrize("wanted", TYPES)
def test_only_the_wanted_types_are_drawn(wanted: str) -> None:
    for seed in range(12):
        assert {s.type for s in make_clip(seed, types=[wanted]).sentences} == {wanted}


def test_a_type_that_is_named_again_has_more_of_the_sentences() -> None:
    def share(types: tuple[str, ...]) -> float:
        found = Counter(s.type for seed in range(60) for s in make_clip(seed, frames=16, sentences=10, types=types).sentences)
        return found["order"] / found.total()

    assert share((*TYPES, "order", "order")) > 1.3 * share(TYPES)


def test_known_sentences_occur(clips: list[Clip]) -> None:
    texts = {s.text for clip in clips for s in clip.sentences}
    forms = [
        r"the \w+ that jumps last",
        r"the first \w+ to \w+",
        r"all the \w+ \w+s",
        r"every \w+ \w+",
        r"the (largest|biggest) \w+",
        r"the \w+ on the left at the (start|end)",
        r"the \w+ (to the )?left of the \w+( \w+)?",
        r"which \w+ \w+s (first|last)\?",
        r"the \w+ one",
    ]
    for form in forms:
        assert any(re.fullmatch(form, t) for t in texts), form
