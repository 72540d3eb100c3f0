"""The filter grammar: what it reads, what it refuses, and that nothing else comes through."""

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.core.filters import CHOICES, MAX_KEYS, METADATA, NUMBERS, TEXTS, Condition, parse, words

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
NAMES = st.one_of(st.sampled_from(("class", "predicted.class")), TEXT.filter(len).map(lambda name: METADATA + name))
COMPARISONS = st.tuples(
    st.just("predicted.probability"), st.sampled_from(("<", "<=", ">", ">=")), st.floats(-1e9, 1e9).map(repr)
)
PIECES = st.lists(st.sampled_from([*"&=:<>%.+", "q", "key", "metadata.", "%00"]))


def test_the_example_of_the_contract() -> None:
    found = parse("status=answered&class=Sports&metadata.source=web&predicted.probability:<0.6&q=two+words")

    assert found.conditions == (
        Condition("status", "=", ("answered",)),
        Condition("class", "=", ("Sports",)),
        Condition("metadata.source", "=", ("web",)),
        Condition("q", "=", ("two words",)),
        Condition("predicted.probability", "<", number=0.6),
    )
    assert [each.metadata for each in found.conditions if each.metadata] == ["source"]


@pytest.mark.parametrize(
    "text",
    [
        "predicted.probability:<=0.6",
        "predicted.probability:%3C=0.6",
        "predicted.probability%3A%3C%3D0.6",
        "predicted.probability%3A%3C%3D0.6=",
    ],
)
def test_a_comparison_is_one_however_a_library_writes_the_address(text: str) -> None:
    assert parse(text).conditions == (Condition("predicted.probability", "<=", number=0.6),)


def test_several_values_are_one_condition_and_several_comparisons_are_a_span() -> None:
    assert parse("key=a&key=b").conditions == (Condition("key", "=", ("a", "b")),)
    span = parse("metadata.year:>=1990&metadata.year:<2000").conditions
    assert [(each.operator, each.number) for each in span] == [(">=", 1990), ("<", 2000)]


def test_parts_of_the_list_itself_are_left_alone_and_nothing_asks_for_nothing() -> None:
    assert not parse("sort=key&limit=5", but=("sort", "limit"))
    assert not parse("")
    assert parse("sort=key&status=open", but=("sort",)).names == ["status"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("colour=red", "colour"),
        ("annotator.password_hash=x", "annotator.password_hash"),
        ("metadata.=x", "metadata."),
        ("status=asleep", "status"),
        ("status:<3", "status"),
        ("class", "class"),
        ("class=", "class"),
        ("predicted.probability=0.6", "predicted.probability"),
        ("predicted.probability:<nan", "predicted.probability"),
        ("predicted.probability:<1_0", "predicted.probability"),
        ("predicted.probability:<", "predicted.probability"),
        ("predicted.probability:<1e999", "predicted.probability"),
        ("metadata.year:>last", "metadata.year"),
        ("q=" + "+".join("abcdefghijk"), "q"),
        ("&".join(f"key={number}" for number in range(MAX_KEYS + 1)), "key"),
        ("&".join(f"metadata.{number}=1" for number in range(300)), "filter"),
        ("q=%ff", "filter"),
        ("q=" + "x" * 300_000, "filter"),
    ],
)
def test_what_is_no_filter_is_refused_by_name(text: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(text)

    assert refused.value.fields is not None
    assert field in refused.value.fields


@pytest.mark.parametrize("text", ["q=%00", "metadata.a%00=1", "q=" + "x" * 1_001])
def test_what_no_database_could_hold_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


@given(st.lists(st.tuples(NAMES, TEXT.filter(str.strip)), max_size=20), st.sampled_from((quote, quote_plus)))
def test_what_was_written_is_what_is_read(pairs: list[tuple[str, str]], encode) -> None:
    pairs = [(name, value) for name, value in pairs if not name.endswith((":<", ":>"))]  # those read as comparisons

    found = parse("&".join(f"{encode(name, safe='')}={encode(value, safe='')}" for name, value in pairs))

    wanted: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        wanted[name] = (*wanted.get(name, ()), value)
    assert {each.name: each.values for each in found.conditions} == wanted


@given(st.lists(COMPARISONS, max_size=20))
def test_comparisons_keep_their_numbers(given_: list[tuple[str, str, str]]) -> None:
    found = parse("&".join(f"{name}:{operator}{number}" for name, operator, number in given_))

    assert [(each.name, each.operator, repr(each.number)) for each in found.conditions] == given_


@given(
    st.one_of(
        st.text(max_size=200), st.lists(st.sampled_from([*"&=:<>%.+", "q", "key", "metadata.", "%00"])).map("".join)
    )
)
def test_any_text_is_read_whole_or_refused_and_never_anything_else(text: str) -> None:
    try:
        found = parse(text)
    except Invalid:
        return
    for each in found.conditions:
        assert each.name in (*CHOICES, *TEXTS, *NUMBERS) or each.metadata
        assert (each.operator == "=") == bool(each.values)
        assert all("\0" not in value for value in each.values)


def test_words_are_split_at_white_space() -> None:
    assert words(["two  words", " more "]) == ["two", "words", "more"]
