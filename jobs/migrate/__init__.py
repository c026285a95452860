"""Moving house: the records of one CRM made in another, with their links, once."""
