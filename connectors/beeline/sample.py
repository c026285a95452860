"""A sample of the door: an incoming call."""

from datetime import datetime

from connectors.beeline.settings import BeelineSettings
from connectors.doors import Inbound
from connectors.samples import PHONE, millis, own_id, request


def sample(settings: BeelineSettings, address: str, now: datetime) -> Inbound:
    call = (
        f"<xsi:callId>{own_id(now)}</xsi:callId><xsi:extTrackingId>{own_id(now)}</xsi:extTrackingId>"
        "<xsi:personality>Terminator</xsi:personality><xsi:state>Alerting</xsi:state>"
        f"<xsi:remoteParty><xsi:address>tel:{PHONE}</xsi:address></xsi:remoteParty>"
        f"<xsi:addressOfRecord>101@mpbx.example.com</xsi:addressOfRecord><xsi:startTime>{millis(now)}</xsi:startTime>"
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><xsi:Event xmlns:xsi="http://schema.broadsoft.com/xsi" '
        'xmlns:xsi1="http://www.w3.org/2001/XMLSchema-instance" xsi1:type="xsi:SubscriptionEvent">'
        f"<xsi:eventID>{own_id(now)}</xsi:eventID><xsi:targetId>101@mpbx.example.com</xsi:targetId>"
        f'<xsi:eventData xsi1:type="xsi:CallReceivedEvent"><xsi:call>{call}</xsi:call></xsi:eventData></xsi:Event>'
    )
    kind = "application/xml; charset=UTF-8"
    return request(settings, address, now, body=body.encode(), content_type=kind)
