"""From a request to what is durable: leads at once, events right afterwards, the spool when there is no database."""
