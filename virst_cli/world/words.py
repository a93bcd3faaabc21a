"""The words of the sentences: tables of nouns, verbs and phrases with their synonyms.

A word that is listed twice is used twice as often.
"""

from dataclasses import dataclass

from virst_cli.world.things import Which

NOUNS: dict[str, tuple[tuple[str, str], ...]] = {  # singular, plural
    "dog": (("dog", "dogs"), ("dog", "dogs"), ("puppy", "puppies")),
    "cat": (("cat", "cats"), ("cat", "cats"), ("kitten", "kittens")),
    "bird": (("bird", "birds"),),
    "car": (("car", "cars"), ("car", "cars"), ("vehicle", "vehicles"), ("automobile", "automobiles")),
    "ball": (("ball", "balls"),),
    "box": (("box", "boxes"), ("box", "boxes"), ("crate", "crates")),
    "animal": (("animal", "animals"),),
    "thing": (("thing", "things"), ("object", "objects"), ("item", "items"), ("one", "ones")),
}
ANIMALS = ("dog", "cat", "bird")


@dataclass(frozen=True)
class Verb:
    """The forms of a verb for an event."""

    one: str  # singular: the dog that jumps
    many: str  # plural: the dogs that jump
    ing: str  # participle: the dog jumping


VERBS: dict[str, tuple[Verb, ...]] = {
    "left": (
        Verb("moves left", "move left", "moving left"),
        Verb("goes left", "go left", "going left"),
        Verb("moves to the left", "move to the left", "moving to the left"),
        Verb("heads left", "head left", "heading left"),
    ),
    "right": (
        Verb("moves right", "move right", "moving right"),
        Verb("goes right", "go right", "going right"),
        Verb("moves to the right", "move to the right", "moving to the right"),
        Verb("heads right", "head right", "heading right"),
    ),
    "still": (
        Verb("stays still", "stay still", "standing still"),
        Verb("stands still", "stand still", "standing still"),
        Verb("does not move", "do not move", "not moving"),
    ),
    "jump": (
        Verb("jumps", "jump", "jumping"),
        Verb("jumps", "jump", "jumping"),
        Verb("hops", "hop", "hopping"),
        Verb("leaps", "leap", "leaping"),
    ),
    "stop": (
        Verb("stops", "stop", "stopping"),
        Verb("stops moving", "stop moving", "stopping"),
        Verb("halts", "halt", "halting"),
    ),
    "enter": (
        Verb("enters", "enter", "entering"),
        Verb("comes in", "come in", "coming in"),
        Verb("appears", "appear", "appearing"),
    ),
    "leave": (
        Verb("leaves", "leave", "leaving"),
        Verb("goes away", "go away", "going away"),
        Verb("disappears", "disappear", "disappearing"),
    ),
}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
SUPERLATIVES = {"small": ("smallest",), "large": ("largest", "biggest")}
PLACES = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom"}
TIMES = {"start": ("at the start", "at the beginning"), "end": ("at the end",)}
TIME_VERBS = {"start": "starts", "end": "ends"}
RELATION_WORDS = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
    "next": ("next to", "near", "beside", "close to"),
}
ORDERS: tuple[Which, ...] = ("first", "last")
REQUESTS = ("find {}", "show me {}", "segment {}", "where is {}?", "can you see {}?")  # requests around a description
FUNCTION_WORDS = ("the", "that", "which", "is", "all", "of", "every", "to", "where")
