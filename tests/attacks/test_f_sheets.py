"""d.F, third part: sheets that are no sheets, or not the one that they look like."""

import pytest

from tests.attacks.site import Site
from tests.attacks.test_f_parsers import push

case = pytest.mark.case

SHEETS: list[tuple[bytes, list[str] | str, dict[int, str]]] = [  # a body, its texts or why it is refused, rows refused
    (b"text,text\na,b\n", 'two columns are called "text"', {}),
    (b'text\n"never closed' + b"x" * 11_000_000, "line 2 has more than", {}),
    (b"text,key\na,b,c\nright,k\n", ["right"], {2: "2 columns and the row has 3"}),
    ("text\nümlaut\n".encode("utf-16"), "UTF-16", {}),
    (b"text\nok\ncaf\xe9\nalso ok\n", ["ok", "also ok"], {3: "not UTF-8"}),
    (b"text\na\0b\n", "UTF-8", {}),
    (b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n1\n", [], {2: "1000000 columns and the row has 1"}),
    (b"", "empty", {}),
    (b"\n\n\n", "no header", {}),
    (b"text\r\n" + b"x" * 200_000 + b"\r\nshort\r\n", ["x" * 200_000, "short"], {}),
    (b'text\n"a""b"\n"c"d\n', "line 3", {}),
    (b"\xef\xbb\xbftext;key\na;1\n", ["a"], {}),
    (b'text,key\n"a;b;c",1\n"d;e",2\n', ["a;b;c", "d;e"], {}),
    (b"text\tkey\na,b\t1\n", ["a,b"], {}),
    (b"=cmd|'/c calc'!A1,text\n1,2\n", [], {2: ""}),
    (b'text\n"two\nlines"\n"and, a comma"\n', ["two\nlines", "and, a comma"], {}),
]


@case("F-05")
@pytest.mark.parametrize(("body", "told", "refused"), SHEETS, ids=range(len(SHEETS)))
def test_f05_a_sheet_is_read_rightly_or_refused_with_its_line(
    aimed: Site, body: bytes, told: list[str] | str, refused: dict[int, str]
) -> None:
    project = aimed.new_project(aimed.M, 0)
    answer = push(aimed, "csv", body, project)
    items = aimed.M.get(f"/projects/{project}/items", params={"sort": "created"}).json()["items"]
    stored = sorted(aimed.M.get(f"/items/{each['id']}").json()["text"] for each in items)

    if isinstance(told, str):
        assert answer.status_code in (400, 422), answer.text
        assert told in answer.json()["detail"], answer.text
        assert stored == []
        return
    assert answer.status_code == 200, answer.text
    assert stored == sorted(told)
    said = {row["line"]: row["error"] for row in answer.json()["rejected"]}
    assert said.keys() == refused.keys(), said
    assert all(words in said[line] for line, words in refused.items()), said


@case("F-05")
def test_f05_a_quotation_mark_that_is_never_closed_is_not_read_to_the_end(aimed: Site) -> None:
    whole = b'text\nfirst\n"never closed' + b"x\n" * 27_000_000  # of the sixty megabytes that an import has here
    project = aimed.new_project(aimed.M, 0)

    answer = push(aimed, "csv", whole, project)

    assert answer.status_code in (400, 422), answer.text
    assert "line 3: " in answer.json()["detail"]
    assert "is a quotation mark missing?" in answer.json()["detail"]
    assert aimed.rows("SELECT count(*) FROM items WHERE project_id = :p", p=project)[0][0] == 0
    assert push(aimed, "csv", whole + b"x" * 10_000_000, project).status_code == 413
    assert aimed.put_aside() == []
