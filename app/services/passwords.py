"""What makes a password too easy: said by rules, as a list of those that leaked would never be long enough."""

import re

from app.core.errors import Invalid
from app.core.secrets import same
from app.core.text import check_text, fold

SHORTEST, LONGEST = 12, 256
FEWEST_DIFFERENT = 4
LONGEST_UNIT = 6  # a longer piece that is said twice is still one that somebody has to guess
ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "azertyuiop", "zxcvbnm")
ROWS_RUN = 4  # so many neighbours of a row are one thing to remember, whatever their number
COMMON = """
    password passwort passw0rd p@ssword motdepasse contrasena qwerty azerty letmein welcome willkommen admin
    administrator root superuser user test testing guest demo login master secret geheim changeme default labelwise
    iloveyou sunshine princess dragon monkey football baseball superman batman shadow michael jordan starwars
    whatever trustno computer internet samsung google freedom hello hallo bonjour summer sommer winter spring autumn
    monday january love charlie jessica ashley soccer hockey killer pokemon naruto liverpool chelsea arsenal
"""
EASY = frozenset(COMMON.split())
EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def check(name: str, password: str) -> None:
    """Raise Invalid for a password that is too short, too long, or among the first that anybody would try.

    Too easy are the person's own name, few different characters, a short piece said again and again, runs along the
    alphabet or a keyboard, and a common word with digits and signs around it.
    """
    check_text(password, what="password", limit=100_000)
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid("a password has 12 to 256 characters", fields={"password": "12 to 256 characters"})
    if is_easy(name, password):
        raise Invalid("this password is too easy to guess", fields={"password": "too easy to guess"})


def is_easy(name: str, password: str) -> bool:
    """Whether the password is among the first that anybody would try."""
    word = fold(password)
    core = EDGES.sub("", word)
    return (
        same(word, fold(name))
        or (bool(core) and same(core, EDGES.sub("", fold(name))))
        or len(set(word)) < FEWEST_DIFFERENT
        or len(_repeated(word)) <= LONGEST_UNIT
        or len(_without_runs(word)) <= FEWEST_DIFFERENT
        or _repeated(core) in EASY
    )


def _repeated(word: str) -> str:
    """The shortest piece that the word repeats, the last time perhaps in part; the word itself where there is none."""
    for length in range(1, len(word)):
        if all(word[at] == word[at % length] for at in range(len(word))):
            return word[:length]
    return word


def _without_runs(word: str) -> str:
    """The word with each run of neighbours of a row, forwards or backwards, made one character."""
    kept, at = [], 0
    while at < len(word):
        length = max(_run(word, at, row) for each in ROWS for row in (each, each[::-1]))
        kept.append(word[at])
        at += length if length >= ROWS_RUN else 1
    return "".join(kept)


def _run(word: str, at: int, row: str) -> int:
    """How many characters from a place on stand in the row side by side."""
    start, length = row.find(word[at]), 0
    while 0 <= start + length < len(row) and at + length < len(word) and word[at + length] == row[start + length]:
        length += 1
    return length if start >= 0 else 0
