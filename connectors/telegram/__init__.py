"""Telegram Bot API: alerts and the second way out of a lead."""
