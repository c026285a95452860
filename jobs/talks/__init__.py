"""Conversations and what comes later about a lead: gathered into notes, answered, written to the deal."""
