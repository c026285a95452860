"""E-mail as an alert channel and as the second way out of a lead."""
