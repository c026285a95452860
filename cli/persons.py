"""`leadhub persons`: leads that tie two known persons, and what somebody decides about them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn

if TYPE_CHECKING:
    from cli.words import Words
    from jobs.config.loading import Settings
    from store.db import Database
    from store.unclear_persons import Known, Unclear

Lead = Annotated[str, typer.Argument(metavar="LEAD", help="Its id, or how it begins.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, kept in the audit trail.", show_default=False)]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Two known persons that one lead ties: one or two?")

    @group.command("list")
    def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Leads whose phone and e-mail belong to different persons; exit status 1 if there are any."""
        _list(load_settings(config), as_json=as_json)

    @group.command()
    def join(lead: Lead, why: Why = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """They are one: keys, leads, conversations and what is owed go to the first. There is no way back."""
        _decide(load_settings(config), lead, why, joined=True, as_json=as_json)

    @group.command()
    def apart(lead: Lead, why: Why = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """They are two: the lead stays with the first and is not asked about any more."""
        _decide(load_settings(config), lead, why, joined=False, as_json=as_json)

    app.add_typer(group, name="persons")


def _list(settings: "Settings", *, as_json: bool) -> None:
    from cli.opened import with_database
    from cli.words import Words
    from store.unclear_persons import unclear

    async def work(db: "Database") -> "list[Unclear]":
        return await db.read(unclear)

    words, found = Words.of(settings), with_database(settings, work)
    if as_json:
        print_json(found)
    elif not found:
        say(words("Nothing waits for a decision.", "Решать нечего."))
    for one in [] if as_json else found:
        say(f"{one.lead_id}  {words.day(one.received_at.date(), one.received_at.date())}, {one.source}")
        for person in one.persons:
            say(f"    {_told(words, person)}")
    if found:
        if not as_json:
            say("leadhub persons join LEAD · leadhub persons apart LEAD")
        raise not_fine()


def _told(words: "Words", person: "Known") -> str:
    keys = ", ".join(value if kind in ("phone", "email") else f"{kind} {value}" for kind, value in person.keys)
    deals = "; ".join(
        f"{words.crm(name)}: "
        + words(f"deal {deal.deal_id}, contact {deal.contact_id}", f"сделка {deal.deal_id}, контакт {deal.contact_id}")
        for name, deal in person.deals.items()
        if deal.deal_id
    )
    return f"{person.name or '—'}  {keys}" + (f"  ({deals})" if deals else "")


def _decide(settings: "Settings", lead: str, why: str, *, joined: bool, as_json: bool) -> None:
    from cli.leads import lead_ids
    from cli.opened import actor, with_database
    from cli.words import Words
    from leads.clock import SystemClock
    from store.unclear_persons import join_persons, keep_apart

    words, decide = Words.of(settings), join_persons if joined else keep_apart

    async def work(db: "Database") -> "tuple[Unclear | None, dict[str, str]]":
        ids, problems = await lead_ids(db, [lead])
        if problems:
            return None, problems
        return await db.write(decide, SystemClock(), ids[0], actor=actor(), why=why.strip()), {}

    done, problems = with_database(settings, work)
    if done is None:
        nothing = words("ties no two persons, or it is decided already", "не связывает двух людей, или это уже решено")
        warn(f"leadhub: {lead}: {problems.get(lead, nothing)}")
        raise not_fine()
    if as_json:
        print_json(done)
        return
    kept, *others = done.persons
    if not joined:
        say(words("They stay two.", "Остаются двумя людьми."))
        return
    keys = tuple(sorted({key for person in done.persons for key in person.keys}))
    whole = _told(words, replace(kept, keys=keys))
    say(words(f"They are one now: {whole}", f"Теперь это один человек: {whole}"))
    for line in _two_contacts(words, kept, others):
        say(line)


def _two_contacts(words: "Words", kept: "Known", others: "list[Known]") -> "list[str]":
    lines: list[str] = []
    for other in others:
        for name, deal in other.deals.items():
            own = kept.deals.get(name)
            if own is not None and deal.contact_id and own.contact_id and deal.contact_id != own.contact_id:
                both = f"{own.contact_id}, {deal.contact_id}"
                lines.append(
                    words(
                        f"{words.crm(name)} has two contacts: {both}. Merge them there; leadhub does not.",
                        f"В {words.crm(name)} два контакта: {both}. Объедините их там, leadhub этого не делает.",
                    )
                )
    return lines
