"""One lead to one CRM, once: claimed, planned, written, settled; and what becomes of a connection that is down."""
