"""The YAML mapping language and the shipped mappings."""
