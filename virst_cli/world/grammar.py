"""Makes sentences about a clip, each true of exactly its targets.

A type of sentence is a function that makes one proposal or gives up. Proposals start from a thing that is there,
describe it by some of its looks, and say something about it; the predicates then tell whom the sentence is true of.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from virst_cli.world.predicates import RELATIONS, SIDES, Facts, Truth
from virst_cli.world.things import COLOURS, EVENTS, KINDS, SIZES, Sentence, Thing, Which
from virst_cli.world.words import (
    ANIMALS,
    ASKING,
    FUNCTION_WORDS,
    NOUNS,
    ORDERS,
    PLACES,
    RELATION_WORDS,
    SIZE_WORDS,
    SUPERLATIVES,
    TIME_VERBS,
    TIMES,
    VERBS,
)

PROPOSALS = 8  # made for a type before it is given up for a clip
SHORTEST = 4  # frames that a clip must have before it shows a movement, or has a start and an end
WEIGHTS = {  # how early a type gets its turn; order and size fit few clips, the others many
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
    """A sentence that may be said; the fields are those of `Sentence`."""

    text: str
    targets: Sequence[int]
    event: str | None = None
    which: Which | None = None


@dataclass(frozen=True)
class _Noun:
    """A description by looks: a kind, "animal" or "thing", and perhaps a colour."""

    kind: str
    colour: str | None

    def fits(self, thing: Thing) -> bool:
        kind = self.kind == "thing" or thing.kind == self.kind or (self.kind == "animal" and thing.kind in ANIMALS)
        return kind and self.colour in (None, thing.colour)


def vocabulary() -> list[str]:
    """Every word that a sentence can contain, sorted; the "?" that ends a question is not among them."""
    asking = [phrase.replace("{}", "").replace("?", "") for phrase in ASKING]
    phrases = [*asking, *COLOURS, *ORDERS, *FUNCTION_WORDS, *PLACES.values(), *TIME_VERBS.values()]
    phrases += [form for forms in NOUNS.values() for pair in forms for form in pair]
    phrases += [form for verbs in VERBS.values() for v in verbs for form in (v.one, v.many, v.ing)]
    for table in (SIZE_WORDS, SUPERLATIVES, TIMES, RELATION_WORDS):
        phrases += [form for forms in table.values() for form in forms]
    return sorted({word for phrase in phrases for word in phrase.split()})


def write_sentences(rng: np.random.Generator, facts: Facts, *, count: int, types: Sequence[str]) -> tuple[Sentence, ...]:
    """Up to `count` different sentences of the given types, of as many types as the clip allows."""
    writer = _Writer(rng, facts)
    weights = np.array([WEIGHTS[t] for t in types])
    turns = [types[i] for i in np.argsort(rng.exponential(size=len(types)) / weights)]  # a weighted draw without return
    found: dict[str, Sentence] = {}
    while turns and len(found) < count:
        fruitful: list[str] = []
        for type_ in turns:
            sentence = writer.write(type_, found)
            if sentence is not None and len(found) < count:
                found[sentence.text] = sentence
                fruitful.append(type_)
        turns = fruitful
    return tuple(found.values())


class _Writer:
    """Proposes sentences about one clip."""

    def __init__(self, rng: np.random.Generator, facts: Facts) -> None:
        self.rng = rng
        self.facts = facts
        self.everyone = range(len(facts.things))

    def write(self, type_: str, known: dict[str, Sentence]) -> Sentence | None:
        """A sentence of this type whose text is not known yet, if a few proposals yield one."""
        propose: Callable[[], _Proposal | None] = getattr(self, f"_{type_}")
        for _ in range(PROPOSALS):
            proposal = propose()
            if proposal is not None and proposal.text not in known:
                targets = tuple(sorted(proposal.targets))
                return Sentence(self._asked(proposal.text), type_, targets, proposal.event, proposal.which)
        return None

    # chance and words

    def _chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def _pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.integers(len(choices)))]

    def _noun(self, i: int, *, colour: float = 0.4, generic: float = 0.2) -> _Noun:
        """Some description that fits thing i."""
        thing = self.facts.things[i]
        kind = thing.kind
        if self._chance(generic):
            kind = "animal" if kind in ANIMALS and self._chance(0.3) else "thing"
        return _Noun(kind, thing.colour if self._chance(colour) else None)

    def _group(self, noun: _Noun) -> list[int]:
        return [i for i in self.everyone if noun.fits(self.facts.things[i])]

    def _say(self, noun: _Noun, *, many: bool = False, before: str = "") -> str:
        """The noun phrase without its article; `before` is an adjective that goes first."""
        bare = many and noun.kind == "thing" and not noun.colour
        word = self._pick([pair for pair in NOUNS[noun.kind] if not (bare and pair[0] == "one")])[many]  # no "all ones"
        return " ".join(part for part in (before, noun.colour, word) if part)

    def _asked(self, text: str) -> str:
        """Now and then a description is part of a request."""
        return self._pick(ASKING).format(text) if text.startswith("the ") and self._chance(0.08) else text

    # the types of sentences

    def _attribute(self) -> _Proposal | None:
        i = self._pick(self.everyone)
        noun = self._noun(i, colour=0.8, generic=0.25)
        if (noun.kind == "thing" and noun.colour is None) or len(self._group(noun)) != 1:
            return None
        return _Proposal(self._looks(noun), [i])

    def _looks(self, noun: _Noun) -> str:
        if noun.colour and self._chance(0.12):
            plain = self._say(_Noun(noun.kind, None))
            return self._pick((f"which {plain} is {noun.colour}?", f"the {plain} that is {noun.colour}"))
        return f"the {self._say(noun)}"

    def _plural(self) -> _Proposal | None:
        noun = self._noun(self._pick(self.everyone), colour=0.5, generic=0.3)
        group = self._group(noun)
        if len(group) < 2:
            return None
        return _Proposal(self._several(noun), group)

    def _several(self, noun: _Noun) -> str:
        many = self._say(noun, many=True)
        each = f"every {self._say(noun)}" if noun.colour or noun.kind != "thing" else f"all of the {many}"
        return self._pick((f"all the {many}", f"all {many}", f"the {many}", each))

    def _motion(self) -> _Proposal | None:
        if self.facts.frames < SHORTEST:
            return None
        i = self._pick(self.everyone)
        done = [event for event in EVENTS if self.facts.does(i, event)]
        if not done:
            return None
        event, noun = self._pick(done), self._noun(i, colour=0.25)
        group = self._group(noun)
        targets = _true(group, [self.facts.does(k, event) for k in group])
        if not targets or (len(group) == 1 and self._chance(0.75)):  # prefer sentences where the verb decides
            return None
        return _Proposal(self._acts(noun, event, many=len(targets) > 1), targets, event)

    def _acts(self, noun: _Noun, event: str, *, many: bool = False) -> str:
        verb, who = self._pick(VERBS[event]), self._say(noun, many=many)
        says = verb.many if many else verb.one
        return self._pick((f"the {who} that {says}",) * 4 + (f"the {who} {verb.ing}",) * 2 + (f"which {who} {says}?",))

    def _size(self) -> _Proposal | None:
        i = self._pick(self.everyone)
        noun, size = self._noun(i, colour=0.3), self.facts.things[i].size
        group = self._group(noun)
        if len(group) < 2 or [self.facts.things[k].size for k in group].count(size) != 1:
            return None
        text = f"the {self._say(noun, before=self._pick(SIZE_WORDS[size] + SUPERLATIVES[size]))}"
        return _Proposal(text, [i])

    def _position(self) -> _Proposal | None:
        i, side = self._pick(self.everyone), self._pick(SIDES)
        time = self._pick(("start", "end", None)) if self.facts.frames >= SHORTEST else None
        noun = self._noun(i, colour=0.25)
        group = self._group(noun)
        targets = _true(group, [self.facts.at(k, side, time) for k in group])
        if len(targets) != 1 or (len(group) == 1 and self._chance(0.75)):
            return None
        return _Proposal(self._stands(noun, side, time), targets)

    def _stands(self, noun: _Noun, side: str, time: str | None) -> str:
        who, place = self._say(noun), PLACES[side]
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
        """Text, who is meant by its noun, and whom it is true of; None if something is unclear.

        The relation is one that is true (or false) of the thing that the noun was made for.
        """
        if len(self.everyone) < 2:
            return None
        i, j = (int(k) for k in self.rng.permutation(len(self.everyone))[:2])
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
        who, where = self._say(noun), f"{self._pick(RELATION_WORDS[relation])} the {self._say(other)}"
        form = self._pick((f"the {who} {where}",) * 2 + (f"the {who} that is {where}", f"which {who} is {where}?"))
        return form, group, _true(group, truths)

    def _order(self) -> _Proposal | None:
        i = self._pick(self.everyone)
        happened = [e for e in ("jump", "stop", "enter", "leave") if self.facts.does(i, e)]
        if not happened:
            return None
        event, which, noun = self._pick(happened), self._pick(ORDERS), self._noun(i, colour=0.15)
        target = self.facts.first_or_last(self._group(noun), event, which)
        return None if target is None else _Proposal(self._ordered(noun, event, which), [target], event, which)

    def _ordered(self, noun: _Noun, event: str, which: str) -> str:
        verb, who = self._pick(VERBS[event]), self._say(noun)
        that = f"the {who} that {verb.one} {which}"
        return self._pick((that, that, f"the {which} {who} to {verb.many}", f"which {who} {verb.one} {which}?"))

    def _nothing(self) -> _Proposal | None:
        """Something that could well be there, and is not."""
        i, draw = self._pick(self.everyone), float(self.rng.random())
        noun = self._noun(i, colour=0.3)
        group = self._group(noun)
        text: str | None = None
        if draw < 0.45 or self.facts.frames < SHORTEST:
            text = self._missing_looks(i)
        elif draw < 0.75:
            event = self._pick(EVENTS)
            if _never(self.facts.does(k, event) for k in group):
                timed = event in ("jump", "stop", "enter", "leave") and len(group) > 1 and self._chance(0.3)
                text = self._ordered(noun, event, self._pick(ORDERS)) if timed else self._acts(noun, event)
        elif draw < 0.85:
            side, time = self._pick(SIDES), self._pick(("start", "end", None))
            if _never(self.facts.at(k, side, time) for k in group):
                text = self._stands(noun, side, time)
        elif draw < 0.93:
            related = self._related(true=False)
            if related is not None and not related[2]:
                text = related[0]
        else:
            size = self._pick(SIZES)
            if all(self.facts.things[k].size != size for k in group):
                text = f"the {self._say(noun, before=self._pick(SIZE_WORDS[size]))}"
        return None if text is None else _Proposal(text, [])

    def _missing_looks(self, i: int) -> str | None:
        """The kind of thing i in another colour, or its colour on another kind; or looks that nobody has at all."""
        thing = self.facts.things[i]
        present = sorted({t.colour for t in self.facts.things}), sorted({t.kind for t in self.facts.things})
        colours, kinds = present if self._chance(0.6) else (COLOURS, KINDS)
        noun = _Noun(thing.kind, self._pick(colours)) if self._chance(0.5) else _Noun(self._pick(kinds), thing.colour)
        if self._chance(0.15):
            noun = _Noun("thing", noun.colour) if self._chance(0.5) else _Noun(noun.kind, None)
        if self._group(noun):
            return None
        return self._several(noun) if self._chance(0.25) else self._looks(noun)


def _true(group: Sequence[int], truths: Sequence[Truth]) -> list[int]:
    """Whom it is true of; nobody, if it is unclear for anyone."""
    return [] if None in truths else [i for i, truth in zip(group, truths, strict=True) if truth]


def _never(truths: Iterable[Truth]) -> bool:
    return all(truth is False for truth in truths)
