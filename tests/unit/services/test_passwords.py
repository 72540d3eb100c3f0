"""Which passwords are among the first that anybody would try."""

import pytest

from app.core.errors import Invalid
from app.services import passwords


@pytest.mark.parametrize(
    "word",
    [
        "password1234", "Password!!!!!", "1234password", "qwertyuiop12", "123456789012", "abcdefghijkl", "abcabcabcabc",
        "aaaaaaaaaaaaa", "labelwise2026", "letmeinletmein", "1q1q1q1q1q1q", "zyxwvutsrqpo", "asdfghjkl1234",
        "summer2026!!!", "ada.lovelace!", "ADA.LOVELACE", "            x",
    ],
)  # fmt: skip
def test_easy_ones_are_refused(word: str) -> None:
    with pytest.raises(Invalid, match="easy to guess"):
        passwords.check("ada.lovelace", word)


@pytest.mark.parametrize("word", ["x" * 11, "correct horse battery" * 20, ""])
def test_short_and_long_ones_too(word: str) -> None:
    with pytest.raises(Invalid, match="12 to 256"):
        passwords.check("ada", word)


@pytest.mark.parametrize(
    "word",
    [
        "correct horse battery", "Tr0ub4dor&3 and more", "password of my cat", "vq8#kk!29zLm", "ab12cd34ef56gh",
        "\u9593\u9055\u3044\u306a\u3044\u3067\u304f\u3060\u3055\u3044\u3088\u306d",
    ],
)  # fmt: skip
def test_others_are_taken(word: str) -> None:
    passwords.check("ada.lovelace", word)
