"""Whatever is in a lead: a mapping never raises, and drafting twice gives what drafting once gives."""

from hypothesis import given
from hypothesis import strategies as st

from mappings.engine import LINE_MAX, Drafted, build
from mappings.schema import LeadMapping
from mappings.values import TEXT_CAP
from mappings.views import Facts
from tests.mappings.random_leads import EVERYTHING, FACTS, PRESETS


def texts(drafted: Drafted) -> list[str]:
    records = [record for record in (drafted.contact, drafted.company, drafted.deal) if record]
    values = [drawn.value for record in records for drawn in (*record.values.values(), *record.fields)]
    return [text for text in (*values, drafted.note_text) if isinstance(text, str)]


@given(FACTS, st.sampled_from([*PRESETS, EVERYTHING]))
def test_mapping_never_raises_on_any_lead_and_twice_equals_once(facts: Facts, mapping: LeadMapping) -> None:
    drafted = build(mapping, facts)
    assert build(mapping, facts) == drafted
    assert all(len(text) <= TEXT_CAP for text in texts(drafted))
    assert len(drafted.deal.text("title")) <= LINE_MAX
    assert drafted.essentials.phones == facts.lead.phones
    assert drafted.essentials.comment == facts.lead.comment


@given(FACTS, st.sampled_from(PRESETS))
def test_presets_have_no_problem_with_any_lead(facts: Facts, mapping: LeadMapping) -> None:
    drafted = build(mapping, facts)
    assert drafted.problems == ()
    assert drafted.deal.text("title")
    assert drafted.note_text
