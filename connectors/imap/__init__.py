"""Letters of an e-mail box: a new sender, or a form that sends letters."""
