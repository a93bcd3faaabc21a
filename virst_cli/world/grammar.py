"""Writes sentences about a clip, each true of exactly its targets.

For each type of sentence there is a function that makes one proposal or fails. A proposal starts from a thing of the clip,
describes it by kind and perhaps colour, and says something about it. The predicates then tell which things it is true of.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from virst_cli.world.predicates import RELATIONS, SIDES, Facts, Truth
from virst_cli.world.things import COLOURS, EVENTS, KINDS, SIZES, Sentence, Thing, Which
from virst_cli.world.words import (
    ANIMALS,
    FUNCTION_WORDS,
    NOUNS,
    ORDERS,
    PLACES,
    RELATION_WORDS,
    REQUESTS,
    SIZE_WORDS,
    SUPERLATIVES,
    TIME_VERBS,
    TIMES,
    VERBS,
)

MAX_PROPOSALS = 8  # for a sentence of a type
SHORTEST = 4  # frames needed to show a movement, or to have a start and an end
WEIGHTS = {  # how early a type is tried; high for types like order and size, which fit few clips
    "attribute": 0.7,
    "plural": 0.6,
    "motion": 0.65,
    "size": 2.2,
    "position": 0.65,
    "relation": 1.8,
    "order": 3.0,
    "nothing": 0.55,
}
T = TypeVar("T")


class _Proposal(NamedTuple):
    """A sentence that may be used; the fields are those of `Sentence`."""

    text: str
    targets: Sequence[int]
    event: str | None = None
    which: Which | None = None


@dataclass(frozen=True)
class _Noun:
    """A noun phrase: a kind, "animal" or "thing", and perhaps a colour."""

    kind: str
    colour: str | None

    def fits(self, thing: Thing) -> bool:
        """Whether the phrase describes a thing."""
        kind = self.kind == "thing" or thing.kind == self.kind or (self.kind == "animal" and thing.kind in ANIMALS)
        return kind and self.colour in (None, thing.colour)


def vocabulary() -> list[str]:
    """All words that sentences can contain, sorted, without the question mark."""
    requests = [phrase.replace("{}", "").replace("?", "") for phrase in REQUESTS]
    phrases = [*requests, *COLOURS, *ORDERS, *FUNCTION_WORDS, *PLACES.values(), *TIME_VERBS.values()]
    phrases += [form for forms in NOUNS.values() for pair in forms for form in pair]
    phrases += [form for verbs in VERBS.values() for v in verbs for form in (v.one, v.many, v.ing)]
    for table in (SIZE_WORDS, SUPERLATIVES, TIMES, RELATION_WORDS):
        phrases += [form for forms in table.values() for form in forms]
    return sorted({word for phrase in phrases for word in phrase.split()})


def write_sentences(rng: np.random.Generator, facts: Facts, *, count: int, types: Sequence[str]) -> tuple[Sentence, ...]:
    """Write up to `count` different sentences, of as many of the given types as the clip allows."""
    writer = _Writer(rng, facts)
    weights = np.array([WEIGHTS[t] for t in types])
    turns = [types[i] for i in np.argsort(rng.exponential(size=len(types)) / weights)]  # weighted sampling without replacement
    found: dict[str, Sentence] = {}
    while turns and len(found) < count:
        successful: list[str] = []
        for type_ in turns:
            sentence = writer.write(type_, found)
            if sentence is not None and len(found) < count:
                found[sentence.text] = sentence
                successful.append(type_)
        turns = successful
    return tuple(found.values())


class _Writer:
    """Writes sentences about one clip."""

    def __init__(self, rng: np.random.Generator, facts: Facts) -> None:
        self.rng = rng
        self.facts = facts
        self.indices = range(len(facts.things))
        self.proposers: dict[str, Callable[[], _Proposal | None]] = {
            "attribute": self._attribute,
            "plural": self._plural,
            "motion": self._motion,
            "size": self._size,
            "position": self._position,
            "relation": self._relation,
            "order": self._order,
            "nothing": self._nothing,
        }

    def write(self, type_: str, known: dict[str, Sentence]) -> Sentence | None:
        """A sentence of a type whose text is not in `known`; None if no proposal yields one."""
        for _ in range(MAX_PROPOSALS):
            proposal = self.proposers[type_]()
            if proposal is not None and proposal.text not in known:
                targets = tuple(sorted(proposal.targets))
                return Sentence(self._maybe_request(proposal.text), type_, targets, proposal.event, proposal.which)
        return None

    # random choices and words

    def _chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.integers(len(choices)))]

    def _noun(self, i: int, *, colour: float = 0.4, generic: float = 0.2) -> _Noun:
        """A random noun phrase that describes thing i.

        colour: probability that it has a colour.
        generic: probability that it says "animal" or "thing" in place of the kind.
        """
        thing = self.facts.things[i]
        kind = thing.kind
        if self._chance(generic):
            kind = "animal" if kind in ANIMALS and self._chance(0.3) else "thing"
        return _Noun(kind, thing.colour if self._chance(colour) else None)

    def _group(self, noun: _Noun) -> list[int]:
        """The things that a noun phrase describes."""
        return [i for i in self.indices if noun.fits(self.facts.things[i])]

    def _phrase(self, noun: _Noun, *, many: bool = False, before: str = "") -> str:
        """The words of a noun phrase without an article; `before` is an adjective to put first."""
        bare = many and noun.kind == "thing" and not noun.colour
        word = self._pick([pair for pair in NOUNS[noun.kind] if not (bare and pair[0] == "one")])[many]  # not "all ones"
        return " ".join(part for part in (before, noun.colour, word) if part)

    def _maybe_request(self, text: str) -> str:
        """The text, or in some cases a request that contains it."""
        return self._pick(REQUESTS).format(text) if text.startswith("the ") and self._chance(0.08) else text

    # the types of sentences

    def _attribute(self) -> _Proposal | None:
        i = self._pick(self.indices)
        noun = self._noun(i, colour=0.8, generic=0.25)
        if (noun.kind == "thing" and noun.colour is None) or len(self._group(noun)) != 1:
            return None
        return _Proposal(self._text_of_attribute(noun), [i])

    def _text_of_attribute(self, noun: _Noun) -> str:
        if noun.colour and self._chance(0.12):
            plain = self._phrase(_Noun(noun.kind, None))
            return self._pick((f"which {plain} is {noun.colour}?", f"the {plain} that is {noun.colour}"))
        return f"the {self._phrase(noun)}"

    def _plural(self) -> _Proposal | None:
        noun = self._noun(self._pick(self.indices), colour=0.5, generic=0.3)
        group = self._group(noun)
        if len(group) < 2:
            return None
        return _Proposal(self._text_of_plural(noun), group)

    def _text_of_plural(self, noun: _Noun) -> str:
        many = self._phrase(noun, many=True)
        each = f"every {self._phrase(noun)}" if noun.colour or noun.kind != "thing" else f"all of the {many}"
        return self._pick((f"all the {many}", f"all {many}", f"the {many}", each))

    def _motion(self) -> _Proposal | None:
        if self.facts.frames < SHORTEST:
            return None
        i = self._pick(self.indices)
        done = [event for event in EVENTS if self.facts.does(i, event)]
        if not done:
            return None
        event, noun = self._pick(done), self._noun(i, colour=0.25)
        group = self._group(noun)
        targets = _true(group, [self.facts.does(k, event) for k in group])
        if not targets or (len(group) == 1 and self._chance(0.75)):  # prefer sentences that need the verb
            return None
        return _Proposal(self._text_of_motion(noun, event, many=len(targets) > 1), targets, event)

    def _text_of_motion(self, noun: _Noun, event: str, *, many: bool = False) -> str:
        verb, who = self._pick(VERBS[event]), self._phrase(noun, many=many)
        says = verb.many if many else verb.one
        return self._pick((f"the {who} that {says}",) * 4 + (f"the {who} {verb.ing}",) * 2 + (f"which {who} {says}?",))

    def _size(self) -> _Proposal | None:
        i = self._pick(self.indices)
        noun, size = self._noun(i, colour=0.3), self.facts.things[i].size
        group = self._group(noun)
        if len(group) < 2 or [self.facts.things[k].size for k in group].count(size) != 1:
            return None
        text = f"the {self._phrase(noun, before=self._pick(SIZE_WORDS[size] + SUPERLATIVES[size]))}"
        return _Proposal(text, [i])

    def _position(self) -> _Proposal | None:
        i, side = self._pick(self.indices), self._pick(SIDES)
        time = self._pick(("start", "end", None)) if self.facts.frames >= SHORTEST else None
        noun = self._noun(i, colour=0.25)
        group = self._group(noun)
        targets = _true(group, [self.facts.at(k, side, time) for k in group])
        if len(targets) != 1 or (len(group) == 1 and self._chance(0.75)):
            return None
        return _Proposal(self._text_of_position(noun, side, time), targets)

    def _text_of_position(self, noun: _Noun, side: str, time: str | None) -> str:
        who, place = self._phrase(noun), PLACES[side]
        if time is None:
            return self._pick((f"the {who} {place}", f"the {who} that is {place}", f"which {who} is {place}?"))
        when = self._pick(TIMES[time])
        return self._pick(
            (
                f"the {who} {place} {when}",
                f"the {who} {place} {when}",
                f"the {who} that is {place} {when}",
                f"the {who} that {TIME_VERBS[time]} {place}",
                f"which {who} is {place} {when}?",
            )
        )

    def _relation(self) -> _Proposal | None:
        proposal = self._related(true=True)
        if proposal is None:
            return None
        text, group, targets = proposal
        return None if len(targets) != 1 or (len(group) == 1 and self._chance(0.3)) else _Proposal(text, targets)

    def _related(self, *, true: bool) -> tuple[str, list[int], list[int]] | None:
        """Text, things that its noun describes, and things of which it is true; None if something is unclear.

        true: whether the relation is true of the thing for which the noun was made.
        """
        if len(self.indices) < 2:
            return None
        i, j = (int(k) for k in self.rng.permutation(len(self.indices))[:2])
        kind, colour = self.facts.things[j].kind, self.facts.things[j].colour
        other = self._pick([n for n in (_Noun(kind, None), _Noun(kind, colour)) if self._group(n) == [j]] or [None])
        fitting = [r for r in RELATIONS if self.facts.related(i, r, j) is true]
        if other is None or not fitting:
            return None
        relation, noun = self._pick(fitting), self._noun(i, colour=0.3, generic=0.15)
        group = [k for k in self._group(noun) if k != j]
        truths = [self.facts.related(k, relation, j) for k in group]
        if None in truths:
            return None
        who, where = self._phrase(noun), f"{self._pick(RELATION_WORDS[relation])} the {self._phrase(other)}"
        form = self._pick((f"the {who} {where}",) * 2 + (f"the {who} that is {where}", f"which {who} is {where}?"))
        return form, group, _true(group, truths)

    def _order(self) -> _Proposal | None:
        i = self._pick(self.indices)
        happened = [e for e in ("jump", "stop", "enter", "leave") if self.facts.does(i, e)]
        if not happened:
            return None
        event, which, noun = self._pick(happened), self._pick(ORDERS), self._noun(i, colour=0.15)
        target = self.facts.first_or_last(self._group(noun), event, which)
        return None if target is None else _Proposal(self._text_of_order(noun, event, which), [target], event, which)

    def _text_of_order(self, noun: _Noun, event: str, which: str) -> str:
        verb, who = self._pick(VERBS[event]), self._phrase(noun)
        that = f"the {who} that {verb.one} {which}"
        return self._pick((that, that, f"the {which} {who} to {verb.many}", f"which {who} {verb.one} {which}?"))

    def _nothing(self) -> _Proposal | None:
        """A sentence that could be true in another clip and is true of nothing in this one."""
        i, draw = self._pick(self.indices), float(self.rng.random())
        noun = self._noun(i, colour=0.3)
        group = self._group(noun)
        text: str | None = None
        if draw < 0.45 or self.facts.frames < SHORTEST:
            text = self._text_of_missing(i)
        elif draw < 0.75:
            event = self._pick(EVENTS)
            if _never(self.facts.does(k, event) for k in group):
                timed = event in ("jump", "stop", "enter", "leave") and len(group) > 1 and self._chance(0.3)
                text = self._text_of_order(noun, event, self._pick(ORDERS)) if timed else self._text_of_motion(noun, event)
        elif draw < 0.85:
            side, time = self._pick(SIDES), self._pick(("start", "end", None))
            if _never(self.facts.at(k, side, time) for k in group):
                text = self._text_of_position(noun, side, time)
        elif draw < 0.93:
            related = self._related(true=False)
            if related is not None and not related[2]:
                text = related[0]
        else:
            size = self._pick(SIZES)
            if all(self.facts.things[k].size != size for k in group):
                text = f"the {self._phrase(noun, before=self._pick(SIZE_WORDS[size]))}"
        return None if text is None else _Proposal(text, [])

    def _text_of_missing(self, i: int) -> str | None:
        """A description that fits nothing: thing i with another colour or kind, or only a kind or colour that no thing has."""
        thing = self.facts.things[i]
        present = sorted({t.colour for t in self.facts.things}), sorted({t.kind for t in self.facts.things})
        colours, kinds = present if self._chance(0.6) else (COLOURS, KINDS)
        noun = _Noun(thing.kind, self._pick(colours)) if self._chance(0.5) else _Noun(self._pick(kinds), thing.colour)
        if self._chance(0.15):
            noun = _Noun("thing", noun.colour) if self._chance(0.5) else _Noun(noun.kind, None)
        if self._group(noun):
            return None
        return self._text_of_plural(noun) if self._chance(0.25) else self._text_of_attribute(noun)


def _true(group: Sequence[int], truths: Sequence[Truth]) -> list[int]:
    """The things of a group of which it is true; none if it is unclear for any of them."""
    return [] if None in truths else [i for i, truth in zip(group, truths, strict=True) if truth]


def _never(truths: Iterable[Truth]) -> bool:
    return all(truth is False for truth in truths)
