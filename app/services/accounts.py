"""Accounts: the first admin, signing in, passwords, users and tokens."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn
from app.core.secrets import hashed, new_token
from app.core.settings import Settings
from app.core.text import check_text, fold
from app.db import Database, Member, OneTimeLink, Project, Token, User, WriteSession
from app.db.session import now
from app.services import attempts, audit, leases, links, passwords, sessions
from app.services.access import Person, project_for
from app.services.sessions import SignedIn

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
SCOPES = ("read", "label", "import", "manage")
SETUP_HOURS = 0.5
PASSWORD_LINK_HOURS = 24.0
ROLES = ("annotator", "reviewer", "manager")
NOBODY = HASHER.hash("nobody has this password")  # so that unknown names take as long as wrong passwords


def setup_link(session: WriteSession) -> str | None:
    """A code that makes the first admin; earlier ones end. None when somebody has an account."""
    if session.execute(select(User.id).limit(1)).first() is not None:
        return None
    session.execute(delete(OneTimeLink).where(OneTimeLink.kind == "setup"))
    return links.make(session, "setup", hours=SETUP_HOURS)


def set_up(session: WriteSession, settings: Settings, code: str, name: str, password: str) -> SignedIn:
    """Make the first admin and sign in. Raises NotFound for a wrong, used or ended code."""
    links.use(session, code, "setup")
    if session.execute(select(User.id).limit(1)).first() is not None:
        raise NotFound("this link has been used")
    user = create_user(session, name, password, admin=True)
    return sessions.begin(session, settings, user)


def create_user(session: WriteSession, name: str, password: str, *, admin: bool = False, by: int | None = None) -> User:
    """Add a person, perhaps `by` an admin. Raises Invalid for a bad name or password, Conflict for a taken name."""
    name = check_text(name.strip(), what="name", limit=200)
    if not name:
        raise Invalid("name is empty", fields={"name": "must not be empty"})
    passwords.check(name, password)
    if session.execute(select(User.id).where(User.folded_name == fold(name))).first():
        raise Conflict(f"the name {name!r} is taken", fields={"name": "taken"})
    user = User(
        name=name, folded_name=fold(name), password_hash=HASHER.hash(password), admin=admin, created_at=now(session)
    )
    session.add(user)
    session.flush()
    audit.record(session, "user.created", by or user.id, user=user.id, admin=admin)
    return user


def sign_in(db: Database, settings: Settings, name: str, password: str, address: str) -> SignedIn:
    """Open a browser session. The slow hash runs while no transaction is open.

    Raises:
        NotSignedIn: name or password is wrong, or the person was switched off.
        TooManyRequests: see `attempts.counted`.
    """
    with attempts.counted(db, settings, address, name):
        with db.read() as reading:
            found = reading.execute(select(User.id, User.password_hash).where(User.folded_name == fold(name))).first()
        stored = found.password_hash if found and found.password_hash else NOBODY
        right = _verify(stored, password)
        renewed = HASHER.hash(password) if right and HASHER.check_needs_rehash(stored) else stored
        with db.write() as session:
            user = session.get(User, found.id) if found else None
            if user is not None and right and user.active:
                if user.password_hash == stored:  # it was made with weaker parameters, and was not changed meanwhile
                    user.password_hash = renewed
                audit.record(session, "session.opened", user.id)
                return sessions.begin(session, settings, user)
            if user is not None:
                audit.record(session, "session.refused", user.id)
        raise NotSignedIn("name or password is wrong")


def has_password(session: Session, person: Person) -> bool:
    """Whether the person signs in with a password: the demo's visitor does not."""
    return session.get_one(User, person.id).password_hash is not None


def change_password(
    db: Database, settings: Settings, person: Person, old: str, new: str, *, address: str, keep: str | None
) -> None:
    """Set a new password; every browser session but the one to `keep` ends, and so does every token.

    Raises:
        NotSignedIn: the old password is wrong.
        TooManyRequests: see `attempts.counted`; guesses here and at the door count together.
    """
    with attempts.counted(db, settings, address, person.name):
        with db.read() as reading:
            stored = reading.get_one(User, person.id).password_hash
        if not _verify(stored or NOBODY, old):
            raise NotSignedIn("the old password is wrong")
    passwords.check(person.name, new)
    made = HASHER.hash(new)
    with db.write() as session:
        audit.record(session, "password.changed", person.id)
        _set_password(session, person.id, made, keep=keep)


def password_link(session: WriteSession, person: Person, user_id: int) -> tuple[str, datetime]:
    """A code with which somebody who forgot the password chooses a new one, and when it ends; an earlier one ends now.

    Raises:
        Conflict: the person is switched off.
    """
    need_admin(person)
    user = _living(session, user_id)
    if not user.active:
        raise Conflict(f"{user.name} is switched off: switch the account on first")
    links.end_passwords(session, user_id)
    audit.record(session, "password.link", person.id, user=user_id)
    code = links.make(session, "password", hours=PASSWORD_LINK_HOURS, by=person.id, user_id=user_id)
    return code, now(session) + timedelta(hours=PASSWORD_LINK_HOURS)


def who_resets(session: Session, code: str, moment: datetime) -> str:
    """The name of who may choose a password with a code; nothing is used up. Raises NotFound."""
    return session.get_one(User, links.check(session, code, "password", moment).user_id).name


def reset_password(db: Database, settings: Settings, code: str, new: str, *, address: str) -> SignedIn:
    """Set the password that the holder of a link has chosen, and sign in; all sessions and tokens of before end.

    Raises:
        Invalid: the password is too easy; the link stays.
        NotFound: a wrong, used or ended code, or the person was switched off meanwhile.
        TooManyRequests: see `attempts.counted`.
    """
    with attempts.counted(db, settings, address):
        with db.read() as reading:
            name = who_resets(reading, code, db.now())
        passwords.check(name, new)
        made = HASHER.hash(new)
        with db.write() as session:
            link = links.use(session, code, "password")
            user = session.get_one(User, link.user_id)
            if not user.active:
                raise NotFound(links.ENDED)
            audit.record(session, "password.changed", user.id, link=link.id)
            _set_password(session, user.id, made)
            return sessions.begin(session, settings, user)


def set_password(session: WriteSession, user: User, new: str) -> None:
    """Set somebody's password for the operator, who is at the machine; all sessions and tokens of before end."""
    passwords.check(user.name, new)
    audit.record(session, "password.changed", None, user=user.id)
    _set_password(session, user.id, HASHER.hash(new))


def _living(session: WriteSession, user_id: int) -> User:
    """An account that was not erased. Raises NotFound."""
    user = session.get(User, user_id)
    if user is None or user.erased_at is not None:
        raise NotFound("there is no such user")
    return user


def _set_password(session: WriteSession, user_id: int, made: str, keep: str | None = None) -> None:
    session.execute(update(User).where(User.id == user_id).values(password_hash=made))
    links.end_passwords(session, user_id)
    sessions.end_all(session, user_id, keep=keep)
    session.execute(delete(Token).where(Token.user_id == user_id))


def users(session: Session, person: Person, limit: int, behind: int = 0) -> Sequence[User]:
    """Everybody, for admins, oldest first; `behind` is an id."""
    need_admin(person)
    return session.execute(select(User).where(User.id > behind).order_by(User.id).limit(limit)).scalars().all()


def change_user(session: WriteSession, person: Person, user_id: int, active: bool | None, admin: bool | None) -> User:
    """Switch a person off or on, or make an admin; the last active admin stays one (Conflict).

    Who is switched off, or becomes or stops being an admin, is signed out; who is switched off holds no item any more.
    The links of whoever is switched off or is no admin any more end.
    """
    need_admin(person)
    user = _living(session, user_id)
    if active is False or admin is False:
        keep_an_admin(session, user)
    before = (user.active, user.admin)
    user.active = user.active if active is None else active
    user.admin = user.admin if admin is None else admin
    if (user.active, user.admin) != before:
        sessions.end_all(session, user_id)
    if not user.active or (before[1] and not user.admin):
        links.end_of(session, user_id)
    if not user.active:
        leases.release_of(session, user_id)
    audit.record(session, "user.changed", person.id, user=user_id, active=user.active, admin=user.admin)
    return user


def keep_an_admin(session: WriteSession, user: User) -> None:
    """Raise Conflict when nobody else is an active admin; two removals at once wait for each other."""
    if not (user.admin and user.active):
        return
    admins = select(User.id).where(User.admin, User.active).order_by(User.id).with_for_update()
    if set(session.execute(admins).scalars()) <= {user.id}:
        raise Conflict("the last admin cannot be removed")


def create_token(
    session: WriteSession,
    user_id: int,
    name: str,
    scopes: Sequence[str],
    project_id: int | None = None,
    expires_in: timedelta | None = None,
    made_by: Person | None = None,
) -> tuple[Token, str]:
    """A token and its secret, which is shown this once. One that a token makes may no more and lives no longer.

    Raises:
        Invalid: unknown scopes.
        Forbidden: scopes that the token which makes this one has not.
    """
    if not scopes or set(scopes) - set(SCOPES):
        unknown = sorted(set(scopes) - set(SCOPES))
        raise Invalid(f"scopes are one or more of {', '.join(SCOPES)}", fields={"scopes": unknown or "one or more"})
    if made_by is not None:
        for scope in sorted(set(scopes)):
            made_by.need(scope)
    secret = new_token()
    moment = now(session)
    ends = [moment + expires_in] if expires_in else []
    ends += [made_by.ends] if made_by and made_by.ends else []
    token = Token(
        secret_hash=hashed(secret),
        user_id=user_id,
        project_id=project_id,
        name=check_text(name, what="name", limit=200),
        scopes=sorted(set(scopes)),
        created_at=moment,
        expires_at=min(ends, default=None),
    )
    session.add(token)
    session.flush()
    audit.record(session, "token.created", user_id, project_id=project_id, token=token.id, scopes=token.scopes)
    return token, secret


def tokens(session: Session, person: Person, limit: int, behind: int = 0) -> Sequence[Token]:
    """The person's own tokens, oldest first, without their secrets; `behind` is an id.

    A token that is bound to a project sees those of that project alone.
    """
    mine = select(Token).where(Token.user_id == person.id, Token.id > behind).order_by(Token.id)
    if person.token_project is not None:
        mine = mine.where(Token.project_id == person.token_project)
    return session.execute(mine.limit(limit)).scalars().all()


def delete_token(session: WriteSession, person: Person, token_id: int) -> None:
    """End a token of one's own, or anybody's as an admin."""
    token = session.get(Token, token_id)
    if token is None or (token.user_id != person.id and not person.admin):
        raise NotFound("there is no such token")
    if person.token_project is not None and token.project_id != person.token_project:
        raise NotFound("there is no such token")
    session.delete(token)
    audit.record(session, "token.deleted", person.id, token=token_id)


def invite(
    session: WriteSession,
    person: Person,
    project_ref: int | str,
    role: str,
    uses: int,
    hours: float,
    slice_: str | None = None,
) -> str:
    """A code that lets `uses` people into a project with a role, and perhaps a slice that was checked."""
    project = project_for(session, person, project_ref, "manager")
    if role not in ROLES:
        raise Invalid(f"role is one of {', '.join(ROLES)}", fields={"role": role})
    given: dict[str, Any] = {} if slice_ is None else {"slice": slice_}
    audit.record(session, "member.invited", person.id, project_id=project.id, role=role, uses=uses, **given)
    return links.make(
        session, "invitation", hours=hours, project_id=project.id, role=role, uses=uses, by=person.id, **given
    )


def sign_in_link(session: WriteSession, user_id: int, project_id: int | None) -> str:
    """A code that signs a person in once; for the demo's printed link."""
    return links.make(session, "sign_in", hours=1, project_id=project_id, user_id=user_id)


def enter(session: WriteSession, settings: Settings, code: str) -> tuple[SignedIn, int | None]:
    """Use a sign-in link: the browser session, and the project that it opens."""
    link = links.use(session, code, "sign_in")
    audit.record(session, "session.opened", link.user_id, link=link.id)
    return sessions.begin(session, settings, session.get_one(User, link.user_id)), link.project_id


def accept_invitation(
    session: WriteSession, settings: Settings, code: str, name: str, password: str, person: Person | None
) -> tuple[SignedIn | None, int]:
    """Join a project: as the signed-in person, or with a new account; the session (if new) and the project's id."""
    if person is not None and person.token_project is not None:
        raise Forbidden("this token is bound to another project")
    link = links.use(session, code, "invitation")
    assert link.project_id is not None
    if session.get_one(Project, link.project_id).deleted_at is not None:
        raise NotFound("this link is not valid any more: the project was deleted")
    signed_in = None
    if person is None:
        signed_in = sessions.begin(session, settings, create_user(session, name, password))
    user_id = signed_in.user["id"] if signed_in else person.id if person else 0
    if session.get(Member, (link.project_id, user_id)) is None:
        session.add(
            Member(
                project_id=link.project_id,
                user_id=user_id,
                role=link.role or "annotator",
                slice=link.slice,
                created_at=now(session),
            )
        )
        audit.record(session, "member.joined", user_id, project_id=link.project_id, role=link.role, link=link.id)
        session.flush()
    return signed_in, link.project_id


def need_admin(person: Person) -> None:
    """Raise Forbidden for anybody but an admin whose token may manage."""
    person.need("manage")
    if not person.admin:
        raise Forbidden("only an admin may do this")


def is_set_up(session: Session) -> bool:
    """Whether anybody has an account."""
    return session.execute(select(User.id).limit(1)).first() is not None


def _verify(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
