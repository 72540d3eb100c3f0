"""d.A, first part: the first admin, signing in, passwords, and who is told nothing."""

import pytest

from tests.attacks.site import WELL_KNOWN, Site
from tests.attacks.voices import PASSWORD

case = pytest.mark.case


@case("A-01")
def test_a01_a_fresh_service_knows_no_well_known_password(site: Site) -> None:
    codes = {answer.status_code for answer in site.first_tries}

    assert len(WELL_KNOWN) >= 40
    assert codes == {401}
    assert site.users_before == 0


@case("A-02")
def test_a02_the_one_time_link_makes_one_admin(site: Site) -> None:
    body = {"name": "Second", "password": PASSWORD}

    for code in (site.setup_code, "guessed", "0", "x" * 5_000):
        assert site.nobody.post(f"/setup/{code}", json=body).status_code in (403, 404, 414)

    assert site.rows("SELECT count(*) FROM users WHERE name = 'Second'")[0][0] == 0
